"""`usage run --rebuild`: tables made anew from the raw files, nothing taken over from those that stand.

Says what is to be made anew, refuses where that would lose what the raw files no longer hold, and finds the files that
no row came out for. It works by whole UTC months of workspaces, as buckets do.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from pipeline.calendar import utc_day
from pipeline.state import Entry
from pipeline.store import Operation, Store
from pipeline.tables import Manifest, manifest_path


class RawGoneError(RuntimeError):
    """Raised when raw files that the tables were made from are gone, so that a rebuild would lose their events."""

    def __init__(self, files: list[str]) -> None:
        self.files = files
        more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
        super().__init__(f"{files[0]}{more}: read by an earlier run, but gone; a rebuild would lose their events")


class Rebuild(msgspec.Struct, frozen=True):
    """What is made anew: some workspaces or all (none named), from a UTC month `YYYY-MM` on or from the first."""

    workspaces: frozenset[str] = frozenset()
    since: str = ""
    accept_loss: bool = False

    @property
    def everything(self) -> bool:
        """Return whether nothing of the tables is kept."""
        return not self.workspaces and not self.since

    def covers(self, workspace_id: str, month: str) -> bool:
        """Return whether a month of a workspace is made anew."""
        return (not self.workspaces or workspace_id in self.workspaces) and month >= self.since

    def takes(self, workspace_id: str, timestamp: int) -> bool:
        """Return whether an event belongs to what is made anew."""
        if self.everything:
            return True
        return self.covers(workspace_id, utc_day(timestamp).isoformat()[:7])


def refuse_loss(rebuild: Rebuild, entries: Mapping[str, Entry], listed: Collection[str], raw: Path) -> None:
    """Refuse where raw files of the ledger are gone.

    Raises:
        RawGoneError: some are, and nobody said that their loss is accepted.
    """
    gone = sorted(name for name in entries.keys() - set(listed) if not (raw / name).exists())
    if gone and not rebuild.accept_loss:
        raise RawGoneError(gone)


def leftovers(store: Store, rebuild: Rebuild, made: Collection[str]) -> dict[str, list[Operation]]:
    """Return what takes away the events partitions that are covered but were not made, by workspace.

    A workspace whose manifest names covered months is among the keys even where there is nothing to take away.
    """
    found: dict[str, list[Operation]] = {}
    for path in sorted(store.path("events").glob("workspace_id=*/day=*/events.parquet")):
        workspace_id, day = (part.partition("=")[2] for part in path.parts[-3:-1])
        uri = f"events/{path.parts[-3]}/{path.parts[-2]}/{path.name}"
        if rebuild.covers(workspace_id, day[:7]) and uri not in made:
            found.setdefault(workspace_id, []).append(Operation("delete", uri))
    for path in sorted(store.path("manifests").glob("*.json")):
        content = store.read(manifest_path(path.stem))
        months = msgspec.json.decode(content, type=Manifest).months if content else {}
        if any(rebuild.covers(path.stem, month) for month in months):
            found.setdefault(path.stem, [])
    return found
