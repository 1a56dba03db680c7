"""Counters that the workers of one service share: each worker adds to its own file, and all read every file.

A file is memory that outlives its process, so no count ever falls: the next worker that starts takes it over. Its lock
shows whether its process is alive. With a single worker there is no file.
"""

import fcntl
import mmap
import os
from array import array
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

_SLOT_BYTES: Final = 8


class SharedCounters:
    """Numbered slots of 64 bits; `counts` holds the slots of this process."""

    def __init__(self, slots: int, folder: Path | None = None) -> None:
        self._folder = folder
        self._descriptor = None if folder is None else _claim(folder, slots * _SLOT_BYTES)
        memory = bytearray(slots * _SLOT_BYTES) if self._descriptor is None else mmap.mmap(self._descriptor, 0)
        self.counts = memoryview(memory).cast("q")

    def totals(self, *, living: bool = False) -> list[int]:
        """Return the sum of each slot over all processes, or only over those that are alive."""
        if self._folder is None:
            return self.counts.tolist()
        return [sum(column) for column in zip(*_columns(self._folder, living=living), strict=True)]


def _claim(folder: Path, size_bytes: int) -> int:
    """Open, lock and return the first file that no living process has; it belongs to this process from now on."""
    for number in count():
        descriptor = os.open(folder / str(number), os.O_RDWR | os.O_CREAT, 0o600)
        if _lock(descriptor, fcntl.LOCK_EX):
            os.truncate(descriptor, size_bytes)
            return descriptor
        os.close(descriptor)
    raise AssertionError


def _columns(folder: Path, *, living: bool) -> "Iterator[array[int]]":
    """Yield the slots of every process, or of every living one."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            if living and _lock(file.fileno(), fcntl.LOCK_SH):
                continue
            if content := file.read():  # it is empty just after it was created
                yield array("q", content)


def _lock(descriptor: int, kind: int) -> bool:
    """Return whether a file could be locked; while its process is alive, it cannot."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
