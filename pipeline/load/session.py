"""The session of a run: the lock on the data folder, the ledger, the clock, the stages and their progress.

`pipeline.run` and `pipeline.erasure` share it. Opens the tables so that no other run changes them; publishes what the
steps staged.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Final

from ulid_transform import ulid_at_time

from pipeline.contract.calendar import SECOND_US
from pipeline.contract.settings import Settings
from pipeline.load import publish
from pipeline.load.job import Job, Limits
from pipeline.load.progress import Progress
from pipeline.load.raw_source import open_raw
from pipeline.load.rebuild import Rebuild
from pipeline.load.results import Remarks, Results, RunReport
from pipeline.storage.opened import open_storage
from pipeline.storage.room import require_room
from pipeline.storage.store import Store
from pipeline.storage.tombstones import Tombstones
from pipeline.storage.unread import Unread
from pipeline.storage.writer import Writer, WriterState
from pipeline.validation.validate import AHEAD_US

_NO_REMARKS: Final = Remarks()


class Session:
    """Everything that the steps of a run share; `open_session` creates it."""

    def __init__(
        self,
        writer: Writer,
        now: int,
        settings: Settings,
        progress: Progress,
        pause: Callable[[], None],
    ) -> None:
        self.writer, self.now, self.settings = writer, now, settings
        self.raw = open_raw(settings)
        self.workers = settings.workers or os.cpu_count() or 1
        self._progress, self.pause = progress, pause
        self._seconds: dict[str, float] = {}

    @property
    def store(self) -> Store:
        """Return the files, as they are after the last commit."""
        return self.writer.store

    @property
    def state(self) -> WriterState:
        """Return what earlier commands remembered, and this one up to its last commit."""
        return self.writer.state

    def recover(self) -> None:
        """Finish a commit that an earlier run began."""
        with self.stage("recover", "looking for an unfinished commit"):
            self.writer.recover()

    def tombstones(self) -> Tombstones:
        """Return the tombstones, and remember the digest of their file: it must begin like that from now on.

        Raises:
            TombstonesError: the file is not as it was, or has a line that is not a tombstone.
        """
        return self.writer.tombstones()

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
            raw=self.raw,
            run=ulid_at_time(self.now / SECOND_US),
            started=self.now,
            latest=self.now + AHEAD_US,
            buckets=buckets,
            tombstones=tombstones,
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
        remarks_of_store = self.writer.commit(
            publish.changes(
                job,
                published,
                results,
                report,
                complete=everything,
                forget_others=rebuilt,
                carried_out=carried_out,
                unread=unread,
            )
        )
        report.warnings = [*report.warnings, *remarks_of_store]
        return report

    def clear(self, folder: str) -> None:
        """Remove a folder of staged files, unless a commit that has begun still needs it."""
        self.writer.clear(folder)

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
        OSError: there is no data folder.
        MemoryError: there is too little address space for a run.
    """
    require_room()
    with open_storage(settings, shared=not settings.cluster) as writer:
        yield Session(writer, now, settings, progress or Progress(), pause)
