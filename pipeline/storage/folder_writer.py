"""The data folder, held by a command that changes it: the lock, the open folder and the state.

Opens the store and `state.sqlite` while it holds `run.lock`; everything else is that of `storage.commit`.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from pipeline.storage import catalog, commit, compose, digests
from pipeline.storage.changes import Changes
from pipeline.storage.digests import EMPTY
from pipeline.storage.folder import FolderStore
from pipeline.storage.lock import locked
from pipeline.storage.state import STATE, State
from pipeline.storage.store import DamagedError
from pipeline.storage.tombstones import TOMBSTONES, Tombstone, Tombstones, append


class FolderWriter:
    """A `Writer` of a data folder.

    Args:
        store: the folder, which knows its digests.
        state: the ledger and the journal.
    """

    def __init__(self, store: FolderStore, state: State) -> None:
        self.store, self.state = store, state

    def recover(self) -> None:
        """Finish a commit that an earlier command began, or discard it, and remove the staging folder.

        Raises:
            OSError: a file cannot be published or deleted.
            sqlite3.Error: the state cannot be read or written.
        """
        commit.recover(self.store, self.state)
        self.store.clear("staging")

    def tombstones(self) -> Tombstones:
        """Return the tombstones, and remember the digest of their file: it must begin like that from now on.

        Raises:
            TombstonesError: the file is not as it was, or has a line that is not a tombstone.
        """
        known = self.store.digests([TOMBSTONES]).get(TOMBSTONES, EMPTY)
        found = self.store.tombstones(known)
        path = self.store.path(TOMBSTONES)
        if found != Tombstones() and path.stat().st_size != known.size:
            self.state.note_digest(TOMBSTONES, digests.of_file(path))
        return found

    def add_tombstones(self, tombstones: Sequence[Tombstone]) -> None:
        """Append tombstones to the file; they are on disk when this returns.

        Raises:
            OSError: the file cannot be written.
        """
        for tombstone in tombstones:
            append(self.store.root, tombstone)

    def carry_out(self, tombstones: Tombstones) -> None:
        """Record that nothing is stored that these tombstones cover, without a commit.

        Raises:
            OSError: a sync failed.
        """
        self.store.sync()  # tombstones and keys: an earlier command may have failed to
        self.state.carry_out(tombstones, "")

    def pass_over_damage(self) -> None:
        """Do nothing: a rebuild reads no manifest."""

    def trust_if_empty(self) -> None:
        """Trust the tables if there is no folder of events."""
        if not self.store.exists("events"):
            self.state.trust()
            if not catalog.published(self.store):
                self.state.add_digests({})

    def commit(self, changes: Changes) -> list[str]:
        """Publish changes, and record the raw files as read. Nothing can go wrong afterwards.

        Raises:
            OSError: a file cannot be published or deleted.
            DamagedError: a manifest cannot be read, or is not as it was written.
            sqlite3.Error: the state cannot be written.
        """
        commit.commit(
            self.store,
            self.state,
            changes.run,
            compose.compose(self.store, changes),
            changes.entries,
            rebuilt=changes.forget_others,
            complete=changes.complete,
            carried_out=changes.carried_out,
            unread=changes.unread,
        )
        return []

    def clear(self, folder: str) -> None:
        """Remove a staging folder, unless a commit that has begun still needs it; the next run removes what is left."""
        if not self.state.is_committing():
            with suppress(OSError):
                self.store.clear(folder)


@contextmanager
def opened(root: Path) -> Iterator[FolderWriter]:
    """Open a data folder, and keep every other run away.

    Raises:
        BusyError: another run is at work.
        DamagedError: the state is not readable.
        OSError: there is no such folder.
    """
    with FolderStore.opened(root) as store, locked(root), _state(root / STATE) as state:
        yield FolderWriter(msgspec.structs.replace(store, recorded=state.digest_reader()), state)


@contextmanager
def _state(path: Path) -> Iterator[State]:
    """Open the state.

    Raises:
        DamagedError: it is not a database.
    """
    try:
        with closing(State(path)) as state:
            yield state
    except sqlite3.OperationalError:  # such as a full disk
        raise
    except sqlite3.DatabaseError as error:
        raise DamagedError(path.name, f"{error}; remove it, and all raw files are read again") from None
