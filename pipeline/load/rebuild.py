"""What `usage run --rebuild` rebuilds from the raw files, without using the stored tables.

Refuses a rebuild that would lose events that the raw files no longer have. A rebuild covers whole UTC months of
workspaces. Reads and writes nothing.
"""

from collections.abc import Collection

import msgspec

from pipeline.contract.tables import PUBLISHED


class RawGoneError(RuntimeError):
    """Raised when raw files that the tables were made from are gone or unreadable: their events would be lost."""

    def __init__(self, files: list[str]) -> None:
        self.files = files
        more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
        super().__init__(
            f"{files[0]}{more}: read before, but gone or unreadable now; a rebuild would lose their events"
        )


class Rebuild(msgspec.Struct, frozen=True):
    """What is rebuilt: some workspaces, or all if none is named, and all their UTC months `YYYY-MM` or some.

    Attributes:
        workspaces: all if none is named.
        since: the first month; empty for the first that there is.
        accept_loss: whether events of missing raw files may be lost.
        until: the last month; empty for the last that there is.
    """

    workspaces: frozenset[str] = frozenset()
    since: str = ""
    accept_loss: bool = False
    until: str = ""

    @property
    def everything(self) -> bool:
        """Return whether all tables are rebuilt."""
        return not self.workspaces and not self.since and not self.until

    def covers(self, workspace_id: str, month: str) -> bool:
        """Return whether a month of a workspace is rebuilt."""
        return self.names(workspace_id) and self.since <= month <= (self.until or month)

    def covers_all(self, workspace_id: str) -> bool:
        """Return whether all months of a workspace are rebuilt."""
        return self.names(workspace_id) and not self.since and not self.until

    def names(self, workspace_id: str) -> bool:
        """Return whether months of a workspace may be rebuilt."""
        return not self.workspaces or workspace_id in self.workspaces


def remedy(uri: str) -> str:
    """Return, for people, what mends a published file that is damaged or missing: the least that does."""
    _, _, rest = uri.partition("workspace_id=")
    workspace_id, _, partition = rest.partition("/")
    if uri.startswith("manifests/"):
        workspace_id = uri.removeprefix("manifests/").removesuffix(".json")
        return f"`usage run --rebuild --workspace {workspace_id}` rebuilds it"
    if partition:
        month = partition.partition("=")[2][:7]
        return f"`usage run --rebuild --workspace {workspace_id} --since {month} --until {month}` rebuilds it"
    if uri == PUBLISHED:
        return "remove it, and the next run writes it again"
    if uri.startswith("runs/"):
        return "restore it from a backup, or remove it, which loses only history, and `usage run --rebuild`"
    return "`usage run --rebuild` rebuilds it"


def refuse_loss(rebuild: Rebuild, missing: Collection[str]) -> None:
    """Check that every raw file that the tables were made from can be read again.

    Raises:
        RawGoneError: some cannot, and the rebuild does not accept the loss.
    """
    if missing and not rebuild.accept_loss:
        raise RawGoneError(sorted(missing))
