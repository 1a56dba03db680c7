"""Step 5: what was staged becomes what stands, all of it or, after a crash, by the next run.

The journal is written before the first rename and cleared after the last, so that a commit once begun is always
finished: each operation can be carried out again, and readers see a workspace's manifest before or after.
"""

from collections.abc import Iterable

import pyarrow.parquet as pq

from pipeline.state import Entry, State
from pipeline.store import Operation, Store


def commit(store: Store, state: State, run: str, operations: list[Operation], entries: Iterable[Entry]) -> None:
    """Carry out the operations in their order, and record the raw files as read."""
    store.sync()
    store.make_folders(operations)
    state.begin(run, operations, entries)
    for operation in operations:
        store.apply(operation)
    store.sync()
    state.end()


def recover(store: Store, state: State) -> None:
    """Finish the commit that a former run left behind, if there is one.

    Where a staged file is lost, what that run had read is forgotten: the next run reads it again and rewrites all that
    it touches.
    """
    found = state.journal()
    if found is None:
        return
    run, operations = found
    complete = True
    store.make_folders(operations)
    for operation in operations:
        try:
            store.apply(operation)
        except FileNotFoundError:
            complete = complete and _is_of(store, operation, run)
    if not complete:
        state.forget(run)
    store.sync()
    state.end()


def _is_of(store: Store, operation: Operation, run: str) -> bool:
    """Return whether a final file was written by a run, which says so in its metadata or, if small, in its text."""
    if not store.exists(operation.final):
        return False
    if operation.final.endswith(".parquet"):
        metadata = pq.read_metadata(store.path(operation.final)).metadata or {}
        return bool(metadata.get(b"run") == run.encode())
    return run.encode() in (store.read(operation.final) or b"")
