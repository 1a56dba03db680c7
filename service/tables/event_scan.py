"""The events of one workspace that match a filter, in order, with as few reads as possible.

Reads the day partitions, whose rows are newest first (by timestamp and id descending). Only days on which the actors
table has a match are opened, only row groups that overlap the window are read, and key columns are read before the
others. Results are cached under the identity of their file. Files stay open until the page is finished: a file that is
replaced meanwhile is still read as it was.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.contract.calendar import DAY_US, utc_day
from service.tables.month_blocks import ENTRY_BYTES, Encoded, Integers, encoded, integers
from service.tables.snapshots import Workspace
from service.tables.source import DayFile, NotFetchedError, gathered

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
# Columns with few distinct values, which take less memory if they stay dictionary-encoded as in the file.
_REPETITIVE: Final = ["action", "kind", "resource_type", "user_id", "user_name"]
# The span of a row group without statistics.
_ANY_TIME: Final = (-(2**63), 2**63 - 1)
# What Arrow takes besides the bytes that it counts, as measured. A footer takes 40 kB or more, so none is cached.
_KEYS_BYTES: Final = 3_000
_CONTENT_BYTES: Final = 18_000
# If a small day has to be fetched, so are some days after it, which the page may reach.
_AHEAD: Final = 8
_AHEAD_BYTES: Final = 1 << 20


class Filter(msgspec.Struct, frozen=True):
    """Selects the events in `[start, end)` of an action and a user, where None means any."""

    start: int
    end: int
    action: str | None
    user_id: str | None


class Position(NamedTuple):
    """A place in the order of events. Ids compare by code point, as Python strings do."""

    timestamp: int
    id: str


class Keys(msgspec.Struct, frozen=True):
    """The columns of a row group that decide which events match and in which order. The arrays are (rows,)."""

    timestamps: Integers  # descending
    ids: Any  # Arrow strings, converted to Python's only one by one
    actions: Encoded
    users: Encoded

    @property
    def size_bytes(self) -> int:
        """Return how much memory it takes."""
        arrays = (self.timestamps, self.ids, self.actions.codes, self.users.codes)
        return _KEYS_BYTES + sum(array.nbytes for array in arrays) + ENTRY_BYTES * len(self.users.values)

    def matching(self, wanted: Filter) -> NDArray[np.intp]:
        """Return the positions of the rows that match, ascending: newest first."""
        mask = (self.timestamps >= wanted.start) & (self.timestamps < wanted.end)
        for column, value in ((self.actions, wanted.action), (self.users, wanted.user_id)):
            if value is not None:
                mask &= column.equals(value)
        return np.flatnonzero(mask)


class Hit(NamedTuple):
    """One match: `group.rows[number]`."""

    group: "_Group"
    number: int

    @property
    def position(self) -> Position:
        """Return its place in the order."""
        row = self.group.rows[self.number]
        return Position(int(self.group.keys.timestamps[row]), self.group.keys.ids[row].as_py())


class _Partition:
    """The partition of a day as it was when it was opened. Cached results bear the identity of its file."""

    def __init__(self, file: DayFile) -> None:
        self._file = file
        self.identity = file.identity
        self.open = file.open

    @cached_property
    def _reader(self) -> Any:
        return pq.ParquetFile(self.open(), read_dictionary=_REPETITIVE, page_checksum_verification=True)

    def spans(self) -> list[tuple[int, int]]:
        """Return the first and the last instant of every row group."""
        metadata = self._reader.metadata
        column = {name: number for number, name in enumerate(metadata.schema.names)}["timestamp"]
        statistics = [metadata.row_group(number).column(column).statistics for number in range(metadata.num_row_groups)]
        return [(known.min_raw, known.max_raw) if known and known.has_min_max else _ANY_TIME for known in statistics]

    def read(self, number: int, columns: list[str]) -> Any:
        """Return some columns of a row group."""
        return self._reader.read_row_group(number, columns=columns, use_threads=False)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Group(NamedTuple):
    """The matches of one row group, newest first."""

    partition: _Partition
    number: int  # of the row group in its file
    keys: Keys
    rows: NDArray[np.intp]  # (matches,): their positions in the row group

    def split(self, position: Position) -> tuple[int, int]:
        """Return how many matches are newer than a position, and the index of the first that is older."""
        ascending = -self.keys.timestamps[self.rows]
        first, last = (int(np.searchsorted(ascending, -position.timestamp, side)) for side in ("left", "right"))
        ids = self.keys.ids.take(pa.array(self.rows[first:last])).to_pylist()
        return first + sum(i > position.id for i in ids), first + sum(i >= position.id for i in ids)


class Matches:
    """The events of one workspace that match a filter, streamed in either direction."""

    def __init__(self, workspace: Workspace, wanted: Filter) -> None:
        self._workspace = workspace
        self._wanted = wanted
        first, last = wanted.start // DAY_US, (wanted.end - 1) // DAY_US
        days: set[int] = set()
        for actors in workspace.actors(wanted.start, wanted.end):
            days.update(actors.days_of(wanted.action, wanted.user_id))
        self._days = sorted(day for day in days if first <= day <= last)  # with a match, since 1970-01-01
        self._partitions: dict[int, _Partition | None] = {}  # opened, by day; None: there is none

    def close(self) -> None:
        """Close all files that were opened."""
        for partition in self._partitions.values():
            if partition is not None:
                partition.close()

    def older(self, position: Position) -> Iterator[Hit]:
        """Yield the matches older than a position, newest first."""
        for day in reversed(self._days):
            if day * DAY_US <= position.timestamp:
                for group in self._overlapping(day, self._wanted.start, position.timestamp):
                    for index in range(group.split(position)[1], len(group.rows)):
                        yield Hit(group, index)

    def newer(self, position: Position) -> Iterator[Hit]:
        """Yield the matches newer than a position, oldest first."""
        for day in self._days:
            if (day + 1) * DAY_US > position.timestamp:
                for group in self._overlapping(day, position.timestamp, self._wanted.end - 1, backwards=True):
                    for index in reversed(range(group.split(position)[0])):
                        yield Hit(group, index)

    def contents(self, hits: list[Hit]) -> list[dict[str, Any]]:
        """Return the other columns of some matches, in the same order; instants and ids are in their positions."""
        found: list[dict[str, Any]] = []
        for (partition, number), theirs in groupby(hits, key=lambda hit: (hit.group.partition, hit.group.number)):
            rows = np.array([hit.group.rows[hit.number] for hit in theirs])
            found += self._content(partition, number).take(pa.array(rows)).to_pylist()
        return found

    def _overlapping(self, day: int, earliest: int, latest: int, *, backwards: bool = False) -> Iterator[_Group]:
        """Yield the matches of a day's row groups that overlap `[earliest, latest]`, newest first unless backwards."""
        partition = self._partition(day)
        if partition is None:
            return
        try:
            yield from self._groups(partition, earliest, latest, backwards=backwards)
        except NotFetchedError as error:
            if all(file.size <= _AHEAD_BYTES for file in error.files.values()):
                position = self._days.index(day)
                near = self._days[position:][:_AHEAD] if backwards else self._days[: position + 1][-_AHEAD:]
                gathered(partition.open for partition in map(self._partition, near) if partition is not None)
            raise

    def _groups(self, partition: _Partition, earliest: int, latest: int, *, backwards: bool) -> Iterator[_Group]:
        spans = self._workspace.cached(partition.identity, partition.spans, lambda spans: ENTRY_BYTES * len(spans))
        numbers = range(len(spans))
        for number in reversed(numbers) if backwards else numbers:
            if spans[number][0] <= latest and spans[number][1] >= earliest:
                keys = self._keys(partition, number)
                yield _Group(partition, number, keys, keys.matching(self._wanted))

    def _partition(self, day: int) -> _Partition | None:
        if day not in self._partitions:
            try:
                self._partitions[day] = _Partition(self._workspace.events(utc_day(day * DAY_US)))
            except FileNotFoundError:  # erased a moment ago
                self._partitions[day] = None
        return self._partitions[day]

    def _keys(self, partition: _Partition, number: int) -> Keys:
        def read() -> Keys:
            table = partition.read(number, ["timestamp", "id", "action", "user_id"])
            ids = table.column("id").combine_chunks()
            return Keys(integers(table, "timestamp"), ids, encoded(table, "action"), encoded(table, "user_id"))

        return self._workspace.cached((partition.identity, number, "keys"), read, lambda keys: keys.size_bytes)

    def _content(self, partition: _Partition, number: int) -> Any:
        return self._workspace.cached(
            (partition.identity, number, "content"),
            lambda: partition.read(number, _CONTENT),
            lambda content: _CONTENT_BYTES + content.nbytes,
        )
