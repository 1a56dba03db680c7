"""Deletes the objects that no root names any more: superseded ones after a grace, and orphans.

Reads a snapshot, lists the folders of the tables for orphans, and deletes. All instants are those of the store's clock.
A key is used once, so what a root has superseded is never named again; and once a root is flipped, no run that began
before it can commit, so what was stored before that root and is not named by it never will be.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Final

from pipeline.contract.layout import LayoutError, Root
from pipeline.contract.object_client import Client, Found
from pipeline.contract.object_names import LEASE, is_of_run, logical_path, object_key
from pipeline.storage.objects.snapshot import Snapshot

GRACE: Final = 15 * 60 * 1_000_000  # microseconds for which readers may still read what was superseded
ORPHANS: Final = 24 * 60 * 60 * 1_000_000  # microseconds after which an object is an orphan
_INTERVAL: Final = 24 * 60 * 60 * 1_000_000  # microseconds between two looks for orphans, each of which lists all

# Everything that runs put; neither raw logs nor the directory, which may be below the same prefix.
_TABLES: Final = ("events", "cube", "actors", "quarantine", "runs", "tombstones", "carried_out")
_FOLDERS: Final = (*_TABLES, "index", "ledger", "superseded", "staging", "probe")
_PORTION: Final = 1_000


def store_time(client: Client) -> int:
    """Return what the store's clock has shown not long ago, in microseconds UTC: when the lease was renewed last.

    Raises:
        ObjectStoreError: the store cannot be used.
    """
    found = client.head(LEASE)
    return 0 if found is None else found.stored


def sweep(snapshot: Snapshot, now: int, grace: int = GRACE) -> set[str]:
    """Delete what was superseded, and return the lists of it, for the commit that removes them from the root.

    Args:
        snapshot: of the current root, which may have been replaced meanwhile.
        now: by the store's clock.
        grace: 0 deletes everything at once, which `forget` and `retention` have to.

    Raises:
        ObjectStoreError: the store cannot be used; what is left is deleted next time.
    """
    swept = set()
    for file, until in snapshot.superseded():
        if not grace or until + grace < now:
            with suppress(LayoutError):  # if the list is damaged, its objects are orphans by now
                snapshot.client.delete(snapshot.superseded_keys(file))
            swept.add(file.name)
    return swept


def is_due(root: Root | None, now: int) -> bool:
    """Return whether it is time to look for orphans again.

    Args:
        root: the current one; None before the first commit, before which nothing is old enough.
        now: by the store's clock.
    """
    return root is not None and root.orphans_at + _INTERVAL <= now


def sweep_orphans(snapshot: Snapshot, now: int, age: int = ORPHANS, swept: Collection[str] = frozenset()) -> int:
    """Delete what was put by runs that never committed it, and return how many objects that were.

    Args:
        snapshot: of a root that the caller has just flipped, and has read again.
        now: by the store's clock.
        age: for which objects are kept in any case; with 0, those that were stored before the root are deleted.
        swept: the lists of superseded objects that `sweep` has returned: no reader needs what they name.

    Raises:
        ObjectStoreError: the store cannot be used; what is left is deleted next time.
        LayoutError: it is unknown which objects readers may still need.
    """
    count, pending = 0, []
    for found in orphans(snapshot, now - age, swept):
        pending.append(found.key)
        if len(pending) == _PORTION:
            snapshot.client.delete(pending)
            count, pending = count + len(pending), []
    snapshot.client.delete(pending)
    return count + len(pending)


def orphans(snapshot: Snapshot, before: int, swept: Collection[str] = frozenset()) -> Iterator[Found]:
    """Yield what was put before an instant, and before the root, by runs that never committed it.

    Objects with names that no run gives are not looked at: somebody else may have put them.

    Raises:
        ObjectStoreError: the store cannot be used, or not be listed.
        LayoutError: it is unknown which objects readers may still need.
    """
    kept = set() if snapshot.root is None else snapshot.root.keys()
    lists = [file for file, _ in snapshot.superseded() if file.name not in swept]
    kept.update(key for file in lists for key in snapshot.superseded_keys(file))
    if snapshot.root is not None:
        snapshot.load(index=snapshot.root.index)
    for folder in _FOLDERS:
        for found in snapshot.client.list(folder):
            is_old = found.stored < min(snapshot.stored, before)
            if is_old and is_of_run(found.key) and found.key not in kept and not _is_current(snapshot, found.key):
                yield found


def _is_current(snapshot: Snapshot, key: str) -> bool:
    path = logical_path(key)
    file = None if path is None else snapshot.file(path)
    return path is not None and file is not None and object_key(path, file.name) == key
