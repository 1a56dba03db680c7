"""The lock on a data folder: `run.lock`, which keeps two runs apart.

BusyError  another run is at work
"""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from pipeline.contract.tables import RAW
from pipeline.storage.store import Store


class BusyError(RuntimeError):
    """Raised when another run is at work on the same data folder."""


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Hold `run.lock`, which keeps every other run away.

    Raises:
        BusyError: another run is at work.
    """
    store.path(RAW).mkdir(parents=True, exist_ok=True)
    lock = FileLock(store.path("run.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(f"another run is at work on {store.root}") from None
    try:
        yield
    finally:
        lock.release()
