"""What the commands that load share: signals, progress, the report in words, exit codes."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from pipeline.commands.options import refuse

if TYPE_CHECKING:
    from pipeline.accounting import RunReport
    from pipeline.settings import Settings

_FAILED = 1
_REJECTED = 3
_UNREADABLE = 4
_BUSY = 75  # EX_TEMPFAIL of sysexits.h: try again later
_SIGNALLED = 128  # plus the signal's number, as shells have it


class _StoppedError(Exception):
    """Raised at a safe point after a signal asked the run to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def load(settings: "Settings", now: int, *, strict: bool = False, **what: Any) -> None:
    """Run the pipeline and say what came of it.

    Args:
        settings: name the data folder.
        now: when the run starts, in microseconds UTC.
        strict: whether rejected lines are a failure.
        what: as `pipeline.run.run` takes it.
    """
    import sqlite3

    from pipeline import run as pipeline_run
    from pipeline.commands.progress import shown
    from pipeline.listing import PathError
    from pipeline.rebuilding import RawGoneError

    try:
        with _stoppable() as pause, shown() as progress:
            report = pipeline_run.run(settings, now, progress=progress, pause=pause, **what)
    except pipeline_run.BusyError as error:
        typer.echo(f"{error}; try again when it is done", err=True)
        raise typer.Exit(_BUSY) from None
    except RawGoneError as error:
        refuse(f"{error}; bring them back, or add --accept-loss")
    except PathError as error:
        refuse(str(error))
    except _StoppedError as stopped:
        typer.echo("stopped; what was not published is for the next run", err=True)
        raise typer.Exit(_SIGNALLED + stopped.number) from None
    except (OSError, RuntimeError, sqlite3.Error) as error:
        if isinstance(error, FileNotFoundError) and error.filename in map(str, what.get("paths", ())):
            refuse(f"{error.filename}: no such file")
        where = "state.sqlite: " if isinstance(error, sqlite3.Error) else ""
        typer.echo(f"error: {where}{error}", err=True)
        typer.echo("what was not published is for the next run; a damaged file is mended by --rebuild", err=True)
        raise typer.Exit(_FAILED) from None
    _say(report)
    _refresh_views(settings)
    if report.errors:
        raise typer.Exit(_UNREADABLE)
    if strict and report.rejected:
        raise typer.Exit(_REJECTED)


def _refresh_views(settings: "Settings") -> None:
    """See to it that `usage.duckdb` fits; the tables are published, and without it they are just as good."""
    from pipeline.analysis import database

    try:
        database.refresh(settings.data_dir.absolute())
    except OSError as error:
        typer.echo(f"warning: {database.DATABASE} could not be written, the tables are all right: {error}", err=True)


@contextmanager
def _stoppable() -> Iterator[Callable[[], None]]:
    """Remember SIGTERM and SIGINT until the run can be stopped; a commit under way is finished first."""
    asked: list[int] = []

    def pause() -> None:
        if asked:
            raise _StoppedError(asked[0])

    before = {
        number: signal.signal(number, lambda number, _: asked.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield pause
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(report: "RunReport") -> None:
    typer.echo(
        f"{report.lines:,} lines = {report.accepted:,} accepted + {report.duplicates:,} duplicates"
        f" + {report.rejected:,} rejected + {report.blank:,} blank, from {report.files:,} files"
        f" in {sum(report.seconds.values()):.2f} s;"
        f" {report.partitions:,} partitions of {report.workspaces:,} workspaces written;"
        f" data as of {report.data_as_of or 'no time, for no run has read all of raw/ yet'}"
    )
    for reason, lines in report.reasons.items():
        typer.echo(f"  rejected {lines:,} {reason}", err=True)
    if report.errors:
        from pipeline.commands.columns import printable

        for failure in report.errors:
            typer.echo(f"  {printable(failure.file)}: {printable(failure.error)}", err=True)
