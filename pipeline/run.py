"""One run of the pipeline.

Reads `raw/` and the tables; writes the tables. Its steps:

    1  load/discovery   which raw files are new, changed or longer
    2  load/read        validates every line: good ones go to buckets, bad ones to the quarantine   ┐
    3  load/merge       merges the versions in each bucket into the events partitions               ├ load/stages
    4  load/rollup      rolls up the changed days into cube and actors                              ┘
    5  load/publish     lists the operations of the commit: tables, then manifests, then `published.json`
    6  storage/commit   carries out all of them, or none until the next run

A large backfill goes through steps 2 to 6 in slices. Before step 1, the run finishes a commit that an earlier run
began, and erases what tombstones cover (`pipeline.erasure`).
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path

from pipeline.contract.settings import Settings
from pipeline.contract.tables import RAW
from pipeline.erasure import erase
from pipeline.grouping import grouped
from pipeline.load import discovery, results
from pipeline.load.discovery import Part, Retry
from pipeline.load.job import DEFAULT_LIMITS, Job, Limits
from pipeline.load.pool import executor
from pipeline.load.progress import Progress
from pipeline.load.rebuild import Rebuild, refuse_loss
from pipeline.load.results import Results, RunReport
from pipeline.load.session import Session, open_session
from pipeline.storage.tombstones import Tombstones


def run(
    settings: Settings,
    now: int,
    paths: Iterable[Path] = (),
    progress: Progress | None = None,
    rebuild: Rebuild | None = None,
    retry: Retry | None = None,
    pause: Callable[[], None] = lambda: None,
    limits: Limits = DEFAULT_LIMITS,
) -> RunReport:
    """Load what is new and publish it.

    Args:
        settings: the data folder and the number of processes.
        now: when the run starts, in microseconds UTC.
        paths: raw files or folders to read instead of everything in `raw/`.
        progress: receives progress reports.
        rebuild: what to rebuild from all raw files.
        retry: which rejected lines to validate again, instead of reading raw files.
        pause: called wherever the run can be stopped safely; raises an exception to stop it.
        limits: how much is done at once.

    Raises:
        BusyError: another run is at work.
        RawGoneError: a rebuild would lose events.
        FileNotFoundError: one of `paths` does not exist.
        PathError: one of `paths` is not a raw file.
        DamagedError: a file of the tables is not readable; a rebuild repairs it.
        TombstonesError: the tombstones are not readable, so it is unknown what must not come back.
    """
    with open_session(settings, now, progress, pause) as session:
        return _Load(session, rebuild, limits).load(list(paths), retry)


class _Load:
    """What a run loads, and which tables it rebuilds."""

    def __init__(self, session: Session, rebuild: Rebuild | None, limits: Limits) -> None:
        self._session, self._rebuild, self._limits = session, rebuild, limits
        self._force = False
        self._known: set[str] = set()  # raw files that the tables were made from
        self._broken: set[str] = set()  # those of them that were not read to their end

    def load(self, paths: list[Path], retry: Retry | None) -> RunReport:
        """Load everything, slice by slice."""
        session, rebuild, limits = self._session, self._rebuild, self._limits
        session.recover()
        tombstones = Tombstones.read(session.store.root)
        if rebuild is None or not rebuild.everything:
            erase.carry_out(session, tombstones, limits)
        else:  # it rewrites all tables, even damaged ones, without what is forgotten
            erase.remove_keys(session, tombstones)
        with session.stage("list", "listing raw files"):
            parts = self._list(paths, retry)
        if rebuild:
            refuse_loss(rebuild, self._known - {part.source_file for part in parts})
        slices = [parts] if rebuild else list(grouped(parts, lambda part: part.bytes, limits.slice_bytes)) or [[]]
        workers = session.workers if sum(part.bytes for part in parts) > limits.processes_bytes else 1
        complete = not paths and not retry and (rebuild is None or rebuild.everything)
        reports = []
        try:
            with executor(workers) as pool:
                for number, part in enumerate(slices, start=1):
                    # Only the last slice completes what was there when the files were listed.
                    everything = complete and number == len(slices)
                    reports.append(self._slice(part, pool, workers, everything=everything))
        finally:
            session.clear("staging")  # leftovers of pieces of work that still ran when the run was stopped
        return results.joined(reports)

    def _list(self, paths: list[Path], retry: Retry | None) -> list[Part]:
        store, state = self._session.store, self._session.state
        entries = state.entries()
        discarded = state.discarded_files()
        self._known = entries.keys() | discarded
        self._broken = {name for name, entry in entries.items() if entry.error}
        if not store.path("events").exists():
            state.trust()
        # A new ledger may have replaced one that knew of an unfinished commit.
        self._force = bool(discarded) or not state.is_trusted()
        if retry:
            from pipeline.load.retry import waiting  # noqa: PLC0415 - as `stages` below

            return waiting(store, retry, entries)
        parts = discovery.changed(store.path(RAW), {} if self._rebuild else entries, paths, self._limits.prefix_bytes)
        if self._rebuild:
            parts += self._elsewhere({part.source_file for part in parts})
        return parts

    def _elsewhere(self, listed: set[str]) -> list[Part]:
        """Return the raw files outside of `raw/` that earlier runs read because somebody named them."""
        raw = self._session.store.path(RAW)
        named = [path for name in sorted(self._known - listed) if (path := raw / name).is_file()]
        return discovery.changed(raw, {}, named) if named else []

    def _slice(self, parts: list[Part], pool: Executor, workers: int, *, everything: bool) -> RunReport:
        session, rebuild, limits = self._session, self._rebuild, self._limits
        size = sum(part.bytes for part in parts)
        buckets = min(max(1, round(size / limits.bucket_bytes)), limits.buckets)
        tombstones = Tombstones.read(session.store.root)
        job = session.job(tombstones, limits, buckets, rebuild, force=self._force, reads=True)
        try:
            found = self._work(parts, job, pool, workers)
            if rebuild:
                unread = {part.source_file for part in found.parts if part.error}
                refuse_loss(rebuild, unread & self._known - self._broken)
            with session.stage("commit", "publishing"):
                everything = everything and not any(part.is_lost for part in found.parts)
                rebuilt = rebuild is not None and rebuild.everything
                report = session.publish(
                    job, found, everything=everything, rebuilt=rebuilt, carried_out=tombstones if rebuilt else None
                )
        finally:
            session.clear(job.staging)
        report.seconds = session.spent()
        return report

    def _work(self, parts: list[Part], job: Job, pool: Executor, workers: int) -> Results:
        if not parts and self._rebuild is None:
            return Results()
        from pipeline.load import stages  # noqa: PLC0415 - a run with nothing new is over before its libraries are imported

        return stages.load(parts, job, pool, workers, self._session)
