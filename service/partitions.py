"""The events of one workspace that match a filter, in order, read from as few places as possible.

Reads the day partitions (rows newest first, by timestamp and id descending): only days on which the actors table saw a
match, only row groups whose times overlap, the key columns before the others. Files stay open until the page is
finished, so that one that is replaced meanwhile is still read as it was.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.calendar import DAY_US, utc_day
from pipeline.tables import Action
from service.blocks import Integers
from service.snapshots import Workspace

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


class Hit(NamedTuple):
    """One match: which one of its row group."""

    group: "_Group"
    number: int

    @property
    def position(self) -> Position:
        """Return its place in the order."""
        return Position(int(self.group.timestamps[self.number]), self.group.ids[self.number].as_py())


class _Group(NamedTuple):
    """The matches of one row group, newest first."""

    file: Any
    number: int
    rows: NDArray[np.intp]
    timestamps: Integers
    ids: Any  # Arrow strings: turned into Python's only where one is looked at

    def split(self, position: Position) -> tuple[int, int]:
        """Return how many matches are newer than a position, and the first index that is older."""
        ascending = -self.timestamps
        first, last = (int(np.searchsorted(ascending, -position.timestamp, side)) for side in ("left", "right"))
        ids = self.ids[first:last].to_pylist()
        return first + sum(i > position.id for i in ids), first + sum(i >= position.id for i in ids)


class Matches:
    """The matches of a filter in one workspace, as a stream in either direction."""

    def __init__(self, workspace: Workspace, wanted: Filter) -> None:
        self._workspace = workspace
        self._wanted = wanted
        first, last = wanted.start // DAY_US, (wanted.end - 1) // DAY_US
        days: set[int] = set()
        for actors in workspace.actors(wanted.start, wanted.end):
            days.update(actors.days_of(wanted.action, wanted.user_id))
        self._days = sorted(day for day in days if first <= day <= last)
        self._files: dict[int, Any] = {}
        self._groups: dict[tuple[int, int], _Group] = {}

    def close(self) -> None:
        """Close the files that were opened."""
        for file in self._files.values():
            if file is not None:
                file.close()

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

    def _overlapping(self, day: int, earliest: int, latest: int, *, backwards: bool = False) -> Iterator[_Group]:
        file = self._open(day)
        if file is None:
            return
        numbers = range(file.metadata.num_row_groups)
        for number in reversed(numbers) if backwards else numbers:
            if _overlaps(file.metadata, number, earliest, latest):
                yield self._group(day, number)

    def _open(self, day: int) -> Any:
        if day not in self._files:
            try:
                self._files[day] = pq.ParquetFile(self._workspace.events_path(utc_day(day * DAY_US)))
            except FileNotFoundError:  # forgotten or expired a moment ago
                self._files[day] = None
        return self._files[day]

    def _group(self, day: int, number: int) -> _Group:
        group = self._groups.get((day, number))
        if group is None:
            group = self._groups[day, number] = _read_group(self._open(day), number, self._wanted)
        return group


def contents(hits: list[Hit]) -> list[dict[str, Any]]:
    """Return what matches say, in the same order; instants and ids are in their positions."""
    by_group: dict[int, list[int]] = {}
    for place, hit in enumerate(hits):
        by_group.setdefault(id(hit.group), []).append(place)
    rows: dict[int, dict[str, Any]] = {}
    for places in by_group.values():
        group = hits[places[0]].group
        wanted = [int(group.rows[hits[place].number]) for place in places]
        # Decodes no more than the rows up to the last one wanted.
        batches = group.file.iter_batches(
            batch_size=max(wanted) + 1, row_groups=[group.number], columns=_CONTENT, use_threads=False
        )
        rows.update(zip(places, next(batches).take(pa.array(wanted)).to_pylist(), strict=True))
    return [rows[place] for place in range(len(hits))]


def _read_group(file: Any, number: int, wanted: Filter) -> _Group:
    filtered = {"action": wanted.action, "user_id": wanted.user_id}
    names = [name for name, value in filtered.items() if value is not None]
    table = file.read_row_group(number, columns=["timestamp", "id", *names], use_threads=False)
    timestamps: Integers = table.column("timestamp").cast(pa.int64()).to_numpy()
    matching = (timestamps >= wanted.start) & (timestamps < wanted.end)
    for name in names:
        equal = pc.fill_null(pc.equal(table.column(name), filtered[name]), False)
        matching &= equal.to_numpy()
    rows = np.flatnonzero(matching)
    return _Group(file, number, rows, timestamps[rows], table.column("id").combine_chunks().take(pa.array(rows)))


def _overlaps(metadata: Any, number: int, earliest: int, latest: int) -> bool:
    column = metadata.schema.names.index("timestamp")
    statistics = metadata.row_group(number).column(column).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return bool(statistics.min_raw <= latest and statistics.max_raw >= earliest)
