"""Counts that the workers of one service add up together: each has a file of its own, and all read all of them.

A file is memory that outlives its process, so that no count ever falls; whoever starts next goes on in it. Its lock
says whether its process lives. Nothing is written anywhere else, and with one worker there is no file.
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
    """Numbered slots of 64 bits; `counts` holds those of this process."""

    def __init__(self, slots: int, folder: Path | None = None) -> None:
        self._folder = folder
        self._descriptor = None if folder is None else _claim(folder, slots * _SLOT_BYTES)
        memory = bytearray(slots * _SLOT_BYTES) if self._descriptor is None else mmap.mmap(self._descriptor, 0)
        self.counts = memoryview(memory).cast("q")

    def totals(self, *, living: bool = False) -> list[int]:
        """Return each slot's sum over all processes, those that are gone included unless only the living are wanted."""
        if self._folder is None:
            return self.counts.tolist()
        return [sum(column) for column in zip(*_columns(self._folder, living=living), strict=True)]


def _claim(folder: Path, size_bytes: int) -> int:
    """Return the open file that is this process's from now on: the first that nobody living has."""
    for number in count():
        descriptor = os.open(folder / str(number), os.O_RDWR | os.O_CREAT, 0o600)
        if _lock(descriptor, fcntl.LOCK_EX):
            os.truncate(descriptor, size_bytes)
            return descriptor
        os.close(descriptor)
    raise AssertionError


def _columns(folder: Path, *, living: bool) -> "Iterator[array[int]]":
    for path in folder.iterdir():
        with path.open("rb") as file:
            if living and _lock(file.fileno(), fcntl.LOCK_SH):
                continue
            if content := file.read():  # it may have been made this moment
                yield array("q", content)


def _lock(descriptor: int, kind: int) -> bool:
    """Return whether a file could be locked, which it cannot while a living process has it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
