"""The lock on a data folder: `run.lock`, which keeps two runs apart.

BusyError  another run is at work
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from filelock import FileLock, Timeout

from pipeline.contract.tables import RAW
from pipeline.storage import ownership
from pipeline.storage.store import Store

_LOCK: Final = "run.lock"


class BusyError(RuntimeError):
    """Raised when another run is at work on the same data folder."""


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Hold `run.lock`, which keeps every other run away; what is written meanwhile has the modes of a data folder.

    Raises:
        BusyError: another run is at work.
    """
    with ownership.writing():
        store.folder(RAW)
        ownership.make_file(store.path(_LOCK), store.root)
        lock = FileLock(store.path(_LOCK))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(f"another run is at work on {store.root}") from None
        try:
            yield
        finally:
            lock.release()
