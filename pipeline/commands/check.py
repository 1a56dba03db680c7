"""`usage check`: recompute the published numbers from the events, and account for every raw line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.app import app
from pipeline.commands.exit_codes import BUSY, FAILED
from pipeline.commands.options import DataDir, Now, instant, refuse, settings

if TYPE_CHECKING:
    from pipeline.check.check import CheckReport


@app.command()
def check(
    workspace: Annotated[
        list[str] | None, typer.Option(help="UUID of a workspace; repeat for more.", show_default="all")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, help="Check only this many UTC days, today included.", show_default="all")
    ] = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
    now: Now = None,
) -> None:
    """Check every published number and raw line.

    Every published number is recomputed from the events and compared. Every raw line is accounted for. Without
    --workspace and --days, plain raw files are read too, and compared with what was read of them before.

    Exit codes: 0 all right; 1 something is wrong, or could not be checked; 2 wrong options; 75 a run is at work, or has
    replaced files of an object store before they were checked.
    """
    import msgspec

    from pipeline.check import check as checking
    from pipeline.commands.progress import show_progress
    from pipeline.contract import formats
    from pipeline.storage.lock import BusyError

    try:
        workspaces = [formats.uuid(text) for text in workspace or ()]
    except formats.FormatError as error:
        refuse(f"--workspace must be a UUID, not {str(error)!r}")
    found = settings(data_dir=data_dir)
    if isinstance(found.data, Path) and not found.data.is_dir():
        refuse(f"{found.data}: no such folder")
    when = instant(now)
    try:
        with show_progress() as progress:
            report = checking.check(found, when, workspaces=workspaces, days=days, progress=progress)
    except BusyError as error:
        typer.echo(f"{error}; try again when it is done", err=True)
        raise typer.Exit(BUSY) from None
    except (OSError, RuntimeError) as error:
        typer.echo(f"error: {error}\nnot everything could be checked", err=True)
        raise typer.Exit(FAILED) from None
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(report)))
    else:
        _show(report)
    if not report.agrees:
        typer.echo("`usage run --rebuild` rebuilds tables that are wrong from the raw files", err=True)
        raise typer.Exit(FAILED)
    if report.replaced:
        typer.echo("not everything could be checked; try again, with --days or --workspace if it takes long", err=True)
        raise typer.Exit(BUSY)


def _show(report: "CheckReport") -> None:
    """Print a line for each table, and below it the first of its faults."""
    events, manifests, cube, actors = report.events, report.manifests, report.cube, report.actors
    quarantine, ledger, runs = report.quarantine, report.ledger, report.runs
    looked_at = {
        "events": (
            f"{events.rows:,} rows in {events.files:,} partitions of {events.workspaces:,} workspaces",
            "faults",
        ),
        "manifests": (f"{manifests.files:,} files of {manifests.workspaces:,} workspaces", "faults"),
        "cube": (f"{cube.rows:,} rows of {cube.workspaces:,} workspaces", "numbers differ"),
        "actors": (f"{actors.rows:,} rows of {actors.workspaces:,} workspaces", "numbers differ"),
        "quarantine": (f"{quarantine.rows:,} rows in {quarantine.files:,} files", "faults"),
        "ledger": (f"{ledger.rows:,} lines of {ledger.files:,} raw files", "faults"),
        "runs": (f"{runs.rows:,} lines of {runs.files:,} runs", "faults"),
    }
    for name, result in report.results().items():
        what, wrong = looked_at[name]
        typer.echo(f"{name}: {what} agree" if not result.wrong else f"{name}: {what}: {result.wrong:,} {wrong}")
        for text in result.first:
            typer.echo(f"  {text}")
        if result.wrong > len(result.first):
            typer.echo(f"  and {result.wrong - len(result.first):,} more")
    _show_remarks(report)


def _show_remarks(report: "CheckReport") -> None:
    """Print what is no fault of the tables, but worth knowing."""
    from pipeline.commands.outcome import WHAT_TO_DO
    from pipeline.contract.text import printable

    if report.waiting.files:
        typer.echo(
            f"waiting: {report.waiting.files:,} raw files, about {report.waiting.bytes:,} bytes, for the next run"
        )
    if report.unread:
        typer.echo(f"unread: {len(report.unread):,} {WHAT_TO_DO}")
    for failure in report.unread:
        typer.echo(f"  {printable(failure.file)}: {printable(failure.error)}")
    if report.moved.ids:
        typer.echo(f"warning: {report.moved.ids:,} ids occur on several UTC days, and count as separate events")
        for moved in report.moved.first:
            typer.echo(
                f"  workspace {moved.workspace_id}, id {moved.id!r}: {moved.rows:,} events"
                f" from {moved.first_day} to {moved.last_day}"
            )
    if report.replaced:
        typer.echo(f"replaced: {report.replaced:,} files, by runs, before they were checked")
    for problem in report.problems:
        typer.echo(f"problem: {printable(problem)}")
    for note in report.notes:
        typer.echo(f"note: {note}")
