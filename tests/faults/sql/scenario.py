"""Merge and roll up the records of `records`, with the statements as they are now, and compare with the oracle.

The old file is loaded by a run; the new ones go through the two steps alone, so that no step before or after them takes
time or hides a wrong row. An erasure merges days again that have no new rows.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.contract.calendar import DAY_US, utc_day
from pipeline.contract.tables import ACTORS, CUBE, MEASURES
from pipeline.load import arrow_files
from pipeline.load.job import Job
from pipeline.load.merge import Bucket, merge
from pipeline.load.raw_source import FolderRaw
from pipeline.load.results import BucketResult
from pipeline.load.rollup import MonthGroup, roll_up
from pipeline.storage.digests import DigestReader
from pipeline.storage.engine import EngineError
from pipeline.storage.folder import FolderStore
from pipeline.storage.parquet import PartitionError
from pipeline.storage.store import Operation
from pipeline.storage.tombstones import Tombstones, hashed
from pipeline.validation.bulk import batch
from tests.faults.sql.records import ADA, NEW, NEWER, OLD, files
from tests.oracle import Event
from tests.oracle.loading import Log, read_log
from tests.support.data_folder import DataFolder
from tests.support.lines import row

_QUARTER_US: Final = 900_000_000
_WORKSPACE: Final = pa.field("workspace_id", pa.string())
_OF_ROLL_UP: Final = ("cube", "actors")  # the statements that the merge does not use

Day = tuple[str, str]  # workspace and UTC day
Tables = dict[str, Any]


class Scenario:
    """Old records that are stored, and new ones to merge with them."""

    def __init__(self, root: Path) -> None:
        self._folder, self._attempts = DataFolder(root), count()
        lines = {name: [json.dumps(record).encode() for record in records] for name, records in files().items()}
        contents = {name: b"\n".join(found) + b"\n" for name, found in lines.items()}
        self._folder.drop(OLD, contents[OLD])
        self._folder.run()
        self._rows = [batch([row(line) for line in lines[name]], source) for source, name in enumerate((NEW, NEWER))]
        old, new = read_log({OLD: contents[OLD]}, self._folder.now), read_log(contents, self._folder.now)
        self._merged = expected(new, _changed(old, new))
        self._merged["accepted"] = {number: new.accounting[name].accepted for number, name in enumerate((NEW, NEWER))}
        # All days with an event of the erased user, and one without.
        self._rerun = sorted({_day(event) for event in old.events.values() if event.user_id == ADA})
        self._rerun.append(max(_day(event) for event in old.events.values() if event.user_id is None))
        self._erased = expected(read_log({OLD: contents[OLD]}, self._folder.now, [ADA]), self._rerun)
        self._erased["accepted"] = {}
        assert self.difference("") is None
        (self._result,) = merge(self._bucket(), self._job(Tombstones()))

    def difference(self, statement: str) -> str | None:
        """Return which table differs from the oracle's, or which error says so; None if all are equal.

        Args:
            statement: the one that may be wrong; what it cannot change is not computed again.
        """
        try:
            if statement not in _OF_ROLL_UP:
                found = _first_difference(self._tables(self._bucket(), self._job(Tombstones())), self._merged)
            else:
                found = _first_difference(_rolled_up(self._result, self._job(Tombstones())), self._merged)
            if found is None and statement == "changed":
                job = self._job(Tombstones(users=frozenset([hashed(ADA)])))
                found = _first_difference(self._tables(Bucket(rerun=self._rerun), job), self._erased)
        except (EngineError, PartitionError, pa.ArrowException, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        return found

    def _tables(self, bucket: Bucket, job: Job) -> Iterator[tuple[str, Any]]:
        """Yield what the steps write, table by table."""
        (result,) = merge(bucket, job)
        yield from _merged(result, job)
        yield from _rolled_up(result, job)

    def _bucket(self) -> Bucket:
        """Return the new rows, in a staged file."""
        job = self._job(Tombstones())
        return Bucket([arrow_files.write(job, f"{job.staging}/rows.arrow", pa.Table.from_batches(self._rows))])

    def _job(self, tombstones: Tombstones) -> Job:
        now = self._folder.now
        root = self._folder.root
        store = FolderStore(root, recorded=DigestReader(root / "state.sqlite"))
        # No file of one attempt is overwritten by another, of which the statement may be wrong.
        attempt = f"{next(self._attempts)}"
        return Job(store, FolderRaw(root / "raw"), "run", now, now + DAY_US, 1, tombstones, attempt=attempt)


def expected(log: Log, days: Collection[Day]) -> Tables:
    """Return what the two steps write of a log when some days have changed."""
    months = {(workspace_id, day[:7]) for workspace_id, day in days}
    events = [event for event in log.events.values() if (event.workspace_id, _day(event)[1][:7]) in months]
    changed = [event for event in events if _day(event) in days]
    of_day: dict[Day, list[Event]] = {day: [] for day in days}
    for event in sorted(changed, key=lambda event: (event.timestamp, event.id.encode()), reverse=True):
        of_day[_day(event)].append(event)
    return {
        "days": sorted(days),
        "events": {day: [json.loads(event.canonical()) for event in found] for day, found in of_day.items()},
        "day_cube": _cube(changed),
        "day_actors": _actors(changed),
        "cube": _cube(events),
        "actors": _actors(events),
    }


def _day(event: Event) -> Day:
    return event.workspace_id, utc_day(event.timestamp).isoformat()


def _changed(old: Log, new: Log) -> set[Day]:
    """Return the days of which an event is new, or has another current version."""
    return {_day(event) for key, event in new.events.items() if old.events.get(key) != event}


def _cube(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    """Return workspace, quarter, locale and the measures, in the order of the published files."""
    rows: dict[tuple[str, int, str | None], Counter[str]] = {}

    def add(event: Event, locale: str | None, **amounts: int) -> None:
        key = event.workspace_id, event.timestamp // _QUARTER_US * _QUARTER_US, locale
        rows.setdefault(key, Counter()).update(amounts)

    for event in events:
        for locale, credits_ in event.share_credits().items():
            add(event, locale, credits=credits_)
        for locale, amounts in event.languages.items():
            add(event, locale, **vars(amounts))
        add(event, None, audio_ms=event.counted_audio_ms)
        if event.action == "workflow_run":
            add(event, None, **{f"runs_{event.run_status}": 1})
    found = [(*key, *(counts[name] for name in MEASURES)) for key, counts in rows.items() if any(counts.values())]
    return sorted(found, key=_cube_key)


def _actors(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    """Return workspace, user, action, day, events and credits, in the order of the published files."""
    rows: dict[tuple[str, str | None, str, str], list[int]] = {}
    for event in events:
        workspace_id, day = _day(event)
        sums = rows.setdefault((workspace_id, event.user_id, event.action, day), [0, 0])
        sums[0] += 1
        sums[1] += event.credits
    found = [(*key, *sums) for key, sums in rows.items()]
    return sorted(found, key=_actors_key)


def _merged(result: BucketResult, job: Job) -> Iterator[tuple[str, Any]]:
    """Yield what the merge returned and staged."""
    yield "days", sorted(result.days)
    yield "accepted", result.accepted
    operations = [operation for found in result.events.values() for operation in found]
    yield "events", {_partition(operation.final): _plain_events(operation, job) for operation in operations}
    cube = _plain(arrow_files.read(job, result.cube[0].uri, pa.schema([_WORKSPACE, *CUBE])))
    yield "day_cube", sorted(cube, key=_cube_key)
    actors = _plain(arrow_files.read(job, result.actors[0].uri, pa.schema([_WORKSPACE, *ACTORS])))
    yield "day_actors", sorted(actors, key=_actors_key)


def _rolled_up(merged: BucketResult, job: Job) -> Iterator[tuple[str, Any]]:
    """Yield what the roll-up stages, in two groups: the last month of the last workspace, then all others.

    The others have days of that month, in another workspace, whose rows would replace what the first group staged.
    """
    months = sorted({(workspace_id, day[:7]) for workspace_id, day in merged.days})
    operations: list[Operation] = []
    for part in (months[-1:], months[:-1]):
        days = [(workspace_id, day) for workspace_id, day in merged.days if (workspace_id, day[:7]) in part]
        result = roll_up(MonthGroup(days, [merged.cube[0]], [merged.actors[0]]), job)
        operations += [operation for found in result.operations.values() for operation in found]
    operations.sort(key=lambda operation: operation.final)
    for name in ("cube", "actors"):
        tables = [_read(operation, job) for operation in operations if operation.final.startswith(f"{name}/")]
        yield name, [row for table in tables for row in _plain(table)]


def _first_difference(found: Iterator[tuple[str, Any]], expected: Mapping[str, Any]) -> str | None:
    return next((name for name, value in found if value != expected[name]), None)


def _cube_key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[0], row[1], row[2] or ""


def _actors_key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[0], row[3], row[2], row[1] or ""


def _partition(uri: str) -> tuple[str, str]:
    _, workspace, day, _ = uri.split("/")
    return workspace.partition("=")[2], day.partition("=")[2]


def _read(operation: Operation, job: Job) -> pa.Table:
    table = pq.ParquetFile(job.store.local(operation.staged)).read()
    workspace = pa.repeat(pa.scalar(_partition(operation.final)[0]), table.num_rows)
    return table.add_column(0, _WORKSPACE, workspace)


def _plain(table: pa.Table) -> list[tuple[Any, ...]]:
    """Return rows as tuples, with instants as microseconds and days as texts."""
    columns = [
        column.cast(pa.int64() if pa.types.is_timestamp(column.type) else pa.string()).to_pylist()
        if pa.types.is_temporal(column.type)
        else column.to_pylist()
        for column in table.columns
    ]
    return list(zip(*columns, strict=True))


def _plain_events(operation: Operation, job: Job) -> list[dict[str, Any]]:
    if operation.kind == "delete":
        return []
    table = _read(operation, job)
    names = table.column_names[1:]
    return [dict(zip(names, row[1:], strict=True)) for row in _plain(table)]
