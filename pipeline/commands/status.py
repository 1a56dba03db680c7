"""`usage status`: what is published, what waits in raw/, the last runs, the settings in force."""

from typing import TYPE_CHECKING, Any

from pipeline.commands.as_json import show_json
from pipeline.commands.durations import seconds, span
from pipeline.commands.exit_codes import FAILED
from pipeline.commands.options import add_data_dir, add_json, add_now, instant, settings
from pipeline.commands.parser import Parser, whole_number
from pipeline.contract.calendar import rfc3339
from pipeline.streams import note, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.load.results import RunReport
    from pipeline.status import Status

_NOT_ALL = "no run has read all of raw/ yet"
# Two clocks may differ by so much; what is dated later says nothing about its age.
_AHEAD_SECONDS = 60
_UNREAD = 20  # unread files that a warning names
_RUN_ERRORS = 5  # of one run; the unread files of now are listed apart


def options(parser: Parser) -> None:
    """Add the options of `usage status`."""
    add_data_dir(parser)
    parser.add_argument(
        "--runs", type=whole_number(0), default=5, metavar="N", help="How many of the last runs to show (default: 5)."
    )
    add_json(parser)
    parser.add_argument("--max-age", metavar="AGE", help="Exit 1 if the data is older: 90s, 30m, 2h, 1d.")
    add_now(parser)


def command(*, data_dir: str | None, runs: int, as_json: bool, max_age: str | None, now: str | None) -> None:
    """Show what is published and what waits.

    Prints how old the published data is, which raw files wait, could not be read or are ignored, the last runs and the
    settings in force.

    Exit codes: 0 done; 1 with --max-age, if nothing is published, or if its age is greater, unknown or more than a
    minute in the future; 2 wrong options.
    """
    from pipeline.contract.text import printable
    from pipeline.status import read

    limit = None if max_age is None else seconds(max_age, "--max-age")
    found = read(settings(data_dir=data_dir), instant(now), runs)
    if as_json:
        show_json(_for_programs(found))
    else:
        _show(found)
    for problem in found.problems:
        note(printable(problem))
    if limit is not None:
        _check_age(found, limit, max_age)


def _for_programs(status: "Status") -> dict[str, Any]:
    """Return what `--json` prints: the status, with an instant as text."""
    import msgspec

    values: dict[str, Any] = msgspec.to_builtins(status)
    if status.published is not None and status.published.data_as_of is not None:
        values["published"]["data_as_of"] = rfc3339(status.published.data_as_of)
    return values


def _check_age(status: "Status", limit: int, wanted: str | None) -> None:
    """Exit 1 if the published data are too old, and name the files that hold them back."""
    from pipeline.commands.outcome import print_unread

    if status.published is None:
        note("stale: nothing is published")
    elif status.age_seconds is None:
        note(f"stale: {_NOT_ALL}")
    elif status.age_seconds > limit:
        note(f"stale: the published data is {span(status.age_seconds)} old, more than {wanted}")
    elif status.age_seconds < -_AHEAD_SECONDS:
        ahead = span(-status.age_seconds)
        note(f"stale: the published data is {ahead} in the future: a clock is wrong, or was in a run")
    else:
        return
    if status.unread:
        print_unread(status.unread[:_UNREAD], len(status.unread))
    raise SystemExit(FAILED)


def _show(status: "Status") -> None:
    from pipeline.contract.text import printable
    from pipeline.status import first_step

    published = status.published
    if published is None:
        show(first_step(status) or "")
    else:
        commit = f"sequence {published.sequence:,}, run {published.run}, tzdata {published.zone_data}"
        show(f"published: {_shown_age(status)}; {commit}")
    if status.waiting is None:
        show("waiting: unknown")
    else:
        show(f"waiting: {status.waiting.files:,} raw files, about {status.waiting.bytes:,} bytes")
    for line in _unread(status):
        show(line)
    show(f"ignored: {'unknown' if status.ignored is None else printable(status.ignored.described)}")
    reason = status.validation.reason
    how = "compiled" if reason is None else f"not compiled, hence slower: {printable(reason)}"
    show(f"validation: {how}")
    if status.runs:
        show("\nlast runs")
        for line in _runs(status.runs):
            show(line)
    show("\nsettings")
    for name, value in status.settings.items():
        show(f"{name}={str(value).lower() if isinstance(value, bool) else value}")


def _shown_age(status: "Status") -> str:
    if status.published is None or status.age_seconds is None:
        return _NOT_ALL
    past = status.age_seconds >= 0
    age = f"{span(status.age_seconds)} old" if past else f"{span(-status.age_seconds)} in the future"
    return f"data as of {status.published.as_of}, {age}"


def _unread(status: "Status") -> "Iterator[str]":
    """Yield a line for each raw file that could not be read to its end, those that hold the data back first."""
    from pipeline.commands.outcome import WHAT_TO_DO
    from pipeline.contract.text import printable

    if status.unread:
        yield f"unread: {len(status.unread):,} {WHAT_TO_DO}"
    for failure in status.unread:
        yield f"  {printable(failure.file)}: {printable(failure.error)}"
    if status.accepted:
        yield f"accepted: {len(status.accepted):,} unread, until they change"
    for failure in status.accepted:
        yield f"  {printable(failure.file)}: {printable(failure.error)}"


def _runs(runs: "list[RunReport]") -> "Iterator[str]":
    """Yield a line of numbers for each run, and below it the times of its stages, its rejects and its errors."""
    from pipeline.contract.text import printable
    from pipeline.terminal import blocks, width

    numbers = ("files", "bytes", "lines", "accepted", "duplicates", "rejected", "blank", "partitions", "workspaces")
    rows = [
        (f"{run.started[:19]}Z", f"{sum(run.seconds.values()):,.2f}", *(f"{getattr(run, name):,}" for name in numbers))
        for run in runs
    ]
    headings, *shown = blocks([("started", "seconds", *numbers), *rows], "<" + ">" * (1 + len(numbers)), width())
    yield from headings
    for run, lines in zip(runs, shown, strict=True):
        yield from lines
        if run.seconds:
            stages = ", ".join(f"{name} {seconds:,.2f} s" for name, seconds in run.seconds.items())
            yield f"  stages: {printable(stages)}"
        if run.reasons:
            rejected = ", ".join(f"{lines:,} {reason}" for reason, lines in run.reasons.items())
            yield f"  rejected: {printable(rejected)}"
        for failure in run.errors[:_RUN_ERRORS]:
            yield f"  could not be read: {printable(f'{failure.file}: {failure.error}')}"
        if (more := max(run.unread, len(run.errors)) - _RUN_ERRORS) > 0:
            yield f"  could not be read: {more:,} more"
