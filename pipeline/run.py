"""One run of the pipeline: list → judge → events → cube and actors → commit.

Reads `raw/` and the tables; writes the tables. The steps:

    1  listing.changed     which raw files are new, changed or longer
    2  reading.read        every line judged; good ones shuffled into buckets, bad ones into the quarantine ┐
    3  folding.fold        each bucket's standing versions into the events partitions                       ├ work.do
    4  months.merge        the changed days of these into cube and actors                                   ┘
    5  publishing.compose  what becomes of all files, the manifest of each workspace behind its tables
    6  commit.commit       all of it, or nothing until the next run

A large backfill goes through 2 to 6 in slices. Before all of that goes what tombstones were laid for and still stands
(`pipeline.erasure.erase`).
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from pipeline.contract.settings import Settings
from pipeline.contract.tables import RAW
from pipeline.erasure import erase
from pipeline.load import accounting, discovery
from pipeline.load.accounting import RunReport
from pipeline.load.discovery import Part, Retry
from pipeline.load.job import BUCKETS_MAX, Job
from pipeline.load.pool import executor
from pipeline.load.progress import Progress
from pipeline.load.rebuild import Rebuild, refuse_loss
from pipeline.load.results import Results
from pipeline.load.session import Run, begun
from pipeline.storage.tombstones import Tombstones

# A bucket's rows fit into memory, a slice's staged files on the disk.
_BUCKET_BYTES: Final = 48_000_000
_SLICE_BYTES: Final = 4_000_000_000
# Below this a run is over before other processes have started.
_PROCESSES_BYTES: Final = 8_000_000


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
    with begun(settings, now, progress, pause) as this:
        return _Load(this, rebuild).load(list(paths), retry)


class _Load:
    """What a run loads, and what of the tables it makes anew."""

    def __init__(self, run: Run, rebuild: Rebuild | None) -> None:
        self._run, self._rebuild = run, rebuild
        self._force = False
        self._known: set[str] = set()  # raw files that the tables were made from
        self._broken: set[str] = set()  # of these, what was not read to its end

    def load(self, paths: list[Path], retry: Retry | None) -> RunReport:
        """Load all that is to be loaded, slice by slice."""
        run, rebuild = self._run, self._rebuild
        run.recover()
        tombstones = Tombstones.read(run.store.root)
        if rebuild is None or not rebuild.everything:
            erase.carry_out(run, tombstones)
        else:  # of the tables it leaves nothing of that anyway, damaged ones too
            erase.remove_keys(run, tombstones)
        with run.stage("list", "listing raw files"):
            parts = self._list(paths, retry)
        if rebuild:
            refuse_loss(rebuild, self._known - {part.source_file for part in parts})
        slices = [parts] if rebuild else _slices(parts)
        workers = run.workers if sum(part.bytes for part in parts) > _PROCESSES_BYTES else 1
        complete = not paths and not retry and (rebuild is None or rebuild.everything)
        reports = []
        try:
            with executor(workers) as pool:
                for number, part in enumerate(slices, start=1):
                    # Only with the last slice everything is in that was there when the files were listed.
                    everything = complete and number == len(slices)
                    reports.append(self._slice(part, pool, workers, everything=everything))
        finally:
            run.clear("staging")  # where the run was stopped, of what was still under way then
        return accounting.joined(reports)

    def _list(self, paths: list[Path], retry: Retry | None) -> list[Part]:
        store, state = self._run.store, self._run.state
        entries = state.entries()
        forgotten = state.forgotten()
        self._known = entries.keys() | forgotten
        self._broken = {name for name, entry in entries.items() if entry.error}
        if not store.path("events").exists():
            state.trust()
        # A ledger that is new may have taken the place of one that knew of a commit under way.
        self._force = bool(forgotten) or not state.is_trusted()
        if retry:
            from pipeline.load import retry as retrying  # noqa: PLC0415 - as `work` below

            return retrying.waiting(store, retry, entries)
        parts = discovery.changed(store.path(RAW), {} if self._rebuild else entries, paths)
        if self._rebuild:
            parts += self._elsewhere({part.source_file for part in parts})
        return parts

    def _elsewhere(self, listed: set[str]) -> list[Part]:
        """Return the raw files that were read because somebody named them, not because they are found in `raw/`."""
        raw = self._run.store.path(RAW)
        named = [path for name in sorted(self._known - listed) if (path := raw / name).is_file()]
        return discovery.changed(raw, {}, named) if named else []

    def _slice(self, parts: list[Part], pool: Executor, workers: int, *, everything: bool) -> RunReport:
        run, rebuild = self._run, self._rebuild
        size = sum(part.bytes for part in parts)
        buckets = min(max(1, round(size / _BUCKET_BYTES)), BUCKETS_MAX)
        job = run.job(Tombstones.read(run.store.root), buckets, rebuild, force=self._force)
        try:
            stages = self._work(parts, job, pool, workers)
            if rebuild:
                refuse_loss(
                    rebuild, {part.source_file for part in stages.parts if part.error} & self._known - self._broken
                )
            with run.stage("commit", "publishing"):
                everything = everything and not any(part.is_lost for part in stages.parts)
                rebuilt = rebuild is not None and rebuild.everything
                report = run.publish(
                    job, stages, everything=everything, rebuilt=rebuilt, carried_out=job.tombstones if rebuilt else None
                )
        finally:
            run.clear(job.staging)
        report.seconds = run.spent()
        return report

    def _work(self, parts: list[Part], job: Job, pool: Executor, workers: int) -> Results:
        if not parts and self._rebuild is None:
            return Results()
        from pipeline.load import stages  # noqa: PLC0415 - a run with nothing new is over before its libraries are imported

        return stages.do(parts, job, pool, workers, self._run)


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
