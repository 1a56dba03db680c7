"""What a command wants to publish at once; the store's side decides by which operations, and in which order.

Defines data alone; reads and writes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from pipeline.contract.tables import Month, Published
from pipeline.storage.entries import Entry
from pipeline.storage.store import Operation
from pipeline.storage.tombstones import Tombstones
from pipeline.storage.unread import Unread


class Extent(Protocol):
    """Which UTC months `YYYY-MM` of which workspaces are rebuilt, as if none of their files were stored."""

    @property
    def everything(self) -> bool:
        """Return whether all tables are rebuilt, and the quarantine with them."""

    def names(self, workspace_id: str) -> bool:
        """Return whether months of a workspace may be rebuilt."""

    def covers(self, workspace_id: str, month: str) -> bool:
        """Return whether a month of a workspace is rebuilt."""

    def covers_all(self, workspace_id: str) -> bool:
        """Return whether all months of a workspace are rebuilt."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """The content of one commit: either all of it is published, or none.

    Attributes:
        run: the id of the run.
        staging: the folder of staged files, to which the commit adds its own.
        published: the new content of `published.json`.
        record: what the run did: a line with its newline, which is added to the records of its day.
        record_uri: the path of the records of that day.
        tables: operations on files of events, cube and actors, by workspace. Workspaces whose months change are among
            the keys, even without operations.
        months: the months that were written, or that have no events any more (None), by workspace. All others stay,
            unless they are rebuilt.
        others: operations on other files, such as those of the quarantine.
        orphans: deletes of files that nothing names.
        rebuilt: what is rebuilt: files of these months that are not written now are deleted. None: nothing is.
        force: whether to delete orphans of the workspaces in `tables` too, since an earlier commit may have left some.
        entries: the ledger's records of the raw files that the run read.
        forget_others: whether to drop all other raw files from the ledger, so that only `entries` count as read.
        complete: whether every raw file has now been read since the ledger was created.
        carried_out: the tombstones whose data are gone from the tables after this commit; None leaves the record as it
            is. What was erased is gone for good when the commit ends: no power cut brings it back.
        unread: the raw files that could not be read to their end; None leaves the record as it is.
    """

    run: str
    staging: str
    published: Published
    record: bytes
    record_uri: str
    tables: dict[str, list[Operation]]
    months: dict[str, dict[str, Month | None]]
    others: list[Operation]
    orphans: list[Operation]
    rebuilt: Extent | None = None
    force: bool = False
    entries: Sequence[Entry] = ()
    forget_others: bool = False
    complete: bool = False
    carried_out: Tombstones | None = None
    unread: Mapping[str, Unread] | None = None
