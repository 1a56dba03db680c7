"""Open the tables of a data folder: for reading alone, or for a command that must be the only one at work.

The one place that knows what kind of store an address names. Reads and writes nothing itself.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

import msgspec

from pipeline.contract.settings import Settings
from pipeline.storage.entries import Entry
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import STATE, State, read_entries
from pipeline.storage.store import Store
from pipeline.storage.unread import Unread
from pipeline.storage.writer import CheckedState, Writer

UNREADABLE: Final = (sqlite3.DatabaseError, msgspec.MsgspecError)  # raised by a state that cannot be read


def open_store(settings: Settings) -> Store:
    """Return the published files, for a command that only reads them; there need not be any."""
    return FolderStore(settings.data_dir.absolute())


@contextmanager
def open_storage(settings: Settings) -> Iterator[Writer]:
    """Open the tables for a command that changes them, and keep every other run away until it ends.

    Raises:
        BusyError: another run is at work.
        DamagedError: the state is not readable.
        OSError: there is no data folder.
    """
    from pipeline.storage import folder_writer  # noqa: PLC0415 - a command that only reads needs none of it

    with folder_writer.opened(settings.data_dir.absolute()) as writer:
        yield writer


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Keep every run away.

    Raises:
        BusyError: a run is at work.
        FileNotFoundError: there is no data folder.
    """
    from pipeline.storage import lock  # noqa: PLC0415 - takes 10 ms, and a command that only reads does without it

    with lock.locked(settings.data_dir.absolute()):
        yield


@contextmanager
def open_state(settings: Settings) -> Iterator[CheckedState | None]:
    """Yield the state, for a command that changes nothing and keeps runs away; None if there is none.

    Raises:
        sqlite3.DatabaseError: it cannot be read, which is one of `UNREADABLE`.
    """
    path = settings.data_dir.absolute() / STATE
    if not path.exists():
        yield None
        return
    with closing(State(path)) as state:
        yield state


def read_ledger(settings: Settings) -> tuple[dict[str, Entry], dict[str, Unread]]:
    """Return the ledger and the unread files, by path, also while a run is at work; nothing if there is none.

    Raises:
        sqlite3.Error: the state cannot be read.
        msgspec.MsgspecError: an entry cannot be decoded.
    """
    return read_entries(settings.data_dir.absolute() / STATE)
