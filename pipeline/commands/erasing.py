"""What `usage forget` and `usage retention` share: how tombstones are laid, and what goes, in words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from pipeline.commands.options import refuse
from pipeline.commands.outcome import failing
from pipeline.commands.signals import stoppable

if TYPE_CHECKING:
    from pipeline.contract.settings import Settings
    from pipeline.erasure.plan import Remains
    from pipeline.storage.tombstones import Tombstone


def withdraw(settings: "Settings", now: int, stones: Sequence["Tombstone"], *, apply: bool) -> None:
    """Lay tombstones, take away what stands of them, and say what that was; without `apply` only say it."""
    from pipeline.commands.progress import shown
    from pipeline.erasure import erase

    if not settings.data_dir.is_dir():
        refuse(f"{settings.data_dir}: no such folder")
    with stoppable() as stop, failing(), shown() as progress:
        remains = erase.withdraw(settings, now, stones, progress, stop.pause, dry=not apply)
    _show(remains)
    if not apply:
        typer.echo("nothing was changed; with --apply this goes, and does not come back", err=True)


def _show(remains: "Remains") -> None:
    from pipeline.terminal import aligned

    events, cube, actors = remains.events, remains.cube, remains.actors
    rows = [
        ("table", "rows that go", "files that go", "bytes", "files made anew"),
        (
            "events",
            f"{events.rows + remains.rows_again:,}",
            f"{events.files:,}",
            f"{events.bytes:,}",
            f"{events.anew:,}",
        ),
        ("cube", f"{cube.rows:,}", f"{cube.files:,}", f"{cube.bytes:,}", f"{cube.anew:,}"),
        ("actors", f"{actors.rows:,}", f"{actors.files:,}", f"{actors.bytes:,}", f"{actors.anew:,}"),
        ("quarantine", f"{remains.lines:,}", "", "", f"{len(remains.rejected):,}"),
        ("keys", f"{remains.keys:,}", "", "", ""),
    ]
    typer.echo("\n".join(line.rstrip() for line in aligned(rows, "<>>>>")))
