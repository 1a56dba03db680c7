"""Open the tables of a data folder: for reading alone, or for a command that must be the only one at work.

The one place that knows what kind of store an address names. Reads and writes nothing itself.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from pipeline.contract.location import Location
from pipeline.contract.settings import DIRECTORY, SettingError, Settings
from pipeline.storage.checked import CheckedTables
from pipeline.storage.entries import Entry
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import STATE, read_entries
from pipeline.storage.store import DamagedError, Store
from pipeline.storage.unread import Unread
from pipeline.storage.writer import Writer

if TYPE_CHECKING:
    from pipeline.contract.object_client import Client

UNREADABLE: Final = (sqlite3.DatabaseError, msgspec.MsgspecError, DamagedError)  # raised by a state that cannot be read


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Open the published files, for a command that only reads them; there need not be any.

    Raises:
        SettingError: they lie on an object store, and the package for that is not installed.
        ObjectStoreError: the store cannot be used.
    """
    if isinstance(settings.data, Path):
        yield FolderStore(settings.data.absolute())
        return
    from pipeline.storage.objects.scratch import scratch  # noqa: PLC0415 - no folder needs it
    from pipeline.storage.objects.snapshot import Snapshot  # noqa: PLC0415 - likewise
    from pipeline.storage.objects.store import ObjectStore  # noqa: PLC0415 - likewise

    client = _client(settings.data)
    with scratch(client, settings.scratch) as local:
        yield ObjectStore(Snapshot.read(client), local)


@contextmanager
def open_storage(settings: Settings, *, shared: bool = True) -> Iterator[Writer]:
    """Open the tables for a command that changes them, and keep every other run away until it ends.

    Args:
        settings: where they are.
        shared: whether all pieces of work of the command run on this machine.

    Raises:
        BusyError: another run is at work.
        DamagedError: the state is not readable.
        OSError: there is no data folder.
        SettingError: they lie on an object store, and the package for that is not installed.
        ObjectStoreError: the store cannot be used, or ignores the conditions of writes.
    """
    if isinstance(settings.data, Path):
        from pipeline.storage import folder_writer  # noqa: PLC0415 - a command that only reads needs none of it

        with folder_writer.opened(settings.data.absolute()) as writer:
            yield writer
        return
    from pipeline.storage.objects import writer as object_writer  # noqa: PLC0415 - no folder needs it

    with object_writer.opened(
        _client(settings.data), settings.scratch, shared=shared, delta_log=settings.delta_log
    ) as held:
        yield held


@contextmanager
def open_directory(settings: Settings) -> Iterator[Path]:
    """Yield a folder with the directory's files; what is changed there of the local keys is stored at the end.

    Raises:
        SettingError: they lie on an object store, and the package for that is not installed.
        BusyError: at the end: somebody else has changed the local keys on an object store; nothing was stored.
        ObjectStoreError: the store cannot be used.
    """
    if isinstance(settings.data, Path):
        yield settings.directory.absolute()
        return
    from pipeline.storage.objects.directory import copied  # noqa: PLC0415 - no folder needs it
    from pipeline.storage.objects.scratch import scratch  # noqa: PLC0415 - likewise

    client = _client(settings.data)
    with scratch(client, settings.scratch) as local, copied(client, local.root / DIRECTORY) as folder:
        yield folder


@contextmanager
def open_checked(settings: Settings) -> Iterator[CheckedTables]:
    """Open the tables for the check: in a folder, it keeps every run away.

    Raises:
        BusyError: a run is at work.
        FileNotFoundError: there is no data folder.
        SettingError: the tables lie on an object store, and the package for that is not installed.
        ObjectStoreError: the store cannot be used.
        LayoutError: its root is damaged.
    """
    if isinstance(settings.data, Path):
        from pipeline.storage import folder_check  # noqa: PLC0415 - takes 10 ms, and other commands do without it

        with folder_check.opened(settings.data.absolute()) as tables:
            yield tables
        return
    from pipeline.storage.objects import check as object_check  # noqa: PLC0415 - no folder needs it

    with object_check.opened(_client(settings.data), settings.scratch) as held:
        yield held


def read_ledger(settings: Settings) -> tuple[dict[str, Entry], dict[str, Unread]]:
    """Return the ledger and the unread files, by path, also while a run is at work; nothing if there is none.

    Raises:
        sqlite3.Error: the state cannot be read.
        msgspec.MsgspecError: an entry cannot be decoded.
        ObjectStoreError: the store cannot be used.
    """
    if isinstance(settings.data, Path):
        return read_entries(settings.data.absolute() / STATE)
    from pipeline.storage.objects.snapshot import Snapshot  # noqa: PLC0415 - no folder needs it
    from pipeline.storage.objects.state import ObjectState  # noqa: PLC0415 - likewise

    state = ObjectState(Snapshot.read(_client(settings.data)))
    return state.entries(), state.unread()


def _client(location: Location) -> "Client":
    """Return what speaks to an object store.

    Raises:
        SettingError: the package for that is not installed.
    """
    try:
        from pipeline.contract.object_client import Client  # noqa: PLC0415 - no folder needs it
    except ImportError:
        raise SettingError(f"{location.url} needs the package obstore: install workspace-usage[s3]") from None
    return Client(location)
