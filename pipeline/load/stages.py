"""Steps 2, 3 and 4 of a run: its pieces of work, each with its share of the machine, done by an executor.

Reads nothing and writes nothing itself; what the pieces read and write, their modules say.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Final, Protocol, TypeVar

import msgspec

from pipeline.contract.tables import Month, events_path
from pipeline.erasure.plan import ErasurePlan
from pipeline.erasure.rejects import sift
from pipeline.load.discovery import Part
from pipeline.load.job import BUCKETS_MAX, Job
from pipeline.load.merge import Bucket, Resources, merge
from pipeline.load.read import read
from pipeline.load.results import BatchResult, BucketResult, PartResult, Results, RollupResult
from pipeline.load.retry import rerun
from pipeline.load.rollup import MonthGroup, roll_up
from pipeline.load.shuffle import LargeBucket, Shuffle, divide
from pipeline.load.splits import join, split
from pipeline.storage.store import Operation

# Of all engines that are at work at once.
_ENGINES_MEMORY_MB: Final = 400

# Small parts are read in batches of this size, of very many in about so many batches: each leaves a file for every
# bucket.
_BATCH_BYTES: Final = 16_000_000
_BATCHES: Final = 512

# A bucket whose staged rows are twice as large as this is divided. Most have about as much, the largest half more,
# unless a rebuild would need more buckets than it may have, or compressed logs hold more than they were taken for.
_ROWS_BYTES: Final = 28_000_000

# Days to be folded once more come in buckets of so many, enough to be worth an engine.
_DAYS: Final = 256

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


class Watch(Protocol):
    """How the work is watched, timed and stopped."""

    def stage(self, name: str, what: str, total: int, unit: str) -> AbstractContextManager[None]:
        """Time a stage and tell that it begins."""

    def advance(self, done: int, lines: int = 0) -> None:
        """Tell that more of it is done; raises where the run is to be stopped."""


class Batch(msgspec.Struct, frozen=True):
    """Parts that are read one after the other, so that many small ones make few files; large ones are in splits."""

    number: int
    parts: list[tuple[int, Part]]  # each with its number in the run, which the splits of a part share


def do(parts: list[Part], job: Job, pool: Executor, workers: int, watch: Watch) -> Results:
    """Do all the work between the listing and the commit."""
    batches, read_batches = _batches(parts), []
    size = sum(part.bytes for part in parts)
    with watch.stage("validate", f"reading {len(parts):,} files, about {size:,} bytes", size, "bytes"):
        for batch, report in zip(batches, pool.map(_read, batches, [job] * len(batches)), strict=True):
            read_batches.append(report)
            lines = sum(part.counts.lines for part in report.parts)
            watch.advance(sum(part.bytes for _, part in batch.parts), lines)
        work = Results(parts=_joined(parts, read_batches, job))
    buckets = _buckets(_divided(_rows(read_batches), job, pool, watch), work.parts, workers)
    _merge_and_roll_up(buckets, work, job, pool, workers, watch)
    return work


def _merge_and_roll_up(
    buckets: list[Bucket], work: Results, job: Job, pool: Executor, workers: int, watch: Watch
) -> None:
    with watch.stage("merge", f"merging {len(buckets):,} buckets", len(buckets), "buckets"):
        for portions in _each(merge, buckets, job, pool, watch):
            for portion in portions:
                work.add(portion)
    groups = _groups(work.buckets, workers)
    with watch.stage("rollup", f"rolling up {len(groups):,} groups of months", len(groups), "groups"):
        work.months += _each(roll_up, groups, job, pool, watch)


def erase(plan: ErasurePlan, job: Job, pool: Executor, workers: int, watch: Watch) -> Results:
    """Do the same for what is to go: no lines are read but those in quarantine."""
    work = Results(orphans=[Operation("delete", uri) for uri in plan.orphans])
    parts = list(enumerate(plan.rejected))
    with watch.stage("rejects", f"checking the rejected lines of {len(parts):,} files", len(parts), "files"):
        work.parts = list(_each(sift, parts, job, pool, watch))
    going: dict[str, list[Operation]] = {}
    for workspace_id, day in plan.partitions:
        going.setdefault(workspace_id, []).append(Operation("delete", events_path(workspace_id, day)))
    months: dict[str, dict[str, Month | None]] = {}
    for workspace_id, month in plan.months:
        months.setdefault(workspace_id, {})[month] = None
    work.months.append(RollupResult({}, months))
    work.buckets.append(BucketResult({}, going, plan.cut))
    pieces = [plan.rerun[start : start + _DAYS] for start in range(0, len(plan.rerun), _DAYS)]
    resources = _power(min(workers, len(pieces)))
    _merge_and_roll_up(
        [Bucket(number, [], [], resources, days) for number, days in enumerate(pieces)], work, job, pool, workers, watch
    )
    return work


def _each(
    function: Callable[[_Piece, Job], _Result], pieces: list[_Piece], job: Job, pool: Executor, watch: Watch
) -> Iterator[_Result]:
    for result in pool.map(function, pieces, [job] * len(pieces)):
        watch.advance(1)
        yield result


def _batches(parts: list[Part]) -> list[Batch]:
    """Return the parts in batches, the largest first, so that none is left to one process alone at the end."""
    numbered = [(number, piece) for number, part in enumerate(parts) for piece in split(part)]
    batches: list[Batch] = []
    size, most = 0, max(_BATCH_BYTES, sum(part.bytes for part in parts) // _BATCHES)
    for number, part in sorted(numbered, key=lambda piece: -piece[1].bytes):
        if not batches or size + part.bytes > most:
            batches.append(Batch(len(batches), []))
            size = 0
        batches[-1].parts.append((number, part))
        size += part.bytes
    return batches


def _read(batch: Batch, job: Job) -> BatchResult:
    shuffle = Shuffle(job, batch.number, job.buckets)
    reports = [(read if part.retry is None else rerun)(part, number, job, shuffle) for number, part in batch.parts]
    return BatchResult(reports, shuffle.close())


def _joined(parts: list[Part], batches: list[BatchResult], job: Job) -> list[PartResult]:
    """Return the reports of the parts, in their order."""
    reports = [report for batch in batches for report in batch.parts]
    reports.sort(key=lambda report: (report.number, report.offset))
    return [
        join(parts[number], list(splits), job) for number, splits in groupby(reports, key=lambda report: report.number)
    ]


def _power(at_once: int) -> Resources:
    """Return what each of some pieces of work that are done at once may use."""
    at_once = max(1, at_once)
    return Resources(max(1, (os.cpu_count() or 1) // at_once), f"{_ENGINES_MEMORY_MB // at_once}MB")


def _rows(reports: list[BatchResult]) -> list[list[str]]:
    """Return the files of each bucket that has rows."""
    rows: dict[int, list[str]] = {}
    for report in reports:
        for bucket, uri in report.rows.items():
            rows.setdefault(bucket, []).append(uri)
    return [uris for _, uris in sorted(rows.items())]


def _divided(rows: list[list[str]], job: Job, pool: Executor, watch: Watch) -> list[list[str]]:
    """Return the files of each bucket, after those that turned out too large were divided."""
    sized = [LargeBucket(uris, _parts(uris, job)) for uris in rows]
    large = [bucket for bucket in sized if bucket.parts > 1]
    if not large:
        return rows
    with watch.stage("divide", f"dividing {len(large):,} large buckets", len(large), "buckets"):
        divided = [uris for parts in _each(divide, large, job, pool, watch) for uris in parts]
    return [bucket.rows for bucket in sized if bucket.parts == 1] + divided


def _parts(uris: list[str], job: Job) -> int:
    """Return into how many buckets one is to be divided."""
    size = sum(job.store.path(uri).stat().st_size for uri in uris)
    return min(max(1, size // _ROWS_BYTES), BUCKETS_MAX)


def _buckets(rows: list[list[str]], parts: list[PartResult], workers: int) -> list[Bucket]:
    """Return what is to be folded; the rows of parts that broke off are left out."""
    resources = _power(min(workers, len(rows)))
    lost = [part for part in parts if part.is_lost]
    without = [source for part in lost for source in (part.source_of_lines, part.source_of_tail)]
    return [Bucket(number, uris, without, resources) for number, uris in enumerate(rows)]


def _groups(folded: list[BucketResult], workers: int) -> list[MonthGroup]:
    """Return the months with changed days, in groups of about as many days each."""
    days = sorted(day for bucket in folded for day in bucket.days)
    months: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for workspace_id, day in days:
        months.setdefault((workspace_id, day[:7]), []).append((workspace_id, day))
    wanted = min(len(months), max(workers, len(folded) // 4))
    groups: list[list[tuple[str, str]]] = []
    for changed in months.values():
        if not groups or len(groups[-1]) * wanted >= len(days):
            groups.append([])
        groups[-1] += changed
    resources = _power(min(workers, len(groups)))
    cube, actors = [bucket.cube for bucket in folded if bucket.cube], [b.actors for b in folded if b.actors]
    return [MonthGroup(number, group, cube, actors, resources) for number, group in enumerate(groups)]
