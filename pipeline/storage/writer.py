"""What a command that changes the tables has open while no other may: one interface, whatever keeps the files.

`storage.folder_writer` has that of a data folder; `storage.opened` opens it.
"""

from collections.abc import Sequence
from typing import Protocol

from pipeline.storage.changes import Changes
from pipeline.storage.entries import Entry
from pipeline.storage.store import Store
from pipeline.storage.tombstones import Tombstone, Tombstones
from pipeline.storage.unread import Unread


class StoredState(Protocol):
    """What the commands that change the tables remember of each other."""

    def entries(self) -> dict[str, Entry]:
        """Return the entries of the ledger by path."""

    def unread(self) -> dict[str, Unread]:
        """Return the raw files that could not be read to their end, by path."""

    def carried_out(self) -> Tombstones:
        """Return the tombstones whose data are gone from the tables."""

    def discarded_files(self) -> set[str]:
        """Return the discarded raw files that no run has read since: their partitions may be half published."""


class WriterState(StoredState, Protocol):
    """What a command that changes the tables needs of it besides."""

    def is_trusted(self) -> bool:
        """Return whether the tables are free of half-published files from runs that this ledger has no record of."""

    def torn_months(self) -> list[tuple[str, str]]:
        """Return the workspaces and UTC months of which discarded commits may have published a part."""

    def mended(self) -> None:
        """Record that these months are whole again."""


class Writer(Protocol):
    """The tables, held by a command that changes them."""

    @property
    def store(self) -> Store:
        """Return the files, as they are after the last commit; the store knows their digests."""

    @property
    def state(self) -> WriterState:
        """Return what earlier commands remembered, and this one up to its last commit."""

    def recover(self) -> None:
        """Finish a commit that an earlier command began, or discard it, and remove what is left of its staged files.

        Raises:
            OSError: a file cannot be published or deleted.
        """

    def tombstones(self) -> Tombstones:
        """Return the tombstones, and remember the digest of their file: it must begin like that from now on.

        Raises:
            TombstonesError: the file is not as it was, or has a line that is not a tombstone.
        """

    def add_tombstones(self, tombstones: Sequence[Tombstone]) -> None:
        """Add tombstones; they are stored for good when this returns.

        Raises:
            OSError: they cannot be written.
        """

    def carry_out(self, tombstones: Tombstones) -> None:
        """Record that nothing is stored that these tombstones cover, without a commit; they are on the disk then.

        Raises:
            OSError: a sync failed.
        """

    def pass_over_damage(self) -> None:
        """Go on without what says which files are published, where that is damaged: all of them are to be rebuilt."""

    def trust_if_empty(self) -> None:
        """Trust the tables if there are none yet: no run can have left anything that the ledger has no record of."""

    def commit(self, changes: Changes) -> list[str]:
        """Publish changes, and record the raw files as read.

        Returns:
            What went wrong afterwards and does no harm, for people.

        Raises:
            OSError: a file cannot be published or deleted.
            DamagedError: a file that the changes build on cannot be read, or is not as it was written.
        """

    def clear(self, folder: str) -> None:
        """Remove a folder of staged files, unless a commit that has begun needs it; the next run removes the rest."""
