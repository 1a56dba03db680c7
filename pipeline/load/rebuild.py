"""`usage run --rebuild`: tables made anew from the raw files, nothing taken over from those that stand.

Says what is to be made anew, refuses where that would lose what the raw files no longer hold, and finds the files that
no row came out for. It works by whole UTC months of workspaces.
"""

from collections.abc import Collection

import msgspec

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
        return self.names(workspace_id) and month >= self.since

    def names(self, workspace_id: str) -> bool:
        """Return whether months of a workspace may be made anew."""
        return not self.workspaces or workspace_id in self.workspaces


def refuse_loss(rebuild: Rebuild, missing: Collection[str]) -> None:
    """Refuse where raw files that the tables were made from cannot be read again.

    Raises:
        RawGoneError: there are such files, and nobody said that their loss is accepted.
    """
    if missing and not rebuild.accept_loss:
        raise RawGoneError(sorted(missing))


def known(store: Store) -> list[str]:
    """Return the workspaces that have a manifest."""
    return [path.stem for path in store.path("manifests").glob("*.json")]


def leftovers(store: Store, rebuild: Rebuild, mentioned: Collection[str]) -> list[Operation]:
    """Return what takes away the files of the tables that are covered, but not mentioned in what the commit does."""
    found = []
    for pattern in ("events/*/*/*.parquet", "cube/*/*/*.parquet", "actors/*/*/*.parquet"):
        for path in sorted(store.root.glob(pattern)):
            uri = path.relative_to(store.root).as_posix()
            workspace_id, partition = (folder.partition("=")[2] for folder in path.parts[-3:-1])
            if rebuild.covers(workspace_id, partition[:7]) and uri not in mentioned:
                found.append(Operation("delete", uri))
    if rebuild.everything:
        uris = (f"quarantine/{path.name}" for path in sorted(store.path("quarantine").glob("*.parquet")))
        found += [Operation("delete", uri) for uri in uris if uri not in mentioned]
    return found
