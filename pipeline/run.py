"""One run of the pipeline.

Reads `raw/` and the tables; writes the tables. Without `raw/` it does nothing. Its steps:

    1  load/listing     the raw files that there are
       load/discovery   which of them are new, changed or longer
    2  load/read        validates every line: good ones go to buckets, bad ones to the quarantine   ┐
    3  load/merge       merges the versions in each bucket into the events partitions               ├ load/stages
    4  load/rollup      rolls up the changed days into cube and actors                              ┘
    5  load/publish     collects the changes of the commit
       storage/compose  lists its operations: tables, then manifests, then `published.json`
    6  storage/commit   carries out all of them, or none until the next run

A large backfill goes through steps 2 to 6 in slices. Before step 1, the run finishes a commit that an earlier run
began, or repairs what is left of it (`load/repair`), and erases what tombstones cover (`pipeline.erasure`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pipeline.contract.settings import RAW, Settings
from pipeline.erasure import erase
from pipeline.grouping import grouped
from pipeline.load import discovery, results
from pipeline.load.cluster.address import Address
from pipeline.load.discovery import Part, Retry
from pipeline.load.job import DEFAULT_LIMITS, Job, Limits
from pipeline.load.listing import Listing
from pipeline.load.pool import executor
from pipeline.load.progress import Progress
from pipeline.load.raw_names import is_inside
from pipeline.load.raw_source import open_raw
from pipeline.load.rebuild import Rebuild, refuse_loss
from pipeline.load.repair import repair
from pipeline.load.results import Remarks, Results, RunReport
from pipeline.load.session import Session, open_session
from pipeline.load.unread import UnreadFiles
from pipeline.storage.unread import Unread


def run(
    settings: Settings,
    now: int,
    paths: Iterable[Path] = (),
    progress: Progress | None = None,
    rebuild: Rebuild | None = None,
    retry: Retry | None = None,
    pause: Callable[[], None] = lambda: None,
    limits: Limits = DEFAULT_LIMITS,
    accept: Collection[str] = (),
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
        accept: unread files, as `usage status` prints them, that are taken for whole as they are now.

    Raises:
        RawFolderError: `raw/` is missing or cannot be listed; nothing was created.
        BusyError: another run is at work.
        AcceptError: one of `accept` is not unread.
        RawGoneError: a rebuild would lose events.
        FileNotFoundError: one of `paths` does not exist.
        PathError: one of `paths` is not a raw file.
        DamagedError: a file of the tables is not readable; a rebuild repairs it.
        TombstonesError: the tombstones are not readable, so it is unknown what must not come back.
    """
    open_raw(settings).require()
    with open_session(settings, now, progress, pause) as session:
        return _Load(session, rebuild, limits).load(list(paths), retry, accept)


class _Load:
    """What a run loads, and which tables it rebuilds."""

    def __init__(self, session: Session, rebuild: Rebuild | None, limits: Limits) -> None:
        self._session, self._rebuild, self._limits = session, rebuild, limits
        self._force = False
        self._known: set[str] = set()  # raw files that the tables were made from
        self._broken: set[str] = set()  # those of them that were not read to their end
        self._unread: UnreadFiles | None = None
        self._remarks = Remarks()

    def load(self, paths: list[Path], retry: Retry | None, accept: Collection[str]) -> RunReport:
        """Load everything, slice by slice."""
        session, rebuild, limits = self._session, self._rebuild, self._limits
        if rebuild is not None and rebuild.everything:
            session.writer.pass_over_damage()
        session.recover()
        tombstones = session.tombstones()
        if rebuild is None or not rebuild.everything:
            repair(session, tombstones, limits)
            erase.carry_out(session, tombstones, limits)
        else:  # it rewrites all tables, even damaged ones, without what is forgotten
            erase.remove_keys(session, tombstones)
        with session.stage("list", "listing raw files"):
            parts = self._list(paths, retry, accept)
        if rebuild:
            refuse_loss(rebuild, self._known - {part.source_file for part in parts})
        is_large = sum(part.bytes for part in parts) > limits.processes_bytes
        workers = max(session.workers, 2 if session.settings.cluster else 1) if is_large else 1
        complete = not paths and not retry and (rebuild is None or rebuild.everything)
        reports = []
        try:
            with self._executor(workers) as (pool, at_once):
                slices = [parts] if rebuild else self._slices(parts, at_once)
                for number, part in enumerate(slices, start=1):
                    # Only the last slice completes what was there when the files were listed.
                    everything = complete and number == len(slices)
                    reports.append(self._slice(part, pool, at_once, everything=everything))
        finally:
            session.clear("staging")  # leftovers of pieces of work that still ran when the run was stopped
        return results.joined(reports)

    def _slices(self, parts: list[Part], at_once: int) -> list[list[Part]]:
        """Return what each commit is to load; nothing if nothing is new."""
        limits = self._limits
        times = max(1, at_once // limits.slice_slots) if self._session.settings.cluster else 1
        return list(grouped(parts, lambda part: part.bytes, limits.slice_bytes * times)) or [[]]

    @contextmanager
    def _executor(self, workers: int) -> Iterator[tuple[Executor, int]]:
        """Open what runs the pieces of work, and return how many at once: a small run is over before others begin."""
        cluster = self._session.settings.cluster
        if cluster and workers > 1:
            from pipeline.load.cluster.connection import connected  # noqa: PLC0415 - nobody else needs it

            with connected(Address.parse(cluster)) as found:
                yield found
        else:
            with executor(workers) as pool:
                yield pool, workers

    def _list(self, paths: list[Path], retry: Retry | None, accept: Collection[str]) -> list[Part]:
        store, state = self._session.store, self._session.state
        entries = state.entries()
        discarded = state.discarded_files()
        self._known = entries.keys() | discarded
        self._broken = {name for name, entry in entries.items() if entry.error}
        self._session.writer.trust_if_empty()
        # A new ledger may have replaced one that knew of an unfinished commit.
        self._force = bool(discarded) or not state.is_trusted()
        if retry:
            from pipeline.load.retry import waiting  # noqa: PLC0415 - as `stages` below

            return waiting(store, retry, entries)
        raw = self._session.raw
        found = raw.listed(paths, self._session.pause)
        self._unread = UnreadFiles(entries, state.unread(), found, everything=not paths)
        self._unread.accept(raw, accept)
        self._remarks = Remarks(ignored=found.ignored, warnings=[] if paths else self._missing(found))
        if self._rebuild is None:
            return discovery.changed(found, entries, self._unread.files, self._limits.prefix_bytes)
        return discovery.changed(found, {}, {}) + self._elsewhere(found.names())

    def _missing(self, found: Listing) -> list[str]:
        """Return the warning that nothing is left of what was read before, as where a mount is lost."""
        known = set(filter(is_inside, self._known))
        if not known or found.failures or not known.isdisjoint(found.names()):
            return []
        return [f"none of the {len(known):,} raw files that were read before is in {RAW}/ any more"]

    def _elsewhere(self, listed: set[str]) -> list[Part]:
        """Return the raw files that are not found in `raw/`, and were read because somebody named them."""
        return discovery.changed(self._session.raw.named(self._known - listed), {}, {})

    def _slice(self, parts: list[Part], pool: Executor, workers: int, *, everything: bool) -> RunReport:
        session, rebuild, limits = self._session, self._rebuild, self._limits
        size = sum(part.bytes for part in parts)
        buckets = min(max(1, round(size / limits.bucket_bytes)), limits.buckets)
        tombstones = session.tombstones()
        job = session.job(tombstones, limits, buckets, rebuild, force=self._force, reads=True)
        try:
            found = self._work(parts, job, pool, workers)
            if rebuild:
                failed = {part.source_file for part in found.parts if part.error}
                refuse_loss(rebuild, failed & self._known - self._broken)
            with session.stage("commit", "publishing"):
                unread, remarks = self._take_in(parts, found)
                rebuilt = rebuild is not None and rebuild.everything
                report = session.publish(
                    job,
                    found,
                    everything=everything and not remarks.errors,
                    rebuilt=rebuilt,
                    carried_out=tombstones if rebuilt else None,
                    # A rebuild of some months leaves the ledger as it is, and with it what is unread.
                    unread=unread if rebuild is None or rebuilt else None,
                    remarks=remarks,
                )
        finally:
            session.clear(job.staging)
        report.seconds = session.spent()
        return report

    def _take_in(self, parts: list[Part], found: Results) -> tuple[Mapping[str, Unread] | None, Remarks]:
        """Return what the state has to remember of unread files, if that has changed, and what is reported."""
        if self._unread is None:
            return None, self._remarks
        self._unread.update(parts, found.parts)
        errors = self._unread.reported(self._session.raw)
        return self._unread.changes, msgspec.structs.replace(self._remarks, errors=errors)

    def _work(self, parts: list[Part], job: Job, pool: Executor, workers: int) -> Results:
        if not parts and self._rebuild is None:
            return Results()
        from pipeline.load import stages  # noqa: PLC0415 - a run with nothing new is over before its libraries are imported

        return stages.load(parts, job, pool, workers, self._session)
