"""Steps 2, 3 and 4 of a run: its pieces of work, each with its share of the machine, done by an executor.

Reads nothing and writes nothing itself; what the pieces read and write, their modules say.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import Final, Protocol, TypeVar

from pipeline.folding import Bucket, Power, fold
from pipeline.job import Job
from pipeline.listing import Part
from pipeline.months import Months, merge
from pipeline.reading import read
from pipeline.reports import BucketReport, PartReport, Work
from pipeline.retrying import again

# Of all engines that are at work at once.
_ENGINES_MEMORY_MB: Final = 400

_Result = TypeVar("_Result")


class Watch(Protocol):
    """How the work is watched, timed and stopped."""

    def stage(self, name: str, what: str, total: int, unit: str) -> AbstractContextManager[None]:
        """Time a stage and tell that it begins."""

    def advance(self, done: int, lines: int = 0) -> None:
        """Tell that more of it is done; raises where the run is to be stopped."""


def do(parts: list[Part], job: Job, pool: Executor, workers: int, watch: Watch) -> Work:
    """Do all the work between the listing and the commit."""
    work = Work()
    parts = sorted(parts, key=lambda part: -part.bytes)  # the largest first, so that none is left to one process alone
    size = sum(part.bytes for part in parts)
    with watch.stage("judge", f"reading {len(parts):,} files, about {size:,} bytes", size, "bytes"):
        jobs = [job] * len(parts)
        for part, report in zip(parts, pool.map(_read, parts, range(len(parts)), jobs), strict=True):
            work.parts.append(report)
            watch.advance(part.bytes, report.counts.lines)
    buckets = _buckets(work.parts, workers)
    with watch.stage("fold", f"folding {len(buckets):,} buckets", len(buckets), "buckets"):
        work.buckets = _each(fold, buckets, job, pool, watch)
    groups = _groups(work.buckets, job, workers)
    with watch.stage("months", f"folding {len(groups):,} groups of months", len(groups), "groups"):
        work.months = _each(merge, groups, job, pool, watch)
    return work


_Piece = TypeVar("_Piece")


def _each(
    function: Callable[[_Piece, Job], _Result], pieces: Iterable[_Piece], job: Job, pool: Executor, watch: Watch
) -> list[_Result]:
    pieces, results = list(pieces), []
    for result in pool.map(function, pieces, [job] * len(pieces)):
        results.append(result)
        watch.advance(1)
    return results


def _read(part: Part, number: int, job: Job) -> PartReport:
    return read(part, number, job) if part.retry is None else again(part, number, job)


def _power(at_once: int) -> Power:
    """Return what each of some pieces of work that are done at once may use."""
    at_once = max(1, at_once)
    return Power(max(1, (os.cpu_count() or 1) // at_once), f"{_ENGINES_MEMORY_MB // at_once}MB")


def _buckets(reports: list[PartReport], workers: int) -> list[Bucket]:
    """Return the buckets that have rows."""
    rows: dict[int, list[str]] = {}
    for report in reports:
        for bucket, uri in report.rows.items():
            rows.setdefault(bucket, []).append(uri)
    power = _power(min(workers, len(rows)))
    return [Bucket(number, uris, power) for number, uris in sorted(rows.items())]


def _groups(folded: list[BucketReport], job: Job, workers: int) -> list[Months]:
    """Return the months with changed days, in groups of about as many days each."""
    days = sorted(day for bucket in folded for day in bucket.days)
    months: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for workspace_id, day in days:
        months.setdefault((workspace_id, day[:7]), []).append((workspace_id, day))
    wanted = min(len(months), max(workers, job.buckets // 4))
    groups: list[list[tuple[str, str]]] = []
    for changed in months.values():
        if not groups or len(groups[-1]) * wanted >= len(days):
            groups.append([])
        groups[-1] += changed
    power = _power(min(workers, len(groups)))
    cube, actors = [bucket.cube for bucket in folded], [bucket.actors for bucket in folded]
    return [Months(number, group, cube, actors, power) for number, group in enumerate(groups)]
