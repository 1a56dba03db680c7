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
    from rich.console import Console
    from rich.table import Table

    from pipeline.calendar import rfc3339

    console = Console(highlight=False)
    if status.published is None or status.age_seconds is None:
        console.print("nothing is published yet: put logs into raw/ and run `usage run`")
    else:
        as_of = rfc3339(status.published.data_as_of)
        console.print(
            f"published: run {status.published.sequence:,}, data as of {as_of}, {status.age_seconds:,.0f} s old,"
            f" zones of tzdata {status.published.zone_data}"
        )
    console.print(f"waiting: {status.waiting.files:,} raw files, about {status.waiting.bytes:,} bytes")
    if status.runs:
        table = Table(
            "started", "files", "lines", "accepted", "duplicates", "rejected", "blank", "partitions", "seconds"
        )
        for run in status.runs:
            numbers = (run.files, run.lines, run.accepted, run.duplicates, run.rejected, run.blank, run.partitions)
            table.add_row(run.started, *(f"{number:,}" for number in numbers), f"{sum(run.seconds.values()):.2f}")
        console.print(table)
    for name, value in status.settings.items():
        console.print(f"{name}={value}")
