"""A cache of the most recently used values, bounded in bytes."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class LruCache(Generic[_Value]):
    """The most recently used values, up to a number of bytes; the caller gives the size of each value."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._entries: OrderedDict[Hashable, tuple[_Value, int]] = OrderedDict()
        self.size_bytes = 0

    def get(self, key: Hashable) -> _Value | None:
        """Return a value and make it the most recently used one, or return None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, value: _Value, size_bytes: int) -> None:
        """Keep a value and evict the least recently used ones to make room; one above the limit is not kept."""
        self.drop(key)
        if size_bytes > self._limit_bytes:
            return
        self._entries[key] = (value, size_bytes)
        self.size_bytes += size_bytes
        while self.size_bytes > self._limit_bytes:
            self.size_bytes -= self._entries.popitem(last=False)[1][1]

    def drop(self, key: Hashable) -> None:
        """Remove a value, if it is there."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size_bytes -= entry[1]

    def __len__(self) -> int:
        return len(self._entries)
