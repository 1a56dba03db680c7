"""Step 6: what was staged becomes what stands, all of it or, after a crash, by the next run.

Whatever the disk forgets when the power fails, a reader finds a workspace's manifest before or after, with its files:

    staged files reach the disk → journal and ledger, in one transaction → renames in their order → they reach the disk
    → the journal forgets them → deletes, which stay in the journal until the next commit has seen them reach the disk

Each operation can be carried out again, so that a commit once begun is always finished.
"""

from collections.abc import Iterable

import pyarrow.parquet as pq

from pipeline.state import Entry, State
from pipeline.store import Operation, Store


def commit(store: Store, state: State, run: str, operations: list[Operation], entries: Iterable[Entry]) -> None:
    """Carry out the operations, deletes last, and record the raw files as read."""
    store.make_folders(operations)
    store.sync()
    state.begin(run, operations, entries)
    for operation in operations:
        if operation.kind == "replace":
            store.apply(operation)
    _end(store, state, operations)


def recover(store: Store, state: State) -> None:
    """Finish the commit that a former run left behind, if there is one.

    Where a staged file is lost, what that run had read is forgotten: the next run reads it again and rewrites all that
    it touches.
    """
    found = state.journal()
    if found is None:
        return
    run, operations = found
    if state.is_committing():
        complete = True
        store.make_folders(operations)
        for operation in operations:
            try:
                if operation.kind == "replace":
                    store.apply(operation)
            except FileNotFoundError:
                complete = complete and _is_of(store, operation, run)
        if not complete:
            state.forget(run)
    _end(store, state, operations)


def _end(store: Store, state: State, operations: list[Operation]) -> None:
    if state.is_committing():
        store.sync()
        state.end()
    for operation in operations:
        if operation.kind == "delete":
            store.apply(operation)


def _is_of(store: Store, operation: Operation, run: str) -> bool:
    """Return whether a final file was written by a run, which says so in its metadata or, if small, in its text."""
    if not store.exists(operation.final):
        return False
    if operation.final.endswith(".parquet"):
        metadata = pq.read_metadata(store.path(operation.final)).metadata or {}
        return bool(metadata.get(b"run") == run.encode())
    return run.encode() in (store.read(operation.final) or b"")
