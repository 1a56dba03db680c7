"""The events of one workspace that match a filter, in order, read from as few places as possible.

Reads the day partitions (rows newest first, by timestamp and id descending): only days on which the actors table saw a
match, only row groups whose times overlap, the key columns before the others. What was read is kept under the identity
of its file. Files stay open until the page is finished, so that one that is replaced meanwhile is still read as it was.
"""

import os
from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.contract.calendar import DAY_US, utc_day
from pipeline.contract.tables import Action
from service.tables.month_blocks import ENTRY_BYTES, Encoded, Integers, encoded, integers
from service.tables.snapshots import Workspace

_CONTENT: Final = [
    "action",
    "kind",
    "resource_type",
    "resource_id",
    "resource_name",
    "user_id",
    "user_name",
    "metadata",
    "ip",
]
# Columns of few values, which take less as they are in the file.
_REPETITIVE: Final = ["action", "kind", "resource_type", "user_id", "user_name"]
# Of a row group without statistics.
_ANY_TIME: Final = (-(2**63), 2**63 - 1)
# What Arrow takes besides the bytes that it counts, as measured. A footer takes 40 kB and more: none is kept.
_KEYS_BYTES: Final = 3_000
_CONTENT_BYTES: Final = 18_000


class Filter(msgspec.Struct, frozen=True):
    """Which events are meant: those in `[start, end)`, of an action and a user, None meaning any."""

    start: int
    end: int
    action: Action | None
    user_id: str | None


class Position(NamedTuple):
    """A place in the order of events; ids compare by code point, as Python's strings do."""

    timestamp: int
    id: str


class Keys(msgspec.Struct, frozen=True):
    """What decides which events of a row group match, and in which order they come: newest first."""

    timestamps: Integers
    ids: Any  # Arrow strings: turned into Python's only where one is looked at
    actions: Encoded
    users: Encoded

    @property
    def size_bytes(self) -> int:
        """Return what it takes in memory."""
        arrays = (self.timestamps, self.ids, self.actions.codes, self.users.codes)
        return _KEYS_BYTES + sum(array.nbytes for array in arrays) + ENTRY_BYTES * len(self.users.values)

    def matching(self, wanted: Filter) -> NDArray[np.intp]:
        """Return the rows that match."""
        matching = (self.timestamps >= wanted.start) & (self.timestamps < wanted.end)
        for column, value in ((self.actions, wanted.action), (self.users, wanted.user_id)):
            if value is not None:
                matching &= column.equals(value)
        return np.flatnonzero(matching)


class Hit(NamedTuple):
    """One match: which one of its row group."""

    group: "_Group"
    number: int

    @property
    def position(self) -> Position:
        """Return its place in the order."""
        row = self.group.rows[self.number]
        return Position(int(self.group.keys.timestamps[row]), self.group.keys.ids[row].as_py())


class _Day:
    """A day's partition as it was when this was opened; what is kept of it bears its file's identity."""

    def __init__(self, path: Path) -> None:
        self._file = pa.OSFile(str(path))
        stat = os.fstat(self._file.fileno())
        self.identity = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)

    @cached_property
    def _reader(self) -> Any:
        return pq.ParquetFile(self._file, read_dictionary=_REPETITIVE, page_checksum_verification=True)

    def spans(self) -> list[tuple[int, int]]:
        """Return the earliest and the latest instant of every row group."""
        metadata = self._reader.metadata
        column = {name: number for number, name in enumerate(metadata.schema.names)}["timestamp"]
        found = [metadata.row_group(number).column(column).statistics for number in range(metadata.num_row_groups)]
        return [(known.min_raw, known.max_raw) if known and known.has_min_max else _ANY_TIME for known in found]

    def read(self, number: int, columns: list[str]) -> Any:
        """Return columns of a row group."""
        return self._reader.read_row_group(number, columns=columns, use_threads=False)

    def close(self) -> None:
        """Close its file."""
        self._file.close()


class _Group(NamedTuple):
    """The matches of one row group, newest first."""

    day: _Day
    number: int
    keys: Keys
    rows: NDArray[np.intp]

    def split(self, position: Position) -> tuple[int, int]:
        """Return how many matches are newer than a position, and the first index that is older."""
        ascending = -self.keys.timestamps[self.rows]
        first, last = (int(np.searchsorted(ascending, -position.timestamp, side)) for side in ("left", "right"))
        ids = self.keys.ids.take(pa.array(self.rows[first:last])).to_pylist()
        return first + sum(i > position.id for i in ids), first + sum(i >= position.id for i in ids)


class Matches:
    """The matches of a filter in one workspace, as a stream in either direction."""

    def __init__(self, workspace: Workspace, wanted: Filter) -> None:
        self._workspace = workspace
        self._wanted = wanted
        first, last = wanted.start // DAY_US, (wanted.end - 1) // DAY_US
        numbers: set[int] = set()
        for actors in workspace.actors(wanted.start, wanted.end):
            numbers.update(actors.days_of(wanted.action, wanted.user_id))
        self._numbers = sorted(number for number in numbers if first <= number <= last)
        self._days: dict[int, _Day | None] = {}

    def close(self) -> None:
        """Close the files that were opened."""
        for day in self._days.values():
            if day is not None:
                day.close()

    def older(self, position: Position) -> Iterator[Hit]:
        """Yield the matches older than a position, newest first."""
        for number in reversed(self._numbers):
            if number * DAY_US <= position.timestamp:
                for group in self._overlapping(number, self._wanted.start, position.timestamp):
                    for index in range(group.split(position)[1], len(group.rows)):
                        yield Hit(group, index)

    def newer(self, position: Position) -> Iterator[Hit]:
        """Yield the matches newer than a position, oldest first."""
        for number in self._numbers:
            if (number + 1) * DAY_US > position.timestamp:
                for group in self._overlapping(number, position.timestamp, self._wanted.end - 1, backwards=True):
                    for index in reversed(range(group.split(position)[0])):
                        yield Hit(group, index)

    def contents(self, hits: list[Hit]) -> list[dict[str, Any]]:
        """Return what matches say, in the same order; instants and ids are in their positions."""
        found: list[dict[str, Any]] = []
        for (day, number), theirs in groupby(hits, key=lambda hit: (hit.group.day, hit.group.number)):
            rows = np.array([hit.group.rows[hit.number] for hit in theirs])
            found += self._content(day, number).take(pa.array(rows)).to_pylist()
        return found

    def _overlapping(self, number: int, earliest: int, latest: int, *, backwards: bool = False) -> Iterator[_Group]:
        if number not in self._days:
            self._days[number] = self._open(number)
        day = self._days[number]
        if day is None:
            return
        spans = self._workspace.keep(day.identity, day.spans, lambda spans: ENTRY_BYTES * len(spans))
        groups = range(len(spans))
        for group in reversed(groups) if backwards else groups:
            if spans[group][0] <= latest and spans[group][1] >= earliest:
                keys = self._keys(day, group)
                yield _Group(day, group, keys, keys.matching(self._wanted))

    def _open(self, number: int) -> _Day | None:
        try:
            return _Day(self._workspace.events_path(utc_day(number * DAY_US)))
        except FileNotFoundError:  # forgotten or expired a moment ago
            return None

    def _keys(self, day: _Day, number: int) -> Keys:
        def read() -> Keys:
            table = day.read(number, ["timestamp", "id", "action", "user_id"])
            ids = table.column("id").combine_chunks()
            return Keys(integers(table, "timestamp"), ids, encoded(table, "action"), encoded(table, "user_id"))

        return self._workspace.keep((day.identity, number, "keys"), read, lambda keys: keys.size_bytes)

    def _content(self, day: _Day, number: int) -> Any:
        return self._workspace.keep(
            (day.identity, number, "content"),
            lambda: day.read(number, _CONTENT),
            lambda content: _CONTENT_BYTES + content.nbytes,
        )
