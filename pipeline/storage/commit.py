"""Step 6 of a run: publish everything that was staged. If a crash interrupts a commit, the next run finishes it.

Reads and writes the tables of a data folder through `FolderStore`, and the ledger and the journal through `State`. The
order of the steps protects readers from a power failure: a reader finds a workspace's old manifest or its new one, and
all files that it names.

    1  sync: the staged files are on disk
    2  record the operations in the journal, the digests of their files, and the raw files in the ledger, in one
       transaction
    3  rename and delete files in the order of the operations, with syncs in between
    4  remove the operations from the journal, except the deletes that no sync has followed: they stay until the next
       commit begins

`recover` skips the renames that were done and repeats the rest, so a commit that has begun can be finished.

A sync that fails ends the run. If it was the first, nothing that was staged before it is ever used: the next run stages
from the raw files again, since the kernel may have dropped what it could not write. After step 2 only names can be
missing on the disk, because the contents were synced before; a file system that cannot write names refuses all changes
until it is mounted again, and then `recover` sees what is on the disk.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

from pipeline.storage import catalog, digests
from pipeline.storage.damage import READING, refuse_shortage
from pipeline.storage.digests import Digest
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import Entry, State
from pipeline.storage.store import Operation
from pipeline.storage.tombstones import Tombstones
from pipeline.storage.unread import Unread

_TABLES: Final = ("events/", "cube/", "actors/", "manifests/")
_PARTITION: Final = re.compile(r"[a-z]+/workspace_id=([^/]+)/(?:day|month)=([0-9]{4}-[0-9]{2})").match


def commit(
    store: FolderStore,
    state: State,
    run: str,
    operations: list[Operation],
    entries: Iterable[Entry],
    *,
    rebuilt: bool = False,
    complete: bool = False,
    carried_out: Tombstones | None = None,
    unread: Mapping[str, Unread] | None = None,
) -> None:
    """Carry out the operations, and record the raw files as read.

    Args:
        store: the data folder.
        state: the ledger and the journal.
        run: the id of the run.
        operations: in the order in which they are carried out.
        entries: the raw files that the run read.
        rebuilt: whether to drop all other raw files from the ledger, so that only `entries` count as read.
        complete: whether every raw file has now been read since the ledger was created.
        carried_out: the tombstones whose data are gone from the tables after this commit; None leaves the record as it
            is.
        unread: the raw files that could not be read to their end; None leaves the record as it is.

    Raises:
        OSError: a file cannot be published or deleted.
        sqlite3.Error: the state cannot be written.
    """
    store.make_folders(operations)
    store.sync()
    state.begin(run, operations, entries, rebuilt=rebuilt, complete=complete, carried_out=carried_out, unread=unread)
    for operation in operations:
        store.apply(operation)
    state.end()
    if not state.has_all_digests():
        state.add_digests(_unknown_digests(store, state))


def recover(store: FolderStore, state: State) -> None:
    """Finish the commit that an earlier run left unfinished, if there is one.

    If a staged file is lost, stop and change nothing more: a manifest must not name a file that does not exist, and a
    file that a manifest names must not be deleted. The ledger then drops the raw files of that run, so that the next
    run reads them again and rewrites every partition that they touch. It also remembers the months that the commit was
    about to change, so that they are repaired even if the raw files have changed meanwhile.

    Raises:
        OSError: a file cannot be published or deleted.
        sqlite3.Error: the state cannot be read or written.
    """
    found = state.journal()
    if found is None:
        return
    run, operations = found
    pending = [operation for operation in operations if operation.kind != "replace" or store.exists(operation.staged)]
    done = set(operations).difference(pending)
    published = {operation for operation in done if _was_written_by(run, store, operation)}
    if published != done:
        tables = any(operation.final.startswith(_TABLES) for operation in operations)
        undone = {operation.final for operation in operations} - {operation.final for operation in published}
        state.discard_commit(run, tables=tables, months=_months(operations), undone=undone)
        return
    store.make_folders(pending)
    for operation in pending:
        store.apply(operation)
    state.end()


def _months(operations: Iterable[Operation]) -> set[tuple[str, str]]:
    """Return the workspaces and UTC months whose tables the operations change."""
    return {(found[1], found[2]) for operation in operations if (found := _PARTITION(operation.final))}


def _was_written_by(run: str, store: FolderStore, operation: Operation) -> bool:
    """Return whether a run wrote the published file: a Parquet file's metadata name the run, other files contain it."""
    if not store.exists(operation.final):
        return False
    if operation.final.endswith(".parquet"):
        import pyarrow.parquet as pq  # noqa: PLC0415 - takes 30 ms, and a run with nothing new does without it

        try:
            metadata = pq.read_metadata(store.path(operation.final)).metadata or {}
        except READING as error:  # the run of a damaged file is unknown
            refuse_shortage(error)
            return False
        return bool(metadata.get(b"run") == run.encode())
    return run.encode() in (store.read(operation.final) or b"")


def _unknown_digests(store: FolderStore, state: State) -> dict[str, Digest]:
    """Return the digests, as they are now, of the published files that the state knows none of.

    It is so if the state was lost, or made by an older release.
    """
    known, found = state.digests(), {}
    for uri in catalog.published(store):
        if uri not in known:
            # `usage check` names a file that cannot be read, and one whose name no run would choose.
            with suppress(OSError, UnicodeEncodeError):
                uri.encode()
                found[uri] = digests.of_file(store.path(uri))
    return found
