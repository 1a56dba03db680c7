"""The lock on a data folder: `run.lock`, which keeps two runs apart.

BusyError  another run is at work
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from pipeline.storage import ownership

_LOCK: Final = "run.lock"


class BusyError(RuntimeError):
    """Raised when another run is at work on the same data folder."""


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold `run.lock`, which keeps every other run away; what is written meanwhile has the modes of a data folder.

    Creates no folder: a path may be mistyped.

    Raises:
        BusyError: another run is at work.
        FileNotFoundError: there is no data folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))
    with ownership.writing():
        ownership.make_file(root / _LOCK, root)
        lock = FileLock(root / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(f"another run is at work on {root}") from None
        try:
            yield
        finally:
            lock.release()
