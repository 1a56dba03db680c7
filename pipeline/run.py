"""One run of the pipeline: list → judge → events → cube and actors → commit.

Reads `raw/` and the tables; writes the tables. The steps:

    1  listing.changed     which raw files are new, changed or longer
    2  reading.read        every line judged; good ones shuffled into buckets, bad ones into the quarantine ┐
    3  folding.fold        each bucket's standing versions into the events partitions                       ├ work.do
    4  months.merge        the changed days of these into cube and actors                                   ┘
    5  publishing.compose  what becomes of all files, the manifest of each workspace behind its tables
    6  commit.commit       all of it, or nothing until the next run

A large backfill goes through 2 to 6 in slices. Before all of that goes what tombstones were laid for and still stands:

    remains.find       which files, days and rejected lines that is
    work.withdraw      the days folded again without it, by 3 and 4; then 5 and 6
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout
from ulid_transform import ulid_at_time

from pipeline import accounting, commit, listing, publishing
from pipeline.accounting import RunReport
from pipeline.calendar import DAY_US, SECOND_US
from pipeline.job import BUCKETS_MAX, Job
from pipeline.listing import Part, Retry
from pipeline.progress import Progress
from pipeline.rebuilding import Rebuild, refuse_loss
from pipeline.reports import Work
from pipeline.settings import Settings
from pipeline.state import State
from pipeline.store import DamagedError, Store
from pipeline.tables import RAW
from pipeline.tombstones import Tombstone, Tombstones, append
from pipeline.workers import executor

if TYPE_CHECKING:
    from pipeline.remains import Remains

# An event may be this far ahead of the run that reads it: not every producer's clock is right.
_AHEAD_US: Final = DAY_US
# A bucket's rows fit into memory, a slice's staged files on the disk.
_BUCKET_BYTES: Final = 48_000_000
_SLICE_BYTES: Final = 4_000_000_000
# Below this a run is over before other processes have started.
_PROCESSES_BYTES: Final = 8_000_000
_PROCESSES_DAYS: Final = 1_000


class BusyError(RuntimeError):
    """Raised when another run is at work on the same data folder."""


def run(
    settings: Settings,
    now: int,
    paths: Iterable[Path] = (),
    progress: Progress | None = None,
    rebuild: Rebuild | None = None,
    retry: Retry | None = None,
    pause: Callable[[], None] = lambda: None,
) -> RunReport:
    """Load what is new and publish it.

    Args:
        settings: the data folder and how many processes may work.
        now: when the run starts, in microseconds UTC.
        paths: raw files or folders to read instead of everything in `raw/`.
        progress: is told how the run goes.
        rebuild: what is to be made anew from all raw files.
        retry: what is to be judged again in quarantine, instead of reading raw files.
        pause: is called wherever the run can be stopped without harm; to stop it, it raises.

    Raises:
        BusyError: another run is at work.
        RawGoneError: a rebuild would lose events.
        FileNotFoundError: one of `paths` is not there.
        PathError: one of `paths` is no raw file.
        DamagedError: a file of the tables is not readable; a rebuild makes it anew.
        TombstonesError: what was forgotten cannot be told.
    """
    with _begun(settings, now, progress, pause) as begun:
        return begun.load(list(paths), rebuild, retry)


def withdraw(
    settings: Settings,
    now: int,
    stones: Iterable[Tombstone],
    progress: Progress | None = None,
    pause: Callable[[], None] = lambda: None,
    *,
    dry: bool,
) -> "Remains":
    """Lay tombstones, and take away what stands of them; return what that is.

    The stones are laid first: whatever happens then, the next run takes away what this one did not.

    Args:
        settings: as for `run`.
        now: likewise.
        stones: what is forgotten, or expired.
        progress: as for `run`.
        pause: likewise.
        dry: whether nothing is to be done, only found out.

    Raises:
        BusyError: another run is at work.
        DamagedError: a file of the tables is not readable; a rebuild takes away what is forgotten as well.
        TombstonesError: what was forgotten before cannot be told.
        KeysError: the keys made here cannot be told.
    """
    with _begun(settings, now, progress, pause) as begun:
        return begun.find(stones) if dry else begun.withdraw(stones)


@contextmanager
def _begun(settings: Settings, now: int, progress: Progress | None, pause: Callable[[], None]) -> Iterator["_Run"]:
    store = Store(settings.data_dir.absolute())
    with locked(store), _opened(store.path("state.sqlite")) as state:
        yield _Run(store, state, now, settings.workers or os.cpu_count() or 1, progress or Progress(), pause)


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Keep every other run away.

    Raises:
        BusyError: another run is at work.
    """
    store.path(RAW).mkdir(parents=True, exist_ok=True)
    lock = FileLock(store.path("run.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(f"another run is at work on {store.root}") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _opened(path: Path) -> Iterator[State]:
    """Open the state.

    Raises:
        DamagedError: it is no database.
    """
    try:
        with closing(State(path)) as state:
            yield state
    except sqlite3.OperationalError:  # such as a full disk
        raise
    except sqlite3.DatabaseError as error:
        raise DamagedError(path.name, f"{error}; remove it, and all raw files are read again") from None


class _Run:
    """A run under way."""

    def __init__(
        self, store: Store, state: State, now: int, workers: int, progress: Progress, pause: Callable[[], None]
    ) -> None:
        self._store, self._state, self._now, self._workers = store, state, now, workers
        self._progress, self._pause = progress, pause
        self._seconds: dict[str, float] = {}
        self._force = False
        self._known: set[str] = set()  # raw files that the tables were made from
        self._broken: set[str] = set()  # of these, what was not read to its end

    def load(self, paths: list[Path], rebuild: Rebuild | None, retry: Retry | None) -> RunReport:
        """Load all that is to be loaded, slice by slice."""
        self._recover()
        tombstones = Tombstones.read(self._store.root)
        if rebuild is None or not rebuild.everything:
            self._carry_out(tombstones)
        else:  # of the tables it leaves nothing of that anyway, damaged ones too
            self._remove_keys(tombstones)
        with self.stage("list", "listing raw files"):
            entries = self._state.entries()
            forgotten = self._state.forgotten()
            self._known = entries.keys() | forgotten
            self._broken = {name for name, entry in entries.items() if entry.error}
            if not self._store.path("events").exists():
                self._state.trust()
            # A ledger that is new may have taken the place of one that knew of a commit under way.
            self._force = bool(forgotten) or not self._state.is_trusted()
            if retry:
                from pipeline import retrying  # noqa: PLC0415 - as `work` below

                parts = retrying.waiting(self._store, retry, entries)
            else:
                parts = listing.changed(self._store.path(RAW), {} if rebuild else entries, paths)
            if rebuild:
                parts += self._elsewhere({part.source_file for part in parts})
        if rebuild:
            refuse_loss(rebuild, self._known - {part.source_file for part in parts})
        slices = [parts] if rebuild else _slices(parts)
        workers = self._workers if sum(part.bytes for part in parts) > _PROCESSES_BYTES else 1
        complete = not paths and not retry and (rebuild is None or rebuild.everything)
        reports = []
        try:
            with executor(workers) as pool:
                for number, part in enumerate(slices, start=1):
                    # Only with the last slice everything is in that was there when the files were listed.
                    everything = complete and number == len(slices)
                    reports.append(self._load(part, rebuild, pool, workers, everything=everything))
        finally:
            self._clear("staging")  # where the run was stopped, of what was still under way then
        return accounting.joined(reports)

    def find(self, stones: Iterable[Tombstone]) -> "Remains":
        """Return what stands of tombstones that may be laid, and of those that are."""
        from pipeline import keys, remains  # noqa: PLC0415 - as `work` below

        tombstones = Tombstones.read(self._store.root).with_more(stones).since(self._state.carried_out())
        with self.stage("find", "looking for what has to go"):
            lost = bool(self._state.forgotten()) or not self._state.is_trusted()
            found = remains.find(self._store, tombstones, self._state.entries(), self._workers, thorough=lost)
        found.keys = keys.forgotten(self._store.root, tombstones)
        return found

    def withdraw(self, stones: Iterable[Tombstone]) -> "Remains":
        """Lay tombstones and carry them out."""
        from pipeline.remains import Remains  # noqa: PLC0415 - as `work` below

        self._recover()
        laid = Tombstones.read(self._store.root)
        wanted = laid
        for stone in stones:
            if (more := wanted.with_more([stone])) != wanted:
                append(self._store.root, stone)
                wanted = more
        return self._carry_out(wanted) or Remains()

    def _recover(self) -> None:
        with self.stage("recover", "looking for an unfinished commit"):
            commit.recover(self._store, self._state)
            self._store.clear("staging")

    def _carry_out(self, tombstones: Tombstones) -> "Remains | None":
        """Take away what stands of the tombstones; None where that was done before."""
        if tombstones.since(self._state.carried_out()) == Tombstones():
            return None
        from pipeline import work  # noqa: PLC0415 - as `work` below

        keys = self._remove_keys(tombstones)  # access goes first
        found = self.find([])
        found.keys = keys
        if found.nothing:
            self._state.carry_out(tombstones, "")
            return found
        workers = self._workers if len(found.again) > _PROCESSES_DAYS else 1
        job = self._job(tombstones)
        try:
            with executor(workers) as pool:
                done = work.withdraw(found, job, pool, workers, self)
            with self.stage("commit", "publishing"):
                self._publish(job, done, everything=False, carried_out=tombstones)
                self._store.sync()  # what was taken away must not come back when the power fails now
                self._state.settle()
        finally:
            self._clear(job.staging)
        self._seconds = {}
        return found

    def _remove_keys(self, tombstones: Tombstones) -> int:
        """Remove the keys made here of whom tombstones were laid for since the last run; return how many."""
        new = tombstones.since(self._state.carried_out())
        if new == Tombstones():
            return 0
        from pipeline import keys  # noqa: PLC0415 - as `work` below

        return keys.forget(self._store.root, new)

    def _elsewhere(self, listed: set[str]) -> list[Part]:
        """Return the raw files that were read because somebody named them, not because they are found in `raw/`."""
        raw = self._store.path(RAW)
        named = [path for name in sorted(self._known - listed) if (path := raw / name).is_file()]
        return listing.changed(raw, {}, named) if named else []

    def _load(
        self, parts: list[Part], rebuild: Rebuild | None, pool: Executor, workers: int, *, everything: bool
    ) -> RunReport:
        size = sum(part.bytes for part in parts)
        buckets = min(max(1, round(size / _BUCKET_BYTES)), BUCKETS_MAX)
        job = self._job(Tombstones.read(self._store.root), buckets, rebuild)
        try:
            work = self._work(parts, job, pool, workers)
            if rebuild:
                refuse_loss(
                    rebuild, {part.source_file for part in work.parts if part.error} & self._known - self._broken
                )
            with self.stage("commit", "publishing"):
                everything = everything and not any(part.is_lost for part in work.parts)
                anew = rebuild is not None and rebuild.everything
                report = self._publish(
                    job, work, everything=everything, anew=anew, carried_out=job.tombstones if anew else None
                )
        finally:
            self._clear(job.staging)
        report.seconds, self._seconds = self._seconds, {}
        return report

    def _job(self, tombstones: Tombstones, buckets: int = 1, rebuild: Rebuild | None = None) -> Job:
        return Job(
            store=self._store,
            run=ulid_at_time(self._now / SECOND_US),
            started=self._now,
            latest=self._now + _AHEAD_US,
            buckets=buckets,
            tombstones=tombstones,
            force=self._force,
            rebuild=rebuild,
        )

    def _publish(
        self, job: Job, work: Work, *, everything: bool, anew: bool = False, carried_out: Tombstones | None = None
    ) -> RunReport:
        published = publishing.publication(job, everything=everything)
        report = publishing.report(job, published, work, self._seconds)
        operations = publishing.compose(job, published, work, report)
        # A rebuild of some months leaves the accounting of the files, which is of all their lines, as it is.
        partial = job.rebuild is not None and not job.rebuild.everything
        read = [] if partial else accounting.ledger(work.parts, work.accepted)
        commit.commit(
            self._store,
            self._state,
            job.run,
            operations,
            read,
            anew=anew,
            complete=everything,
            carried_out=carried_out,
        )
        return report

    def _clear(self, folder: str) -> None:
        """Remove a staging folder, unless a commit that has begun still needs it."""
        if not self._state.is_committing():
            self._store.clear(folder)

    def _work(self, parts: list[Part], job: Job, pool: Executor, workers: int) -> Work:
        if not parts and job.rebuild is None:
            return Work()
        from pipeline import work  # noqa: PLC0415 - a run with nothing new is over before its libraries are imported

        return work.do(parts, job, pool, workers, self)

    @contextmanager
    def stage(self, name: str, what: str, total: int = 0, unit: str = "") -> Iterator[None]:
        """Tell that a stage begins, and time it."""
        self._progress.begin(name, what, total, unit)
        start = perf_counter()
        yield
        self._seconds[name] = round(perf_counter() - start, 3)

    def advance(self, done: int, lines: int = 0) -> None:
        """Tell that more of the stage is done, and stop here if that is wanted."""
        self._progress.advance(done, lines)
        self._pause()


def _slices(parts: list[Part]) -> list[list[Part]]:
    """Return the parts in slices of bounded size, one empty slice of none."""
    slices: list[list[Part]] = [[]]
    size = 0
    for part in parts:
        if slices[-1] and size + part.bytes > _SLICE_BYTES:
            slices.append([])
            size = 0
        slices[-1].append(part)
        size += part.bytes
    return slices
