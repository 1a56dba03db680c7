"""`usage status`: what stands, what waits, the last runs, the settings in force."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands import app
from pipeline.commands.options import DataDir, Now, instant, settings

if TYPE_CHECKING:
    from pipeline.status import Status


@app.command()
def status(
    data_dir: DataDir = None,
    runs: Annotated[int, typer.Option(min=0, help="How many of the last runs to show.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    now: Now = None,
) -> None:
    """Show what stands and how old it is, what waits in raw/, the last runs and the settings in force."""
    import msgspec

    from pipeline.status import read

    found = read(settings(data_dir=data_dir), instant(now), runs)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        _show(found)


def _show(status: "Status") -> None:
    from pipeline.calendar import rfc3339

    if status.published is None or status.age_seconds is None:
        typer.echo("nothing is published yet: put logs into raw/ and run `usage run`")
    else:
        as_of = rfc3339(status.published.data_as_of)
        typer.echo(
            f"published: data as of {as_of}, {status.age_seconds:,.0f} s old, tzdata {status.published.zone_data}"
        )
    typer.echo(f"waiting: {status.waiting.files:,} raw files, about {status.waiting.bytes:,} bytes")
    if status.runs:
        headings = ("lines", "accepted", "duplicates", "rejected", "blank", "seconds")
        typer.echo(f"{'last runs':20}" + "".join(f"{heading:>12}" for heading in headings))
    for run in status.runs:
        numbers = (run.lines, run.accepted, run.duplicates, run.rejected, run.blank)
        seconds = sum(run.seconds.values())
        typer.echo(f"{run.started[:19]}Z" + "".join(f"{number:12,}" for number in numbers) + f"{seconds:12.2f}")
    for name, value in status.settings.items():
        typer.echo(f"{name}={value}")
