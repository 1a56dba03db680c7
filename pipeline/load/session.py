"""The session of a run: the lock on the data folder, the ledger, the clock, the stages and their progress.

`pipeline.run` and `pipeline.erasure` share it. Opens the store and `state.sqlite` while it holds the
lock; publishes what the steps staged.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Final

from ulid_transform import ulid_at_time

from pipeline.contract.calendar import DAY_US, SECOND_US
from pipeline.contract.settings import Settings
from pipeline.load import publish
from pipeline.load.job import Job, Limits
from pipeline.load.progress import Progress
from pipeline.load.rebuild import Rebuild
from pipeline.load.results import Remarks, Results, RunReport, ledger
from pipeline.storage import commit, digests
from pipeline.storage.digests import EMPTY
from pipeline.storage.lock import locked
from pipeline.storage.room import require_room
from pipeline.storage.state import State
from pipeline.storage.store import DamagedError, Operation, Store
from pipeline.storage.tombstones import TOMBSTONES, Tombstones
from pipeline.storage.unread import Unread

# An event may be this far ahead of the run that reads it, since not every producer's clock is right.
_AHEAD_US: Final = DAY_US
_NO_REMARKS: Final = Remarks()


class Session:
    """Everything that the steps of a run share; `open_session` creates it."""

    def __init__(
        self,
        store: Store,
        state: State,
        now: int,
        settings: Settings,
        progress: Progress,
        pause: Callable[[], None],
    ) -> None:
        self.store, self.state, self.now, self.settings = store, state, now, settings
        self.workers = settings.workers or os.cpu_count() or 1
        self._progress, self.pause = progress, pause
        self._seconds: dict[str, float] = {}

    def recover(self) -> None:
        """Finish a commit that an earlier run began."""
        with self.stage("recover", "looking for an unfinished commit"):
            commit.recover(self.store, self.state)
            self.store.clear("staging")

    def tombstones(self) -> Tombstones:
        """Return the tombstones, and remember the digest of their file: it must begin like that from now on.

        Raises:
            TombstonesError: the file is not as it was, or has a line that is not a tombstone.
        """
        known = self.state.digest_reader().of([TOMBSTONES]).get(TOMBSTONES, EMPTY)
        found = Tombstones.read(self.store.root, known)
        path = self.store.path(TOMBSTONES)
        if found != Tombstones() and path.stat().st_size != known.size:
            self.state.note_digest(TOMBSTONES, digests.of_file(path))
        return found

    def job(
        self,
        tombstones: Tombstones,
        limits: Limits,
        buckets: int = 1,
        rebuild: Rebuild | None = None,
        *,
        force: bool = False,
        reads: bool = False,
    ) -> Job:
        """Return what the steps of this run, or of one slice of it, share; `reads` lines, or only what is stored."""
        return Job(
            store=self.store,
            run=ulid_at_time(self.now / SECOND_US),
            started=self.now,
            latest=self.now + _AHEAD_US,
            buckets=buckets,
            tombstones=tombstones,
            digests=self.state.digest_reader(),
            force=force,
            rebuild=rebuild,
            limits=limits,
            extra_actions=self.settings.extra_actions if reads else None,
        )

    def publish(
        self,
        job: Job,
        results: Results,
        *,
        everything: bool,
        rebuilt: bool = False,
        carried_out: Tombstones | None = None,
        unread: Mapping[str, Unread] | None = None,
        remarks: Remarks = _NO_REMARKS,
    ) -> RunReport:
        """Commit what was staged, and report what the run did.

        Args:
            job: the run.
            results: of its steps.
            everything: whether this commit completes all raw files that the run listed, and no file is unread.
            rebuilt: whether all tables were rebuilt, so that no other raw file counts as read.
            carried_out: the tombstones that this commit completes; None where it adds none.
            unread: the raw files that could not be read to their end; None where that is as before.
            remarks: what the run reports besides.
        """
        published = publish.publication(job, everything=everything)
        report = publish.report(job, published, results, self._seconds, remarks)
        operations = publish.compose(job, published, results, report)
        if carried_out is not None:
            operations.append(Operation("sync"))  # so that a power cut does not bring back what was erased
        # The ledger counts all lines of a file, so a rebuild of some months leaves it as it is.
        partial = job.rebuild is not None and not job.rebuild.everything
        entries = [] if partial else ledger(results.parts, results.accepted)
        commit.commit(
            self.store,
            self.state,
            job.run,
            operations,
            entries,
            rebuilt=rebuilt,
            complete=everything,
            carried_out=carried_out,
            unread=unread,
        )
        return report

    def clear(self, folder: str) -> None:
        """Remove a staging folder, unless a commit that has begun still needs it; the next run removes what is left."""
        if not self.state.is_committing():
            with suppress(OSError):
                self.store.clear(folder)

    def spent(self) -> dict[str, float]:
        """Return the seconds of each stage since the last call."""
        seconds, self._seconds = self._seconds, {}
        return seconds

    @contextmanager
    def stage(self, name: str, what: str, total: int = 0, unit: str = "") -> Iterator[None]:
        """Report that a stage begins, and time it; the arguments are those of `Progress.begin`."""
        self._progress.begin(name, what, total, unit)
        start = perf_counter()
        yield
        self._seconds[name] = round(perf_counter() - start, 3)

    def advance(self, done: int, lines: int = 0) -> None:
        """Report that more of the stage is done, and stop the run here if a stop was requested."""
        self._progress.advance(done, lines)
        self.pause()


@contextmanager
def open_session(
    settings: Settings, now: int, progress: Progress | None = None, pause: Callable[[], None] = lambda: None
) -> Iterator[Session]:
    """Begin a run, and keep every other run away until it ends.

    Args:
        settings: the data folder and the number of processes.
        now: when the run starts, in microseconds UTC.
        progress: receives progress reports.
        pause: called wherever the run can be stopped safely; raises an exception to stop it.

    Raises:
        BusyError: another run is at work.
        DamagedError: the state is not readable.
        MemoryError: there is too little address space for a run.
    """
    require_room()
    root = settings.data_dir.absolute()
    with Store.opened(root) as store, locked(store), _opened(store.path("state.sqlite")) as state:
        yield Session(store, state, now, settings, progress or Progress(), pause)


@contextmanager
def _opened(path: Path) -> Iterator[State]:
    """Open the state.

    Raises:
        DamagedError: it is not a database.
    """
    try:
        with closing(State(path)) as state:
            yield state
    except sqlite3.OperationalError:  # such as a full disk
        raise
    except sqlite3.DatabaseError as error:
        raise DamagedError(path.name, f"{error}; remove it, and all raw files are read again") from None
