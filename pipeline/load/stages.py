"""Steps 2 to 4 of a run: cuts them into pieces of work, and runs these in an executor.

The modules of the pieces say what they read and write. Deletes what one step staged for the next as soon as it has been
read: the rows are on the disk once, not twice, and the sync of the commit does not wait for them.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from itertools import groupby, repeat
from typing import TypeVar

import msgspec

from pipeline.grouping import grouped
from pipeline.load import month_groups
from pipeline.load.discovery import Part
from pipeline.load.job import Job
from pipeline.load.merge import Bucket, merge
from pipeline.load.piece import attempt
from pipeline.load.read import read
from pipeline.load.results import BatchResult, BucketResult, PartResult, Results, StagedFile
from pipeline.load.retry import retry
from pipeline.load.rollup import MonthGroup, roll_up
from pipeline.load.session import Session
from pipeline.load.shuffle import LargeBucket, Shuffle, divide
from pipeline.load.splits import ReadSplits, join, split

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


class Batch(msgspec.Struct, frozen=True):
    """Parts that one piece of work reads; a large part comes in splits."""

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
        for batch, result in _attempts(_read, batches, job, pool):
            read_batches.append(result)
            lines = sum(part.counts.lines for part in result.parts)
            session.advance(sum(part.bytes for _, part in batch.parts), lines)
        results = Results(parts=_joined(parts, read_batches, job, pool))
    rows = _divided(_rows(read_batches), job, pool, session)
    lost = [part for part in results.parts if part.is_lost]
    without = [source for part in lost for source in (part.source_of_lines, part.source_of_tail)]
    merge_and_roll_up([Bucket(files, without) for files in rows], results, job, pool, workers, session)
    return results


def merge_and_roll_up(
    buckets: list[Bucket], results: Results, job: Job, pool: Executor, workers: int, session: Session
) -> None:
    """Merge buckets, roll up the months of their changed days, and add the outcome to the results."""
    rows_bytes = sum(file.bytes for bucket in buckets for file in bucket.rows)
    days = sum(len(bucket.rerun) for bucket in buckets)
    number = month_groups.number_of_groups(len(buckets), rows_bytes, days, workers, job.limits)
    job = msgspec.structs.replace(job, groups=number)
    with session.stage("merge", f"merging {len(buckets):,} buckets", len(buckets), "buckets"):
        for passes in each(merge, buckets, job, pool, session, lambda bucket: bucket.rows):
            for result in passes:
                results.add(result)
    groups = _month_groups(results.buckets, number)
    with session.stage("rollup", f"rolling up {len(groups):,} groups of months", len(groups), "groups"):
        results.months += each(roll_up, groups, job, pool, session, lambda group: [*group.cube, *group.actors])


def each(
    function: Callable[[_Piece, Job], _Result],
    pieces: list[_Piece],
    job: Job,
    pool: Executor,
    session: Session,
    inputs: Callable[[_Piece], Iterable[StagedFile]] = lambda _: (),
) -> Iterator[_Result]:
    """Yield the result of each piece of work, in their order.

    Args:
        function: does the work.
        pieces: what it works on.
        job: the run.
        pool: runs the pieces.
        session: reports progress, and stops the run on request.
        inputs: returns the files that only this piece reads, which are deleted after that.
    """
    for piece, result in _attempts(function, pieces, job, pool):
        _delete([file.uri for file in inputs(piece)], job)
        session.advance(1)
        yield result


def _attempts(
    function: Callable[[_Piece, Job], _Result], pieces: list[_Piece], job: Job, pool: Executor
) -> Iterator[tuple[_Piece, _Result]]:
    """Yield each piece of work and its result, in their order."""
    return zip(pieces, pool.map(partial(attempt, function, len(pieces)), pieces, repeat(job)), strict=True)


def _delete(uris: Iterable[str], job: Job) -> None:
    """Delete staged files that nobody reads any more; those that cannot be deleted go with the staging folder."""
    for uri in uris:
        with suppress(OSError):
            job.store.scratch(uri).unlink()


def _batches(parts: list[Part], job: Job) -> list[Batch]:
    """Return the parts in batches, the largest first, so that no process works alone on a large one at the end."""
    splits = [split(part, job.raw, job.limits) for part in parts]
    numbered = [(number, piece) for number, pieces in enumerate(splits) for piece in pieces]
    numbered.sort(key=lambda piece: -piece[1].bytes)
    most_bytes = max(job.limits.batch_bytes, sum(part.bytes for part in parts) // job.limits.batches)
    return [Batch(group) for group in grouped(numbered, lambda piece: piece[1].bytes, most_bytes)]


def _read(batch: Batch, job: Job) -> BatchResult:
    shuffle = Shuffle(job, job.buckets)
    results = [(read if part.retry is None else retry)(part, number, job, shuffle) for number, part in batch.parts]
    splits = {number for number, part in batch.parts if part.end}
    _hand_over([result for result in results if result.number in splits], job)
    whole = [result for result in results if result.number not in splits]
    delivered = iter(job.store.deliver([operation for result in whole for operation in result.operations]))
    for result in whole:
        result.operations = [next(delivered) for _ in result.operations]
    return BatchResult(results, shuffle.close())


def _hand_over(splits: list[PartResult], job: Job) -> None:
    """Let `join` read the rejected lines of splits."""
    operations = [operation for result in splits for operation in result.operations]
    names = iter(job.store.hand_over([operation.staged for operation in operations if operation.kind == "replace"]))
    for result in splits:
        result.operations = [
            msgspec.structs.replace(operation, staged=next(names)) if operation.kind == "replace" else operation
            for operation in result.operations
        ]


def _joined(parts: list[Part], batches: list[BatchResult], job: Job, pool: Executor) -> list[PartResult]:
    """Return the results of the parts, in their order."""
    results = [result for batch in batches for result in batch.parts]
    results.sort(key=lambda result: (result.number, result.offset))
    by_part = [list(splits) for _, splits in groupby(results, key=lambda result: result.number)]
    pieces = [ReadSplits(parts[splits[0].number], splits) for splits in by_part if len(splits) > 1]
    joined = {}
    for piece, result in _attempts(join, pieces, job, pool):
        _delete(piece.staged, job)
        joined[result.number] = result
    return [joined.get(splits[0].number, splits[0]) for splits in by_part]


def _rows(results: list[BatchResult]) -> list[list[StagedFile]]:
    """Return the files of each bucket that has rows."""
    rows: dict[int, list[StagedFile]] = {}
    for result in results:
        for bucket, file in result.rows.items():
            rows.setdefault(bucket, []).append(file)
    return [files for _, files in sorted(rows.items())]


def _divided(rows: list[list[StagedFile]], job: Job, pool: Executor, session: Session) -> list[list[StagedFile]]:
    """Return the files of each bucket, after dividing the buckets that turned out to be too large."""
    sized = [LargeBucket(files, _pieces(files, job)) for files in rows]
    large = [bucket for bucket in sized if bucket.pieces > 1]
    if not large:
        return rows
    with session.stage("divide", f"dividing {len(large):,} large buckets", len(large), "buckets"):
        results = each(divide, large, job, pool, session, lambda bucket: bucket.rows)
        divided = [files for pieces in results for files in pieces]
    return [bucket.rows for bucket in sized if bucket.pieces == 1] + divided


def _pieces(files: list[StagedFile], job: Job) -> int:
    """Return how many buckets a bucket is divided into."""
    size = sum(file.bytes for file in files)
    return min(max(1, size // job.limits.bucket_rows_bytes), job.limits.buckets)


def _month_groups(buckets: list[BucketResult], groups: int) -> list[MonthGroup]:
    """Return the groups of months that have changed days, the largest first."""
    days: dict[int, list[tuple[str, str]]] = {}
    for workspace_id, day in sorted(day for bucket in buckets for day in bucket.days):
        days.setdefault(month_groups.group_of(workspace_id, day[:7], groups), []).append((workspace_id, day))
    return [
        MonthGroup(
            days=of_group,
            cube=[bucket.cube[group] for bucket in buckets if group in bucket.cube],
            actors=[bucket.actors[group] for bucket in buckets if group in bucket.actors],
        )
        for group, of_group in sorted(days.items(), key=lambda item: -len(item[1]))
    ]
