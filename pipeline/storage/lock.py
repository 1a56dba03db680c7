"""The lock on a data folder: `run.lock`, which keeps two runs apart.

BusyError  another run is at work
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from filelock import FileLock, Timeout

from pipeline.storage import ownership
from pipeline.storage.store import Store

_LOCK: Final = "run.lock"


class BusyError(RuntimeError):
    """Raised when another run is at work on the same data folder."""


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Hold `run.lock`, which keeps every other run away; what is written meanwhile has the modes of a data folder.

    Creates no folder: a path may be mistyped.

    Raises:
        BusyError: another run is at work.
        FileNotFoundError: there is no data folder.
    """
    if not store.root.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(store.root))
    with ownership.writing():
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
