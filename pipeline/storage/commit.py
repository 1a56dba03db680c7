"""Step 6: what was staged becomes what stands, all of it or, after a crash, by the next run.

Whatever the disk forgets when the power fails, a reader finds a workspace's manifest before or after, with its files:

    staged files reach the disk → journal and ledger, in one transaction → renames and deletes in their order, with
    syncs between → the journal forgets them, but for the deletes, which no sync has seen: those stay until the next
    commit begins

Each operation can be carried out again, so that a commit once begun is always finished.
"""

from collections.abc import Iterable
from typing import Final

from pipeline.storage.state import Entry, State
from pipeline.storage.store import Operation, Store
from pipeline.storage.tombstones import Tombstones

_TABLES: Final = ("events/", "cube/", "actors/", "manifests/")


def commit(
    store: Store,
    state: State,
    run: str,
    operations: list[Operation],
    entries: Iterable[Entry],
    *,
    rebuilt: bool = False,
    complete: bool = False,
    carried_out: Tombstones | None = None,
) -> None:
    """Carry out the operations, and record the raw files as read: with `rebuilt` no others, and if `complete` all are.

    Where `carried_out` is given, nothing of these tombstones stands then.
    """
    store.make_folders(operations)
    store.sync()
    state.begin(run, operations, entries, rebuilt=rebuilt, complete=complete, carried_out=carried_out)
    for operation in operations:
        store.apply(operation)
    state.end()


def recover(store: Store, state: State) -> None:
    """Finish the commit that a former run left behind, if there is one.

    Where a staged file is lost nothing more of it is done, since a manifest must not name what is not there, nor what
    it names go. What the run had read is then forgotten: the next one reads it again and rewrites all that it touches.
    """
    found = state.journal()
    if found is None:
        return
    run, operations = found
    pending = [operation for operation in operations if operation.kind != "replace" or store.exists(operation.staged)]
    done = set(operations).difference(pending)
    if not all(_is_of(store, operation, run) for operation in done):
        state.forget(run, tables=any(operation.final.startswith(_TABLES) for operation in operations))
        return
    store.make_folders(pending)
    for operation in pending:
        store.apply(operation)
    state.end()


def _is_of(store: Store, operation: Operation, run: str) -> bool:
    """Return whether a final file was written by a run, which says so in its metadata or, if small, in its text."""
    if not store.exists(operation.final):
        return False
    if operation.final.endswith(".parquet"):
        import pyarrow as pa  # noqa: PLC0415 - most runs have nothing to recover, and are over before it is here
        import pyarrow.parquet as pq  # noqa: PLC0415 - the same

        try:
            metadata = pq.read_metadata(store.path(operation.final)).metadata or {}
        except (pa.ArrowException, OSError, ValueError):  # damaged: whose it is cannot be told
            return False
        return bool(metadata.get(b"run") == run.encode())
    return run.encode() in (store.read(operation.final) or b"")
