"""What `usage run --rebuild` rebuilds from the raw files, without using the stored tables.

Refuses a rebuild that would lose events that the raw files no longer have. A rebuild covers whole UTC months of
workspaces. Reads nothing but the names of the stored files.
"""

from collections.abc import Collection

import msgspec

from pipeline.storage import catalog
from pipeline.storage.store import Operation, Store


class RawGoneError(RuntimeError):
    """Raised when raw files that the tables were made from are gone or unreadable: their events would be lost."""

    def __init__(self, files: list[str]) -> None:
        self.files = files
        more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
        super().__init__(
            f"{files[0]}{more}: read before, but gone or unreadable now; a rebuild would lose their events"
        )


class Rebuild(msgspec.Struct, frozen=True):
    """What is rebuilt: some workspaces, or all if none is named; from a UTC month `YYYY-MM` on, or from the first."""

    workspaces: frozenset[str] = frozenset()
    since: str = ""
    accept_loss: bool = False

    @property
    def everything(self) -> bool:
        """Return whether all tables are rebuilt."""
        return not self.workspaces and not self.since

    def covers(self, workspace_id: str, month: str) -> bool:
        """Return whether a month of a workspace is rebuilt."""
        return self.names(workspace_id) and month >= self.since

    def names(self, workspace_id: str) -> bool:
        """Return whether months of a workspace may be rebuilt."""
        return not self.workspaces or workspace_id in self.workspaces


def refuse_loss(rebuild: Rebuild, missing: Collection[str]) -> None:
    """Check that every raw file that the tables were made from can be read again.

    Raises:
        RawGoneError: some cannot, and the rebuild does not accept the loss.
    """
    if missing and not rebuild.accept_loss:
        raise RawGoneError(sorted(missing))


def leftovers(store: Store, rebuild: Rebuild, mentioned: Collection[str]) -> list[Operation]:
    """Return the deletes of all files that the rebuild covers, except those that the commit mentions already."""
    found = []
    for table in catalog.TABLES:
        for uri in catalog.files(store, table):
            workspace_id, partition = (folder.partition("=")[2] for folder in uri.split("/")[1:3])
            if uri.endswith(".parquet") and rebuild.covers(workspace_id, partition[:7]) and uri not in mentioned:
                found.append(Operation("delete", uri))
    if rebuild.everything:
        found += [Operation("delete", uri) for uri in catalog.quarantine_files(store) if uri not in mentioned]
    return found
