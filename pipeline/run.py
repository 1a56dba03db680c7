"""One run of the pipeline: list → judge → events → cube and actors → commit.

Reads `raw/` and the tables; writes the tables. The steps:

    1  listing.changed     which raw files are new, changed or longer
    2  reading.read        every line judged; good ones sorted into buckets, bad ones into the quarantine
    3  folding.fold        each bucket's standing versions into the events partitions,
    4                      the touched days of these into cube and actors
    5  publishing.compose  what becomes of all files, the manifest of each workspace behind its tables
    6  commit.commit       all of it, or nothing until the next run
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final, TypeVar

from filelock import FileLock, Timeout
from ulid import ULID

from pipeline import accounting, commit, listing, publishing
from pipeline.accounting import RunReport
from pipeline.calendar import DAY_US, SECOND_US
from pipeline.folding import Bucket, BucketReport, fold
from pipeline.reading import Job, PartReport, read
from pipeline.rebuilding import Rebuild, refuse_loss
from pipeline.settings import Settings
from pipeline.state import State
from pipeline.store import Store
from pipeline.tables import RAW

# An event may be this far ahead of the run that reads it: not every producer's clock is right.
_AHEAD_US: Final = DAY_US
_BUCKET_BYTES: Final = 100_000_000
# Below this a run is over before other processes have started.
_PROCESSES_BYTES: Final = 8_000_000
_ENGINES_MEMORY_MB: Final = 600

_Result = TypeVar("_Result")


class BusyError(RuntimeError):
    """Raised when another run is at work on the same data folder."""


def run(
    settings: Settings,
    now: int,
    paths: Iterable[Path] = (),
    tell: Callable[[str], None] = lambda _: None,
    rebuild: Rebuild | None = None,
    pause: Callable[[], None] = lambda: None,
) -> RunReport:
    """Load what is new and publish it.

    Args:
        settings: the data folder and how many processes may work.
        now: when the run starts, in microseconds UTC.
        paths: raw files or folders to read instead of everything in `raw/`.
        tell: is told of each stage when it begins.
        rebuild: what is to be made anew from all raw files.
        pause: is called wherever the run can be stopped without harm; to stop it, it raises.

    Raises:
        BusyError: another run is at work.
        RawGoneError: a rebuild would lose events.
        FileNotFoundError: one of `paths` is not there.
    """
    store = Store(settings.data_dir.absolute())
    store.path(RAW).mkdir(parents=True, exist_ok=True)
    lock = FileLock(store.path("run.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(f"another run is at work on {settings.data_dir}") from None
    try:
        state = State(store.path("state.sqlite"))
        try:
            return _run(store, state, now, list(paths), settings.workers or os.cpu_count() or 1, tell, rebuild, pause)
        finally:
            state.close()
    finally:
        lock.release()


def _run(
    store: Store,
    state: State,
    now: int,
    paths: list[Path],
    workers: int,
    tell: Callable[[str], None],
    rebuild: Rebuild | None,
    pause: Callable[[], None],
) -> RunReport:
    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: str, what: str) -> Iterator[None]:
        tell(what)
        start = perf_counter()
        yield
        seconds[name] = round(perf_counter() - start, 3)

    with stage("recover", "looking for an unfinished commit"):
        commit.recover(store, state)
        store.clear("staging")
    with stage("list", "listing raw files"):
        entries = state.entries()
        parts = listing.changed(store.path(RAW), {} if rebuild else entries, paths)
    if rebuild:
        refuse_loss(rebuild, entries, {part.source_file for part in parts}, store.path(RAW))
    size = sum(part.bytes for part in parts)
    job = Job(
        store=store,
        run=str(ULID.from_timestamp(now / SECOND_US)),
        started=now,
        latest=now + _AHEAD_US,
        buckets=max(1, round(size / _BUCKET_BYTES)),
        force=state.has_forgotten(),
        rebuild=rebuild,
    )
    workers = workers if size > _PROCESSES_BYTES else 1
    with _executor(workers) as executor:
        with stage("judge", f"reading {len(parts):,} files, about {size:,} bytes"):
            reports = _each(executor.map(read, parts, range(len(parts)), [job] * len(parts)), pause)
        buckets = _buckets(reports, job, workers)
        with stage("fold", f"folding {len(buckets):,} buckets"):
            folded = _each(executor.map(fold, buckets, [job] * len(buckets)), pause)
    with stage("commit", "publishing"):
        accepted = _accepted(folded)
        published = publishing.publication(job, everything=not paths)
        report = publishing.report(job, published, reports, folded, accepted)
        report.seconds = seconds
        operations = publishing.compose(job, published, reports, folded, report)
        # A rebuild of some months leaves the accounting of the files, which is of all their lines, as it is.
        partial = rebuild is not None and not rebuild.everything
        read_now = [] if partial else accounting.ledger(reports, accepted)
        commit.commit(store, state, job.run, operations, read_now)
    store.clear(job.staging)
    return report


def _executor(workers: int) -> Executor:
    if workers == 1:
        return ThreadPoolExecutor(1)
    # Forking a process with threads in it, as the engine's, can hang.
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_follow_parent)


def _follow_parent() -> None:
    """Leave it to the parent to be interrupted, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _each(results: Iterable[_Result], pause: Callable[[], None]) -> list[_Result]:
    """Return all results; between any two the run can be stopped, and those not begun are then given up."""
    found = []
    for result in results:
        found.append(result)
        pause()
    return found


def _buckets(reports: list[PartReport], job: Job, workers: int) -> list[Bucket]:
    """Return the buckets that have rows; as many at once as there are workers share the memory and the cores."""
    rows: dict[int, list[str]] = {}
    for report in reports:
        for bucket in report.buckets:
            rows.setdefault(bucket, []).append(job.rows_path(bucket, report.source))
    at_once = min(workers, len(rows)) or 1
    threads = max(1, (os.cpu_count() or 1) // at_once)
    memory = f"{_ENGINES_MEMORY_MB // at_once}MB"
    return [Bucket(number, files, threads, memory) for number, files in sorted(rows.items())]


def _accepted(folded: Iterable[BucketReport]) -> dict[int, int]:
    """Return how many lines stand, by the source that the rows carried."""
    accepted: dict[int, int] = {}
    for bucket in folded:
        for source, lines in bucket.accepted.items():
            accepted[source] = accepted.get(source, 0) + lines
    return accepted
