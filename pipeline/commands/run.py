"""`usage run`: load what is new and publish it."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands import app
from pipeline.commands.options import DataDir, Now, instant, refuse, settings

if TYPE_CHECKING:
    from pipeline.rebuilding import Rebuild

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

    Exit codes: 0 done; 4 done, but for raw files that could not be read; 75 another run is at work.
    """
    from pipeline import run as pipeline_run
    from pipeline.rebuilding import RawGoneError

    try:
        report = pipeline_run.run(
            settings(data_dir=data_dir, workers=workers),
            instant(now),
            paths or (),
            tell=lambda stage: typer.echo(stage, err=True),
            rebuild=_rebuild(rebuild, paths, workspace, since, accept_loss),
        )
    except pipeline_run.BusyError as error:
        typer.echo(f"{error}; try again when it is done", err=True)
        raise typer.Exit(_BUSY) from None
    except RawGoneError as error:
        refuse(f"{error}; bring them back, or add --accept-loss")
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
