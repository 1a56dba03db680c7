"""`usage run`: load what is new and publish it."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands import app
from pipeline.commands.options import DataDir, Now, instant, refuse, settings
from pipeline.progress import Progress

if TYPE_CHECKING:
    from pipeline.rebuilding import Rebuild

_REJECTED = 3
_UNREADABLE = 4
_BUSY = 75  # EX_TEMPFAIL of sysexits.h: try again later
_SIGNALLED = 128  # plus the signal's number, as shells have it


class _StoppedError(Exception):
    """Raised at a safe point after a signal asked the run to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


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


class _Lines(Progress):
    """Says a line for each stage."""

    def begin(self, stage: str, what: str, total: int = 0, unit: str = "") -> None:  # noqa: ARG002 - the interface
        """Say it."""
        typer.echo(what, err=True)


@app.command()
def run(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Raw files or folders to read instead of all of raw/.")
    ] = None,
    data_dir: DataDir = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that work at once, else USAGE_WORKERS.", show_default=False)
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 3 when lines were rejected.")] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the tables anew from all raw files, as if nothing stood.")
    ] = False,
    workspace: Annotated[
        list[str] | None, typer.Option(help="With --rebuild: only this workspace; repeat for more.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="With --rebuild: only from this UTC month on, such as 2026-10.")
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="With --rebuild: even when raw files that were read are gone.")
    ] = False,
    now: Now = None,
) -> None:
    """Load new raw logs, aggregate what they touch, publish it.

    Exit codes: 0 done; 1 failed, nothing published; 3 done, but lines were rejected (with --strict); 4 done, but for
    raw files that could not be read; 75 another run is at work; 130, 143 stopped by SIGINT, SIGTERM.
    """
    import duckdb

    from pipeline import run as pipeline_run
    from pipeline.rebuilding import RawGoneError

    found, start = settings(data_dir=data_dir, workers=workers), instant(now)
    anew = _rebuild(rebuild, paths, workspace, since, accept_loss)
    try:
        with _stoppable() as pause:
            report = pipeline_run.run(found, start, paths or (), _Lines(), rebuild=anew, pause=pause)
    except pipeline_run.BusyError as error:
        typer.echo(f"{error}; try again when it is done", err=True)
        raise typer.Exit(_BUSY) from None
    except RawGoneError as error:
        refuse(f"{error}; bring them back, or add --accept-loss")
    except FileNotFoundError as error:
        refuse(f"{error.filename}: no such file")
    except _StoppedError as stopped:
        typer.echo("stopped; what was not published is for the next run", err=True)
        raise typer.Exit(_SIGNALLED + stopped.number) from None
    except (OSError, RuntimeError, duckdb.Error) as error:
        typer.echo(f"error: {error}\nnothing was published; where a table's file is damaged, add --rebuild", err=True)
        raise typer.Exit(1) from None
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
    if strict and report.rejected:
        raise typer.Exit(_REJECTED)


def _rebuild(
    wanted: bool, paths: list[Path] | None, workspaces: list[str] | None, since: str | None, accept_loss: bool
) -> "Rebuild | None":
    """Return what is to be made anew; exit 2 where the options do not go together."""
    from pipeline import formats
    from pipeline.rebuilding import Rebuild

    if not wanted:
        if workspaces or since or accept_loss:
            refuse("--workspace, --since and --accept-loss go with --rebuild")
        return None
    if paths:
        refuse("--rebuild reads all raw files: name no PATH with it")
    if since and not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", since):
        refuse(f"--since must be a month such as 2026-10, not {since!r}")
    try:
        return Rebuild(frozenset(map(formats.uuid, workspaces or ())), since or "", accept_loss)
    except formats.FormatError as error:
        refuse(f"--workspace must be a UUID, not {str(error)!r}")
