"""What `usage forget` and `usage retention` share: they add tombstones, erase what these cover, and print how much."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.options import refuse
from pipeline.commands.outcome import reporting_failures
from pipeline.commands.signals import stoppable
from pipeline.streams import note, show

if TYPE_CHECKING:
    from pipeline.contract.settings import Settings
    from pipeline.erasure.plan import ErasurePlan
    from pipeline.storage.tombstones import Tombstone


def erase(settings: "Settings", now: int, tombstones: Sequence["Tombstone"], *, apply: bool) -> "ErasurePlan":
    """Add tombstones, erase what they cover, print how much that is, and return it; without `apply` only print it."""
    from pipeline.commands.progress import show_progress
    from pipeline.erasure import erase

    if isinstance(settings.data, Path) and not settings.data.is_dir():
        refuse(f"{settings.data}: no such folder")
    with stoppable() as stop, reporting_failures(), show_progress() as progress:
        plan = erase.erase(settings, now, tombstones, progress, stop.pause, dry=not apply)
    _show(plan)
    for warning in plan.warnings:
        note(f"warning: {warning}")
    if not apply:
        note("nothing was changed; add --apply to erase this for good")
    return plan


def _show(plan: "ErasurePlan") -> None:
    from pipeline.terminal import aligned

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
    show("\n".join(line.rstrip() for line in aligned(rows, "<>>>>")))
