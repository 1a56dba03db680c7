"""`usage workspaces`: which workspaces there are, what they used, and which have gone silent."""

from typing import TYPE_CHECKING

from pipeline.commands.as_json import show_json
from pipeline.commands.durations import seconds, span
from pipeline.commands.exit_codes import FAILED
from pipeline.commands.interrupts import interruptible
from pipeline.commands.options import add_data_dir, add_json, add_now, instant, refuse, settings
from pipeline.commands.parser import Parser
from pipeline.contract.calendar import SECOND_US
from pipeline.streams import note, show

if TYPE_CHECKING:
    from pipeline.workspaces.listing import WorkspaceInfo


def options(parser: Parser) -> None:
    """Add the options of `usage workspaces`."""
    parser.add_argument(
        "--silent",
        metavar="AGE",
        help="List those without an event for so long, and exit 1 if there are: 90m, 24h, 7d.",
    )
    add_json(parser, "Print one JSON array, for programs.")
    add_data_dir(parser)
    add_now(parser)


def command(*, silent: str | None, as_json: bool, data_dir: str | None, now: str | None) -> None:
    """List the workspaces that have events or members.

    The credits and the lateness (from an event's timestamp to its recorded_at, of which half of the events and all but
    one in a hundred have less) are those of the last 30 UTC days, today included.

    Exit codes: 0 done; 1 with --silent, if a workspace that had events has had none for so long, or something cannot be
    read; 2 wrong options.
    """
    from pathlib import Path

    from pipeline.workspaces import listing

    found = settings(data_dir=data_dir)
    if isinstance(found.data, Path) and not found.data.is_dir():
        refuse(f"{found.data}: no such folder")
    limit = None if silent is None else seconds(silent, "--silent") * SECOND_US
    with interruptible():
        workspaces = listing.read(found, instant(now), limit)
    if as_json:
        show_json(workspaces)
    elif workspaces:
        _show(workspaces)
    else:
        note("no workspace is silent" if silent else "there is no workspace yet: neither an event nor a member")
    if silent and workspaces:
        note(f"{len(workspaces):,} workspaces have sent nothing for {silent}")
        raise SystemExit(FAILED)


def _show(workspaces: "list[WorkspaceInfo]") -> None:
    from pipeline.terminal import table

    rows = [
        (
            one.id,
            f"{one.members:,}",
            f"{one.events:,}",
            _day(one.first_event),
            _day(one.last_event),
            f"{one.credits_30d:,}",
            _span(one.lateness_p50_seconds),
            _span(one.lateness_p99_seconds),
            _span(one.silent_seconds),
        )
        for one in workspaces
    ]
    headings = ("workspace", "members", "events", "first", "last", "credits 30d", "late p50", "late p99", "silent for")
    show("\n".join(table([headings, *rows], "<>><<>>>>")))


def _day(moment: str | None) -> str:
    return "-" if moment is None else moment[:10]


def _span(duration: float | None) -> str:
    return "-" if duration is None else span(duration)
