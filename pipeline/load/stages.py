"""Steps 2 to 4 of a run: cuts them into pieces of work, and runs these in an executor.

Reads and writes nothing itself; the modules of the pieces say what they read and write.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from itertools import groupby
from typing import Final, TypeVar

import msgspec

from pipeline.grouping import grouped
from pipeline.load.discovery import Part
from pipeline.load.job import Job, Resources
from pipeline.load.merge import Bucket, merge
from pipeline.load.read import read
from pipeline.load.results import BatchResult, BucketResult, PartResult, Results
from pipeline.load.retry import retry
from pipeline.load.rollup import MonthGroup, roll_up
from pipeline.load.session import Session
from pipeline.load.shuffle import LargeBucket, Shuffle, divide
from pipeline.load.splits import join, split

_ENGINES_MEMORY_MB: Final = 400  # of all engines that work at once

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


class Batch(msgspec.Struct, frozen=True):
    """Parts that one piece of work reads; a large part comes in splits."""

    number: int
    parts: list[tuple[int, Part]]  # each with its number in the run, which all splits of a part share


def load(parts: list[Part], job: Job, pool: Executor, workers: int, session: Session) -> Results:
    """Do all the work between discovery and commit.

    Args:
        parts: what is to be read.
        job: the run.
        pool: runs the pieces of work.
        workers: how many pieces it runs at once.
        session: reports progress, and stops the run on request.
    """
    batches, read_batches = _batches(parts, job), []
    size = sum(part.bytes for part in parts)
    with session.stage("validate", f"reading {len(parts):,} files, about {size:,} bytes", size, "bytes"):
        for batch, result in zip(batches, pool.map(_read, batches, [job] * len(batches)), strict=True):
            read_batches.append(result)
            lines = sum(part.counts.lines for part in result.parts)
            session.advance(sum(part.bytes for _, part in batch.parts), lines)
        results = Results(parts=_joined(parts, read_batches, job))
    rows = _divided(_rows(read_batches), job, pool, session)
    share = resources(min(workers, len(rows)))
    lost = [part for part in results.parts if part.is_lost]
    without = [source for part in lost for source in (part.source_of_lines, part.source_of_tail)]
    buckets = [Bucket(number, uris, without, share) for number, uris in enumerate(rows)]
    merge_and_roll_up(buckets, results, job, pool, workers, session)
    return results


def merge_and_roll_up(
    buckets: list[Bucket], results: Results, job: Job, pool: Executor, workers: int, session: Session
) -> None:
    """Merge buckets, roll up the months of their changed days, and add the outcome to the results."""
    with session.stage("merge", f"merging {len(buckets):,} buckets", len(buckets), "buckets"):
        for passes in each(merge, buckets, job, pool, session):
            for result in passes:
                results.add(result)
    groups = _month_groups(results.buckets, workers)
    with session.stage("rollup", f"rolling up {len(groups):,} groups of months", len(groups), "groups"):
        results.months += each(roll_up, groups, job, pool, session)


def each(
    function: Callable[[_Piece, Job], _Result], pieces: list[_Piece], job: Job, pool: Executor, session: Session
) -> Iterator[_Result]:
    """Yield the result of each piece of work, in their order."""
    for result in pool.map(function, pieces, [job] * len(pieces)):
        session.advance(1)
        yield result


def resources(at_once: int) -> Resources:
    """Return the resources of each piece of work, if `at_once` of them run at the same time."""
    at_once = max(1, at_once)
    return Resources(max(1, (os.cpu_count() or 1) // at_once), f"{_ENGINES_MEMORY_MB // at_once}MB")


def _batches(parts: list[Part], job: Job) -> list[Batch]:
    """Return the parts in batches, the largest first, so that no process works alone on a large one at the end."""
    numbered = [(number, piece) for number, part in enumerate(parts) for piece in split(part, job.limits)]
    numbered.sort(key=lambda piece: -piece[1].bytes)
    most_bytes = max(job.limits.batch_bytes, sum(part.bytes for part in parts) // job.limits.batches)
    groups = grouped(numbered, lambda piece: piece[1].bytes, most_bytes)
    return [Batch(number, group) for number, group in enumerate(groups)]


def _read(batch: Batch, job: Job) -> BatchResult:
    shuffle = Shuffle(job, batch.number, job.buckets)
    results = [(read if part.retry is None else retry)(part, number, job, shuffle) for number, part in batch.parts]
    return BatchResult(results, shuffle.close())


def _joined(parts: list[Part], batches: list[BatchResult], job: Job) -> list[PartResult]:
    """Return the results of the parts, in their order."""
    results = [result for batch in batches for result in batch.parts]
    results.sort(key=lambda result: (result.number, result.offset))
    return [
        join(parts[number], list(splits), job) for number, splits in groupby(results, key=lambda result: result.number)
    ]


def _rows(results: list[BatchResult]) -> list[list[str]]:
    """Return the files of each bucket that has rows."""
    rows: dict[int, list[str]] = {}
    for result in results:
        for bucket, uri in result.rows.items():
            rows.setdefault(bucket, []).append(uri)
    return [uris for _, uris in sorted(rows.items())]


def _divided(rows: list[list[str]], job: Job, pool: Executor, session: Session) -> list[list[str]]:
    """Return the files of each bucket, after dividing the buckets that turned out to be too large."""
    sized = [LargeBucket(uris, _pieces(uris, job)) for uris in rows]
    large = [bucket for bucket in sized if bucket.pieces > 1]
    if not large:
        return rows
    with session.stage("divide", f"dividing {len(large):,} large buckets", len(large), "buckets"):
        divided = [uris for pieces in each(divide, large, job, pool, session) for uris in pieces]
    return [bucket.rows for bucket in sized if bucket.pieces == 1] + divided


def _pieces(uris: list[str], job: Job) -> int:
    """Return how many buckets a bucket is divided into."""
    size = sum(job.store.local(uri).stat().st_size for uri in uris)
    return min(max(1, size // job.limits.bucket_rows_bytes), job.limits.buckets)


def _month_groups(buckets: list[BucketResult], workers: int) -> list[MonthGroup]:
    """Return the months that have changed days, in groups with about the same number of days each."""
    days = sorted(day for bucket in buckets for day in bucket.days)
    months: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for workspace_id, day in days:
        months.setdefault((workspace_id, day[:7]), []).append((workspace_id, day))
    wanted = min(len(months), max(workers, len(buckets) // 4))
    groups: list[list[tuple[str, str]]] = []
    for changed in months.values():
        if not groups or len(groups[-1]) * wanted >= len(days):
            groups.append([])
        groups[-1] += changed
    share = resources(min(workers, len(groups)))
    cube = [bucket.cube for bucket in buckets if bucket.cube]
    actors = [bucket.actors for bucket in buckets if bucket.actors]
    return [MonthGroup(number, group, cube, actors, share) for number, group in enumerate(groups)]
