"""`usage status`: what is published, what waits in raw/, the last runs, the settings in force."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.app import app
from pipeline.commands.exit_codes import FAILED
from pipeline.commands.options import DataDir, Now, instant, refuse, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.load.results import RunReport
    from pipeline.status import Status

_NOT_ALL = "no run has read all of raw/ yet"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@app.command()
def status(
    data_dir: DataDir = None,
    runs: Annotated[int, typer.Option(min=0, help="How many of the last runs to show.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
    max_age: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Exit 1 if the data is older: 90s, 30m, 2h, 1d.", show_default=False),
    ] = None,
    now: Now = None,
) -> None:
    """Show what is published and what waits.

    Prints how old the published data is, which raw files wait, the last runs and the settings in force.

    Exit codes: 0 done; 1 with --max-age, if nothing is published, or if its age is greater or unknown; 2 wrong options.
    """
    import msgspec

    from pipeline.status import read
    from pipeline.terminal import printable

    limit = None if max_age is None else _age(max_age)
    found = read(settings(data_dir=data_dir), instant(now), runs)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        _show(found)
    for problem in found.problems:
        typer.echo(printable(problem), err=True)
    if limit is not None:
        _check_age(found, limit, max_age)


def _age(text: str) -> int:
    """Return an age such as `30m` in seconds; exit 2 if it is not one."""
    if not re.fullmatch(r"[0-9]{1,9}[smhd]", text):
        refuse(f"--max-age must be a number of s, m, h or d such as 30m, not {text!r}")
    return int(text[:-1]) * _SECONDS[text[-1]]


def _check_age(status: "Status", limit: int, wanted: str | None) -> None:
    if status.published is None:
        typer.echo("stale: nothing is published", err=True)
    elif status.age_seconds is None:
        typer.echo(f"stale: {_NOT_ALL}", err=True)
    elif status.age_seconds > limit:
        typer.echo(f"stale: the published data is {_span(status.age_seconds)} old, more than {wanted}", err=True)
    else:
        return
    raise typer.Exit(FAILED)


def _show(status: "Status") -> None:
    from pipeline.terminal import printable

    published = status.published
    if published is None:
        typer.echo("nothing is published yet: put logs into raw/ and run `usage run`")
    else:
        age = (
            _NOT_ALL if status.age_seconds is None else f"data as of {published.as_of}, {_span(status.age_seconds)} old"
        )
        typer.echo(
            f"published: {age}; sequence {published.sequence:,}, run {published.run}, tzdata {published.zone_data}"
        )
    if status.waiting is None:
        typer.echo("waiting: unknown")
    else:
        typer.echo(f"waiting: {status.waiting.files:,} raw files, about {status.waiting.bytes:,} bytes")
    reason = status.validation.reason
    how = "compiled" if reason is None else f"not compiled, hence slower: {printable(reason)}"
    typer.echo(f"validation: {how}")
    if status.runs:
        typer.echo("\nlast runs")
        for line in _runs(status.runs):
            typer.echo(line)
    typer.echo("\nsettings")
    for name, value in status.settings.items():
        typer.echo(f"{name}={value}")


def _runs(runs: "list[RunReport]") -> "Iterator[str]":
    """Yield a line of numbers for each run, and below it the times of its stages, its rejects and its errors."""
    from pipeline.terminal import aligned, printable

    numbers = ("files", "bytes", "lines", "accepted", "duplicates", "rejected", "blank", "partitions", "workspaces")
    rows = [
        (f"{run.started[:19]}Z", f"{sum(run.seconds.values()):,.2f}", *(f"{getattr(run, name):,}" for name in numbers))
        for run in runs
    ]
    headings, *lines = aligned([("started", "seconds", *numbers), *rows], "<" + ">" * (1 + len(numbers)))
    yield headings
    for run, line in zip(runs, lines, strict=True):
        yield line
        if run.seconds:
            stages = ", ".join(f"{name} {seconds:,.2f} s" for name, seconds in run.seconds.items())
            yield f"  stages: {printable(stages)}"
        if run.reasons:
            rejected = ", ".join(f"{lines:,} {reason}" for reason, lines in run.reasons.items())
            yield f"  rejected: {printable(rejected)}"
        for failure in run.errors:
            yield f"  could not be read: {printable(f'{failure.file}: {failure.error}')}"


def _span(seconds: float) -> str:
    """Return a duration in the largest unit in which it is at least 2."""
    unit = next((unit for unit in "dhm" if abs(seconds) >= 2 * _SECONDS[unit]), "s")
    return f"{seconds / _SECONDS[unit]:,.0f} {unit}"
