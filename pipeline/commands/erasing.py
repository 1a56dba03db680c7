"""What `usage forget` and `usage retention` share: they add tombstones, erase what these cover, and print how much."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.commands.as_json import show_json
from pipeline.commands.options import add_data_dir, add_json, add_now, refuse
from pipeline.commands.outcome import reporting_failures
from pipeline.commands.parser import Parser
from pipeline.commands.signals import stoppable
from pipeline.streams import note, show

if TYPE_CHECKING:
    from pipeline.contract.settings import Settings
    from pipeline.erasure.plan import ErasurePlan
    from pipeline.storage.tombstones import Tombstone


def add_options(parser: Parser) -> None:
    """Add the options of both commands."""
    parser.add_argument("--apply", action="store_true", help="Erase the data; without it, only print how much.")
    add_json(parser)
    add_data_dir(parser)
    add_now(parser)


def erase(
    settings: "Settings",
    now: int,
    tombstones: Sequence["Tombstone"],
    *,
    apply: bool,
    as_json: bool,
    asked: dict[str, Any],
    warnings: Sequence[str] = (),
) -> "ErasurePlan":
    """Add tombstones, erase what they cover, print how much that is, and return it; without `apply` only print it.

    Args:
        settings: where the data folder is.
        now: the time of the command, in microseconds UTC.
        tombstones: what is to be erased.
        apply: whether to change anything.
        as_json: print one JSON object.
        asked: what that object says of what is to be erased.
        warnings: what the caller warns of.
    """
    from pipeline.commands.progress import show_progress
    from pipeline.erasure import erase

    if isinstance(settings.data, Path) and not settings.data.is_dir():
        refuse(f"{settings.data}: no such folder")
    with stoppable() as stop, reporting_failures(), show_progress() as progress:
        plan = erase.erase(settings, now, tombstones, progress, stop.pause, dry=not apply)
    if as_json:
        show_json({"applied": apply, **asked, **_numbers(plan), "warnings": [*warnings, *plan.warnings]})
    else:
        _show(plan)
    for warning in (*warnings, *plan.warnings):
        note(f"warning: {warning}")
    if not apply:
        note("nothing was changed; add --apply to erase this for good")
    return plan


def _numbers(plan: "ErasurePlan") -> dict[str, Any]:
    """Return how much is erased, for `--json`."""
    import msgspec

    tables = {name: msgspec.to_builtins(getattr(plan, name)) for name in ("events", "cube", "actors")}
    tables["events"]["rows"] += plan.rerun_events
    return {
        **tables,
        "quarantine": {"rows": plan.lines, "rewritten": len(plan.rejected)},
        "keys": plan.keys,
        "places": plan.places,
    }


def _show(plan: "ErasurePlan") -> None:
    from pipeline.terminal import table

    events, cube, actors = plan.events, plan.cube, plan.actors
    rows = [
        ("table", "rows erased", "files deleted", "bytes deleted", "files rewritten"),
        (
            "events",
            f"{events.rows + plan.rerun_events:,}",
            f"{events.files:,}",
            f"{events.bytes:,}",
            f"{events.rewritten:,}",
        ),
        ("cube", f"{cube.rows:,}", f"{cube.files:,}", f"{cube.bytes:,}", f"{cube.rewritten:,}"),
        ("actors", f"{actors.rows:,}", f"{actors.files:,}", f"{actors.bytes:,}", f"{actors.rewritten:,}"),
        ("quarantine", f"{plan.lines:,}", "", "", f"{len(plan.rejected):,}"),
        ("keys", f"{plan.keys:,}", "", "", ""),
    ]
    show("\n".join(table(rows, "<>>>>")))
