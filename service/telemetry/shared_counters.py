"""Counters that the workers of one service share: each worker adds to its own part of one memory, and all read it.

The memory belongs to no file, so neither a full or read-only folder nor a restart of a worker takes anything from it.
The main process makes it before the first worker starts. The next worker in the place of one that died goes on in its
part, so no count ever falls. The last slot of each part is the main process's: how often it replaced that worker.
"""

import mmap
from typing import Final

_SLOT_BYTES: Final = 8
_PART_BYTES: Final = 64 * 1024  # what is never touched takes no memory
_PART_SLOTS: Final = _PART_BYTES // _SLOT_BYTES
_RESTARTS: Final = _PART_SLOTS - 1


class CounterMemory:
    """The memory of several workers, a part for each.

    Args:
        parts: number of workers.
    """

    def __init__(self, parts: int = 1) -> None:
        self._parts = parts
        self._slots = memoryview(mmap.mmap(-1, parts * _PART_BYTES)).cast("q")

    def part(self, place: int = 0) -> "SharedCounters":
        """Return the counters of the worker in a place, from 0."""
        parts = [self._slots[start : start + _PART_SLOTS] for start in range(0, len(self._slots), _PART_SLOTS)]
        return SharedCounters(parts, place)

    def count_restart(self, place: int) -> None:
        """Count that the worker in a place is replaced; called in the main process only."""
        self._slots[place * _PART_SLOTS + _RESTARTS] += 1


class SharedCounters:
    """Numbered slots of 64 bits; `counts` holds the slots of this process, in which it alone writes.

    Args:
        parts: the slots of each worker.
        place: of this worker.
    """

    def __init__(self, parts: list[memoryview], place: int) -> None:
        self._parts = parts
        self.counts = parts[place]

    @property
    def restarts(self) -> int:
        """Return how many workers were replaced."""
        return sum(part[_RESTARTS] for part in self._parts)

    def totals(self, slots: int) -> list[int]:
        """Return the sum of each of the first slots over all workers."""
        return [sum(column) for column in zip(*(part[:slots].tolist() for part in self._parts), strict=True)]
