"""A run under way: alone on its data folder, with the ledger, its clock, and what it tells of itself.

What `pipeline.run` and `pipeline.erasure.erase` share. Opens the store and `state.sqlite`; publishes what they staged.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

from filelock import FileLock, Timeout
from ulid_transform import ulid_at_time

from pipeline.contract.calendar import DAY_US, SECOND_US
from pipeline.contract.settings import Settings
from pipeline.contract.tables import RAW
from pipeline.load import accounting
from pipeline.load import publish as publishing
from pipeline.load.accounting import RunReport
from pipeline.load.job import Job
from pipeline.load.progress import Progress
from pipeline.load.rebuild import Rebuild
from pipeline.load.results import Results
from pipeline.storage import commit
from pipeline.storage.state import State
from pipeline.storage.store import DamagedError, Store
from pipeline.storage.tombstones import Tombstones

# An event may be this far ahead of the run that reads it: not every producer's clock is right.
_AHEAD_US: Final = DAY_US


class BusyError(RuntimeError):
    """Raised when another run is at work on the same data folder."""


class Run:
    """What every step of a run has at hand; made by `begun`."""

    def __init__(
        self, store: Store, state: State, now: int, workers: int, progress: Progress, pause: Callable[[], None]
    ) -> None:
        self.store, self.state, self.now, self.workers = store, state, now, workers
        self._progress, self._pause = progress, pause
        self._seconds: dict[str, float] = {}

    def recover(self) -> None:
        """Finish the commit that a former run began."""
        with self.stage("recover", "looking for an unfinished commit"):
            commit.recover(self.store, self.state)
            self.store.clear("staging")

    def job(
        self, tombstones: Tombstones, buckets: int = 1, rebuild: Rebuild | None = None, *, force: bool = False
    ) -> Job:
        """Return what the steps of this run, or of one slice of it, share."""
        return Job(
            store=self.store,
            run=ulid_at_time(self.now / SECOND_US),
            started=self.now,
            latest=self.now + _AHEAD_US,
            buckets=buckets,
            tombstones=tombstones,
            force=force,
            rebuild=rebuild,
        )

    def publish(
        self, job: Job, work: Results, *, everything: bool, rebuilt: bool = False, carried_out: Tombstones | None = None
    ) -> RunReport:
        """Commit what was staged, and return what the run did.

        Args:
            job: the run.
            work: what its steps gave.
            everything: whether all raw files are in that the run listed.
            rebuilt: whether all tables were rebuilt, so that nothing else counts as read.
            carried_out: the tombstones of which nothing stands then; None where that is as it was.
        """
        published = publishing.publication(job, everything=everything)
        report = publishing.report(job, published, work, self._seconds)
        operations = publishing.compose(job, published, work, report)
        # A rebuild of some months leaves the accounting of the files, which is of all their lines, as it is.
        partial = job.rebuild is not None and not job.rebuild.everything
        read = [] if partial else accounting.ledger(work.parts, work.accepted)
        commit.commit(
            self.store,
            self.state,
            job.run,
            operations,
            read,
            rebuilt=rebuilt,
            complete=everything,
            carried_out=carried_out,
        )
        return report

    def clear(self, folder: str) -> None:
        """Remove a staging folder, unless a commit that has begun still needs it."""
        if not self.state.is_committing():
            self.store.clear(folder)

    def spent(self) -> dict[str, float]:
        """Return the seconds of each stage since this was last asked."""
        seconds, self._seconds = self._seconds, {}
        return seconds

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


@contextmanager
def begun(
    settings: Settings, now: int, progress: Progress | None = None, pause: Callable[[], None] = lambda: None
) -> Iterator[Run]:
    """Begin a run, and keep every other one away until it ends.

    Args:
        settings: the data folder and how many processes may work.
        now: when the run starts, in microseconds UTC.
        progress: is told how the run goes.
        pause: is called wherever the run can be stopped without harm; to stop it, it raises.

    Raises:
        BusyError: another run is at work.
        DamagedError: the state is not readable.
    """
    store = Store(settings.data_dir.absolute())
    with locked(store), _opened(store.path("state.sqlite")) as state:
        yield Run(store, state, now, settings.workers or os.cpu_count() or 1, progress or Progress(), pause)


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
