"""What the commands that load or erase share: they show progress, report failures, and print a run's numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from pipeline.commands.exit_codes import BUSY, FAILED, REJECTED, UNREADABLE
from pipeline.commands.options import refuse
from pipeline.commands.signals import Stop, stoppable

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.contract.settings import Settings
    from pipeline.load.results import RunReport


def load(settings: "Settings", now: int, *, strict: bool = False, **what: Any) -> None:
    """Run the pipeline, print its numbers, and exit as documented.

    Args:
        settings: where the data folder is.
        now: when the run starts, in microseconds UTC.
        strict: exit 3 if lines were rejected.
        what: further arguments of `pipeline.run.run`.
    """
    with stoppable() as stop:
        run_once(settings, now, stop, strict=strict, **what)


def run_once(settings: "Settings", now: int, stop: Stop, *, strict: bool = False, **what: Any) -> None:
    """Do the same as `load`, with signals handled by the caller: `stop` ends the run at a safe point."""
    from pipeline import run as pipeline_run
    from pipeline.commands.progress import show_progress

    with reporting_failures(*what.get("paths", ())), show_progress() as progress:
        report = pipeline_run.run(settings, now, progress=progress, pause=stop.pause, **what)
    _print_report(report)
    _refresh_views(settings)
    if report.errors:
        raise typer.Exit(UNREADABLE)
    if strict and report.rejected:
        raise typer.Exit(REJECTED)


def _refresh_views(settings: "Settings") -> None:
    """Update `usage.duckdb` to the published tables; they are complete without it, so a failure is only a warning."""
    from pipeline.analysis import database

    try:
        database.refresh(settings.data_dir.absolute())
    except OSError as error:
        typer.echo(f"warning: {database.DATABASE} could not be written, but the tables are complete: {error}", err=True)


@contextmanager
def reporting_failures(*paths: "Path") -> Iterator[None]:
    """Print in one line why a command failed, and exit as documented; `paths` are those that the user named."""
    import sqlite3

    from pipeline.contract.directory import DirectoryError
    from pipeline.load.discovery import PathError
    from pipeline.load.rebuild import RawGoneError
    from pipeline.storage.lock import BusyError

    try:
        yield
    except BusyError as error:
        typer.echo(f"{error}; try again when it is done", err=True)
        raise typer.Exit(BUSY) from None
    except RawGoneError as error:
        refuse(f"{error}; restore them, or add --accept-loss")
    except PathError as error:
        refuse(str(error))
    except (OSError, RuntimeError, DirectoryError, sqlite3.Error) as error:
        if isinstance(error, FileNotFoundError) and error.filename in map(str, paths):
            refuse(f"{error.filename}: no such file")
        where = "state.sqlite: " if isinstance(error, sqlite3.Error) else ""
        typer.echo(f"error: {where}{error}", err=True)
        typer.echo("the next run does the rest; `usage run --rebuild` repairs damaged files", err=True)
        raise typer.Exit(FAILED) from None


def _print_report(report: "RunReport") -> None:
    typer.echo(
        f"{report.lines:,} lines = {report.accepted:,} accepted + {report.duplicates:,} duplicates"
        f" + {report.rejected:,} rejected + {report.blank:,} blank, from {report.files:,} files"
        f" in {sum(report.seconds.values()):.2f} s;"
        f" {report.partitions:,} partitions of {report.workspaces:,} workspaces written;"
        f" data as of {report.data_as_of or 'an unknown time: no run has read all of raw/ yet'}"
    )
    for reason, lines in report.reasons.items():
        typer.echo(f"  rejected {lines:,} {reason}", err=True)
    if report.errors:
        from pipeline.terminal import printable

        for failure in report.errors:
            typer.echo(f"  {printable(failure.file)}: {printable(failure.error)}", err=True)
