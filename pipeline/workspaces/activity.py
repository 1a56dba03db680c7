"""What the tables say of one workspace: its events and credits, its first and last event, and how late events came.

Reads its files of `actors`, and only those partitions of `events` that have the first event, the last one, or one of
the last days; writes nothing. Days are counted from 1970-01-01, instants and spans are in microseconds.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.contract.calendar import DAY_US, utc_day
from pipeline.contract.tables import ACTORS, EVENTS, Month, events_path
from pipeline.storage.damage import READING, refuse_shortage
from pipeline.storage.parquet import to_schema
from pipeline.storage.store import DamagedError, Store

_COUNTED: Final = pa.schema([ACTORS.field(name) for name in ("day", "events", "credits")])
_INSTANTS: Final = pa.schema([EVENTS.field(name) for name in ("timestamp", "recorded_at")])

Integers = NDArray[np.int64]


class Activity(NamedTuple):
    """What the tables say of a workspace.

    Attributes:
        events: all of them.
        first: the earliest `timestamp`; None without events.
        last: the latest one, likewise.
        credits: of the last days.
        lateness: the percentiles of `recorded_at` - `timestamp` of the events of the last days; None without any.
    """

    events: int = 0
    first: int | None = None
    last: int | None = None
    credits: int = 0
    lateness: tuple[int, ...] | None = None


class OvertakenError(Exception):
    """Raised when files of a workspace are of different commits."""


class _Counts(NamedTuple):
    """The events of a UTC day, and their credits."""

    events: int
    credits: int


class _Instants(NamedTuple):
    """When the events of a UTC day happened.

    Attributes:
        first: the earliest `timestamp`.
        last: the latest one.
        lateness: `recorded_at` - `timestamp` of each event: `(events,)`.
    """

    first: int
    last: int
    lateness: Integers


class ActivityReader:
    """Reads what the tables say of workspaces.

    Args:
        now: an instant; its day is the last of the last days.
        before: only workspaces that have events, all of which are before this instant; None for all workspaces.
        last_days: how many days these are.
        percents: which percentiles are wanted.
    """

    def __init__(self, now: int, before: int | None, last_days: int, percents: Sequence[int]) -> None:
        self._today, self._before = now // DAY_US, before
        self._last_days, self._percents = last_days, percents

    def read(self, store: Store, workspace_id: str, months: Mapping[str, Month], *, strict: bool) -> Activity | None:
        """Return what the tables say of a workspace; None if it is not wanted.

        Args:
            store: the published files.
            workspace_id: of the workspace.
            months: its current files.
            strict: whether all files must be of the same commit. They are not while a commit is at work, or waits for
                the next run to finish it.

        Raises:
            OvertakenError: they are not.
            DamagedError: a file cannot be read, or does not exist.
        """
        counts = _count(store, [month.actors for month in months.values()])
        if self._before is not None and not _ends_before(self._before, store, workspace_id, counts):
            return None
        if not counts:
            return Activity()
        last_days = [day for day in counts if 0 <= self._today - day < self._last_days]
        found = _instants(store, workspace_id, {min(counts), max(counts), *last_days})
        if strict and any(counts[day].events != len(instants.lateness) for day, instants in found.items()):
            raise OvertakenError
        lateness = [found[day].lateness for day in last_days]
        return Activity(
            events=sum(day.events for day in counts.values()),
            first=found[min(counts)].first,
            last=found[max(counts)].last,
            credits=sum(counts[day].credits for day in last_days),
            lateness=percentiles(np.concatenate(lateness), self._percents) if lateness else None,
        )


def percentiles(values: Integers, percents: Sequence[int]) -> tuple[int, ...]:
    """Return for each percentage the smallest value that is not exceeded by so many percent of the values.

    Args:
        values: at least one: `(values,)`.
        percents: from 1 to 100.
    """
    places = [-(-len(values) * percent // 100) - 1 for percent in percents]
    ordered = np.partition(values, places)
    return tuple(int(ordered[place]) for place in places)


def _count(store: Store, uris: Sequence[str]) -> dict[int, _Counts]:
    """Return how much there is on each day that has events, from files of `actors`."""
    with store.copies(uris):
        files = [_read(store, uri, _COUNTED) for uri in uris]
    if not files:
        return {}
    day, *measures = (np.concatenate(column) for column in zip(*files, strict=True))
    days, places = np.unique(day, return_inverse=True)
    sums = np.zeros((len(days), len(measures)), np.int64)
    np.add.at(sums, places, np.stack(measures, axis=1))  # exact, unlike `bincount` with weights
    return {number: _Counts(*counts) for number, counts in zip(days.tolist(), sums.tolist(), strict=True)}


def _ends_before(instant: int, store: Store, workspace_id: str, counts: Mapping[int, _Counts]) -> bool:
    """Return whether there are events, all of which are before an instant; mostly the days alone say so."""
    if not counts:
        return False
    last = max(counts)
    if not last * DAY_US < instant < (last + 1) * DAY_US:
        return last * DAY_US < instant
    return _instants(store, workspace_id, [last])[last].last < instant


def _instants(store: Store, workspace_id: str, days: Collection[int]) -> dict[int, _Instants]:
    """Return when the events of some days happened."""
    uris = {day: events_path(workspace_id, utc_day(day * DAY_US).isoformat()) for day in sorted(days)}
    found = {}
    with store.copies(uris.values()):
        for day, uri in uris.items():
            timestamps, recorded_at = _read(store, uri, _INSTANTS)
            if not timestamps.size:
                raise DamagedError(uri, "it has no rows")
            found[day] = _Instants(int(timestamps.min()), int(timestamps.max()), recorded_at - timestamps)
    return found


def _read(store: Store, uri: str, columns: pa.Schema) -> list[Integers]:
    """Return some columns of a file as integers.

    Raises:
        DamagedError: it cannot be read, or does not exist.
    """
    try:
        with pa.OSFile(str(store.local(uri))) as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            found = to_schema(parquet.read(columns.names, use_threads=False), columns)
    except FileNotFoundError:
        raise DamagedError(uri, "it does not exist") from None
    except READING as error:
        refuse_shortage(error)
        raise DamagedError(uri, str(error)) from None
    return [_integers(column) for column in found.columns]


def _integers(column: pa.ChunkedArray) -> Integers:
    if pa.types.is_date(column.type):
        column = column.cast(pa.int32())
    found: Integers = column.cast(pa.int64()).to_numpy()
    return found
