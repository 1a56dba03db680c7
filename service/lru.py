"""A memory of recent things that never grows over its bytes."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class LruCache(Generic[_Value]):
    """The most recently used values, up to a number of bytes; the sizes are what their owners say."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._entries: OrderedDict[Hashable, tuple[_Value, int]] = OrderedDict()
        self.size_bytes = 0

    def get(self, key: Hashable) -> _Value | None:
        """Return a value and keep it longest, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, value: _Value, size_bytes: int) -> None:
        """Remember a value; the least recently used ones go to make room, a too large one is not kept."""
        self.drop(key)
        if size_bytes > self._limit_bytes:
            return
        self._entries[key] = (value, size_bytes)
        self.size_bytes += size_bytes
        while self.size_bytes > self._limit_bytes:
            self.size_bytes -= self._entries.popitem(last=False)[1][1]

    def drop(self, key: Hashable) -> None:
        """Forget a value, if it is there."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size_bytes -= entry[1]

    def __len__(self) -> int:
        return len(self._entries)
