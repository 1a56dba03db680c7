"""`usage tz-diff`: show which days move between two releases of the zone data, and whose numbers change.

Reads two releases of `tzdata`, the manifests and the cube; writes to stdout.
"""

import heapq
import json
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from pipeline.commands.options import add_data_dir, add_json, add_now, instant, refuse, settings
from pipeline.commands.parser import Parser
from pipeline.contract.calendar import FIRST_DAY, SECOND_US, rfc3339, utc_day
from pipeline.streams import note, show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.tz_diff.changes import Change, Changes
    from pipeline.tz_diff.effects import Effect

_DIFFERENT: Final = 1
_TROUBLE: Final = 2
# Governments hardly ever announce a clock change further ahead than this, so later days rarely move on their own.
_AHEAD: Final = timedelta(days=731)
_SHOWN: Final = 10  # workspaces, or runs of days, that are printed for each change
_MINUTE_US: Final = 60 * SECOND_US


def options(parser: Parser) -> None:
    """Add the options of `usage tz-diff`."""
    parser.add_argument(
        "old", metavar="OLD", help="`installed`, a tzdata wheel, its folder, or the version of a wheel."
    )
    parser.add_argument("new", metavar="NEW", help="Likewise.")
    parser.add_argument(
        "--zone",
        dest="zones",
        action="append",
        default=[],
        metavar="ZONE",
        help="A zone to compare; repeat for more (default: all).",
    )
    parser.add_argument("--since", metavar="DAY", help=f"First local day to compare (default: {FIRST_DAY}).")
    add_data_dir(parser)
    add_json(parser, "Print one JSON object per line.")
    add_now(parser)


def command(
    *,
    old: str,
    new: str,
    zones: list[str],
    since: str | None,
    data_dir: str | None,
    as_json: bool,
    now: str | None,
) -> None:
    """Show which local days move in another release of the zone data, and whose numbers change.

    Days are compared until two years from now. Nobody's zone is stored, so a workspace is listed if it has numbers in
    the quarter-hours that move to another day, whichever zone it is read in.

    Exit codes: 0 no difference; 1 days move, or zones are added or removed; 2 wrong usage, or a file cannot be read.
    """
    from pipeline.contract.calendar import OffGridError
    from pipeline.contract.zones import ReleaseError
    from pipeline.storage.engine import EngineError
    from pipeline.storage.opened import open_store
    from pipeline.storage.store import DamagedError
    from pipeline.tz_diff.changes import compare
    from pipeline.tz_diff.effects import effects
    from pipeline.tz_diff.releases import find_release

    last = utc_day(instant(now)) + _AHEAD
    first = _day(since, last)
    try:
        before, after = find_release(old), find_release(new)
        unknown = [name for name in zones if name not in before.names | after.names]
        if unknown:
            refuse(f"not a zone of either release: {', '.join(unknown)}")
        changes = compare(before, after, first, last, zones)
    except ReleaseError as error:
        refuse(str(error))
    except OffGridError as error:
        note(f"error: {error}: the cube cannot be cut there")
        raise SystemExit(_TROUBLE) from None
    try:
        with open_store(settings(data_dir=data_dir)) as store:
            found = effects(store, changes.moved) if changes.moved else iter(())
            head = {"old": before.version, "new": after.version, "first_day": str(first), "last_day": str(last)}
            if as_json:
                for line in _lines(head, changes, found):
                    show(line)
            else:
                _show(head, changes, found)
    except (DamagedError, EngineError) as error:
        note(f"error: {error}\nnot all workspaces could be examined")
        raise SystemExit(_TROUBLE) from None
    if changes.moved or changes.added or changes.removed:
        raise SystemExit(_DIFFERENT)


def _day(since: str | None, last: date) -> date:
    """Return the first local day to compare; exit 2 if the text is not a day in range."""
    if since is None:
        return FIRST_DAY
    try:
        day = date.fromisoformat(since) if re.fullmatch(r"\d{4}-\d\d-\d\d", since, re.ASCII) else None
    except ValueError:
        day = None
    if day is None or not FIRST_DAY <= day <= last:
        refuse(f"--since must be a day from {FIRST_DAY} to {last}, not {since!r}")
    return day


def _lines(head: dict[str, Any], changes: "Changes", found: "Iterable[Effect]") -> "Iterator[str]":
    """Yield JSON lines: the releases with added and removed names, then each change, then each affected workspace."""
    from pipeline.tz_diff.changes import ranges

    relinked = {name: {"old": before, "new": after} for name, (before, after) in changes.relinked.items()}
    yield json.dumps(head | {"added": changes.added, "removed": changes.removed, "relinked": relinked})
    for change in changes.moved:
        runs = [
            {
                "first_day": run.first.day.isoformat(),
                "last_day": run.last.day.isoformat(),
                "days": run.days,
                "seconds_later": (run.first.new - run.first.old) // SECOND_US,
                "first_start": {"old": rfc3339(run.first.old), "new": rfc3339(run.first.new)},
            }
            for run in ranges(change.moved)
        ]
        yield json.dumps({"zones": change.zones, "days": len(change.moved), "runs": runs})
    for effect in found:
        yield json.dumps(
            {
                "zone": changes.moved[effect.change].zones[0],
                "workspace_id": effect.workspace_id,
                "credits": effect.credits,
                "days": effect.days,
            }
        )


def _show(head: dict[str, Any], changes: "Changes", found: "Iterable[Effect]") -> None:
    """Print the differences for people."""
    show(f"tzdata {head['old']} and {head['new']}, local days {head['first_day']} to {head['last_day']}")
    for what, names in (("added", changes.added), ("removed", changes.removed)):
        if names:
            show(f"{what}: {', '.join(names)}")
    for name, targets in changes.relinked.items():
        before, after = (f"a link to {target}" if target else "a zone of its own" for target in targets)
        show(f"{name}: {before}, now {after}")
    if not changes.moved:
        show("no day moves")
        return
    effects = [_EffectTotals() for _ in changes.moved]
    for effect in found:
        effects[effect.change].add(effect)
    for change, totals in zip(changes.moved, effects, strict=True):
        _show_change(change, totals)


class _EffectTotals:
    """The effects of one change on all workspaces, and the workspaces with the most moved credits."""

    def __init__(self) -> None:
        self.workspaces = self.credits = 0
        self.most: list[Effect] = []

    def add(self, effect: "Effect") -> None:
        self.workspaces += 1
        self.credits += effect.credits
        self.most = heapq.nlargest(_SHOWN, [*self.most, effect], key=lambda one: one.credits)


def _show_change(change: "Change", totals: _EffectTotals) -> None:
    from pipeline.terminal import table
    from pipeline.tz_diff.changes import ranges

    days = len(change.moved)
    show(f"\n{', '.join(change.zones)}: {days:,} {'day moves' if days == 1 else 'days move'}")
    runs = list(ranges(change.moved))
    rows = [
        (
            run.first.day.isoformat(),
            run.last.day.isoformat(),
            f"{run.days:,}",
            _shift(run.first.new - run.first.old),
            rfc3339(run.first.old),
            rfc3339(run.first.new),
        )
        for run in runs[-_SHOWN:]
    ]
    if len(runs) > _SHOWN:
        show(f"  the last {_SHOWN} of {len(runs):,} runs of days; --json lists all")
    show("\n".join(table([("from", "to", "days", "starts", "first start, old", "new"), *rows], "<<><<<", "  ")))
    if not totals.workspaces:
        show("  no workspace has numbers there")
        return
    show(
        f"  workspaces with numbers there: {totals.workspaces:,}; credits that move to another day: {totals.credits:,}"
    )
    most = [
        (effect.workspace_id, f"{effect.credits:,}", f"{len(effect.days):,}", min(effect.days), max(effect.days))
        for effect in totals.most
    ]
    show("\n".join(table([("workspace", "credits", "days", "first", "last"), *most], "<>><<", "  ")))
    if totals.workspaces > _SHOWN:
        show(f"  and {totals.workspaces - _SHOWN:,} more; --json lists all")


def _shift(later_us: int) -> str:
    """Return how much later or earlier a day starts, e.g. `1 h later`."""
    minutes = abs(later_us) // _MINUTE_US
    size = f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
    return f"{size} {'later' if later_us > 0 else 'earlier'}"
