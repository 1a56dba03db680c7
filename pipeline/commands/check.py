"""`usage check`: recompute the published numbers from the events, and account for every raw line."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.as_json import show_json
from pipeline.commands.exit_codes import BUSY, FAILED
from pipeline.commands.options import (
    add_data_dir,
    add_json,
    add_now,
    add_workspaces,
    instant,
    refuse,
    settings,
    workspace_ids,
)
from pipeline.commands.parser import Parser, whole_number
from pipeline.streams import note, show

if TYPE_CHECKING:
    from pipeline.check.check import CheckReport


def options(parser: Parser) -> None:
    """Add the options of `usage check`."""
    add_workspaces(parser)
    parser.add_argument(
        "--days",
        type=whole_number(1),
        metavar="N",
        help="Check only this many UTC days, today included (default: all).",
    )
    add_data_dir(parser)
    add_json(parser)
    add_now(parser)


def command(*, workspaces: list[str], days: int | None, data_dir: str | None, as_json: bool, now: str | None) -> None:
    """Check every published number and raw line.

    Every published number is recomputed from the events and compared. Every raw line is accounted for. Without
    --workspace and --days, plain raw files are read too, and compared with what was read of them before.

    Exit codes: 0 all right; 1 something is wrong, or could not be checked; 2 wrong options; 75 a run is at work, or has
    replaced files of an object store before they were checked.
    """
    from pipeline.check import check as checking
    from pipeline.commands.progress import show_progress
    from pipeline.storage.lock import BusyError

    wanted = workspace_ids(workspaces)
    found = settings(data_dir=data_dir)
    if isinstance(found.data, Path) and not found.data.is_dir():
        refuse(f"{found.data}: no such folder")
    when = instant(now)
    try:
        with show_progress() as progress:
            report = checking.check(found, when, workspaces=wanted, days=days, progress=progress)
    except BusyError as error:
        note(f"{error}; try again when it is done")
        raise SystemExit(BUSY) from None
    except (OSError, RuntimeError) as error:
        note(f"error: {error}\nnot everything could be checked")
        raise SystemExit(FAILED) from None
    if as_json:
        show_json(report)
    else:
        _show(report)
    if not report.agrees:
        note("`usage run --rebuild` rebuilds tables that are wrong from the raw files")
        raise SystemExit(FAILED)
    if report.replaced:
        note("not everything could be checked; try again, with --days or --workspace if it takes long")
        raise SystemExit(BUSY)


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
        show(f"{name}: {what} agree" if not result.wrong else f"{name}: {what}: {result.wrong:,} {wrong}")
        for text in result.first:
            show(f"  {text}")
        if result.wrong > len(result.first):
            show(f"  and {result.wrong - len(result.first):,} more")
    _show_remarks(report)


def _show_remarks(report: "CheckReport") -> None:
    """Print what is no fault of the tables, but worth knowing."""
    from pipeline.commands.outcome import WHAT_TO_DO
    from pipeline.contract.text import printable

    if report.waiting.files:
        show(f"waiting: {report.waiting.files:,} raw files, about {report.waiting.bytes:,} bytes, for the next run")
    if report.unread:
        show(f"unread: {len(report.unread):,} {WHAT_TO_DO}")
    for failure in report.unread:
        show(f"  {printable(failure.file)}: {printable(failure.error)}")
    if report.moved.ids:
        show(f"warning: {report.moved.ids:,} ids occur on several UTC days, and count as separate events")
        for moved in report.moved.first:
            show(
                f"  workspace {moved.workspace_id}, id {moved.id!r}: {moved.rows:,} events"
                f" from {moved.first_day} to {moved.last_day}"
            )
    if report.replaced:
        show(f"replaced: {report.replaced:,} files, by runs, before they were checked")
    for problem in report.problems:
        show(f"problem: {printable(problem)}")
    for remark in report.notes:
        show(f"note: {remark}")
