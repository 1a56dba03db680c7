"""`usage run`: load what is new and publish it."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands import app
from pipeline.commands.options import DataDir, Now, instant, refuse, settings

_UNREADABLE = 4
_BUSY = 75  # EX_TEMPFAIL of sysexits.h: try again later


@app.command()
def run(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Raw files or folders to read instead of all of raw/.")
    ] = None,
    data_dir: DataDir = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that work at once, else USAGE_WORKERS.", show_default=False)
    ] = None,
    now: Now = None,
) -> None:
    """Load new raw logs, aggregate what they touch, publish it.

    Exit codes: 0 done; 4 done, but for raw files that could not be read; 75 another run is at work.
    """
    from pipeline import run as pipeline_run

    try:
        report = pipeline_run.run(
            settings(data_dir=data_dir, workers=workers),
            instant(now),
            paths or (),
            tell=lambda stage: typer.echo(stage, err=True),
        )
    except pipeline_run.BusyError as error:
        typer.echo(f"{error}; try again when it is done", err=True)
        raise typer.Exit(_BUSY) from None
    except FileNotFoundError as error:
        refuse(f"{error.filename}: no such file")
    typer.echo(
        f"{report.lines:,} lines = {report.accepted:,} accepted + {report.duplicates:,} duplicates"
        f" + {report.rejected:,} rejected + {report.blank:,} blank, from {report.files:,} files"
        f" in {sum(report.seconds.values()):.2f} s;"
        f" {report.partitions:,} partitions of {report.workspaces:,} workspaces written;"
        f" data as of {report.data_as_of}"
    )
    for reason, lines in report.reasons.items():
        typer.echo(f"  rejected {lines:,} {reason}", err=True)
    for failure in report.errors:
        typer.echo(f"  {failure.file}: {failure.error}", err=True)
    if report.errors:
        raise typer.Exit(_UNREADABLE)
