"""Check that every raw line is accounted for.

Reads the ledger, the footers of the quarantine files, the run records in `runs/` and the list of raw
files; changes none of them.
"""

from collections.abc import Mapping

import msgspec
import pyarrow.parquet as pq

from pipeline.check.digests import Digests
from pipeline.check.report import CheckReport, TableResult
from pipeline.check.state import StateReader
from pipeline.contract.tables import quarantine_path
from pipeline.load import discovery
from pipeline.load.discovery import Waiting
from pipeline.load.listing import RawFolderError
from pipeline.load.raw_source import RawSource
from pipeline.load.results import RunReport
from pipeline.load.unread import UnreadFiles
from pipeline.storage import catalog
from pipeline.storage.checked import CheckedTables
from pipeline.storage.damage import READING, refuse_shortage
from pipeline.storage.opened import UNREADABLE
from pipeline.storage.state import STATE, Counts, Entry
from pipeline.storage.store import Store
from pipeline.storage.unread import Unread


def unfinished(store: Store, state: StateReader, report: CheckReport) -> bool:
    """Return whether a commit, including its deletes, has begun but not ended; if so, report a fault of the ledger."""
    if state.ask(lambda found: found.discarded_files(), set[str]()):
        report.notes.append("a commit was lost half-way: the next run reads its raw files again")
    run: str | None = state.ask(lambda found: found.unfinished(store), None)
    if run is None:
        return False
    report.ledger.fault(f"the commit of run {run} is unfinished: nothing else was checked; `usage run` finishes it")
    return True


def account(
    tables: CheckedTables, state: StateReader, raw: RawSource, digests: Digests, report: CheckReport
) -> dict[str, Entry]:
    """Check that the ledger, the quarantine and the run records add up, and count the raw files that wait for a run.

    Args:
        tables: with the published files.
        state: has the ledger.
        raw: the raw files.
        digests: of the published files.
        report: collects the faults.

    Returns:
        The entries of the ledger by raw file.
    """
    store = tables.store
    entries = _ledger(store, state, report)
    total = Counts()
    for path, entry in sorted((entries or {}).items()):
        total += entry.counts
        if not _adds_up(entry.counts):
            report.ledger.fault(f"{path}: {_sum(entry.counts)}")
        with tables.store.copies([quarantine_path(path)] if entry.counts.rejected else []):
            _compare_quarantine(store, raw, path, entry, digests, report.quarantine)
    report.ledger.files, report.ledger.rows = len(entries or {}), total.lines
    _compare_runs(store, total, digests, report.runs)
    strange = set(catalog.quarantine_files(store)).difference(map(quarantine_path, entries or {}))
    for uri in sorted(strange):
        digests.agrees(uri, report.quarantine)
    if strange and entries is not None:
        report.notes.append(f"{len(strange):,} quarantine files belong to raw files that the ledger does not know")
    _list_raw(raw, state, entries or {}, report)
    return entries or {}


def _list_raw(raw: RawSource, state: StateReader, entries: Mapping[str, Entry], report: CheckReport) -> None:
    """Count the raw files that wait for a run, and name those that could not be read."""
    try:
        found = raw.listed()
    except RawFolderError as error:
        report.notes.append(f"{error}; a run would read nothing and exit 2")
        return
    unread = UnreadFiles(
        entries, state.ask(lambda stored: stored.unread(), dict[str, Unread]()), found, everything=True
    )
    report.waiting = Waiting.of(discovery.changed(found, entries, unread.files))
    report.unread = unread.waiting()


def _ledger(store: Store, state: StateReader, report: CheckReport) -> dict[str, Entry] | None:
    """Return the entries by raw file; None if there is no ledger, or if it cannot be read, which is a fault."""
    try:
        with state.opened() as found:
            if found is not None:
                found.refuse_damage()
                return found.entries()
    except UNREADABLE as error:
        report.ledger.fault(f"{STATE} cannot be read ({error}); delete it, and the next run reads all raw files again")
    else:
        if catalog.runs_files(store):
            report.notes.append(f"the ledger ({STATE}) is gone: the next run reads all raw files again")
    return None


def _compare_quarantine(
    store: Store, raw: RawSource, path: str, entry: Entry, digests: Digests, result: TableResult
) -> None:
    uri, rejected = quarantine_path(path), entry.counts.rejected
    if not store.exists(uri):
        if rejected:
            result.fault(f"{uri} is missing, but the ledger counts {rejected:,} rejected lines of {path}")
        return
    mending = raw.rereading(path)
    try:
        if not digests.agrees(uri, result, mending):
            return
        rows = int(pq.read_metadata(store.local(uri)).num_rows)
    except READING as error:
        refuse_shortage(error)
        result.fault(f"{uri} cannot be read ({error}); {mending}")
        return
    result.files += 1
    result.rows += rows
    if rows != rejected:
        result.fault(f"{uri} has {rows:,} rows, but the ledger counts {rejected:,} rejected lines of {path}")


def _compare_runs(store: Store, ledger: Counts, digests: Digests, result: TableResult) -> None:
    """Check each run record, and that no count of the ledger exceeds the sum over all runs.

    The sum may be higher: a file that was replaced or rebuilt was read several times, but counts once in the ledger.
    """
    total = Counts()
    for uri in catalog.runs_files(store):
        if not digests.agrees(uri, result):
            continue
        for number, line in enumerate(store.local(uri).read_bytes().splitlines(), 1):
            where = f"{uri}, line {number}"
            try:
                run = msgspec.json.decode(line, type=RunReport)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                result.fault(f"{where} cannot be read: {error}")
                continue
            counts = Counts(run.lines, run.accepted, run.duplicates, run.rejected, run.blank)
            total += counts
            result.files += 1
            if not _adds_up(counts):
                result.fault(f"{where}: {_sum(counts)}")
            if (with_reason := sum(run.reasons.values())) != run.rejected:
                result.fault(f"{where}: {run.rejected:,} rejected lines, but {with_reason:,} with a reason")
    result.rows = total.lines
    if result.wrong:
        return
    for name in Counts.__struct_fields__:
        if getattr(ledger, name) > getattr(total, name):
            result.fault(
                f"runs/ adds up to {getattr(total, name):,} {name}, but the ledger counts {getattr(ledger, name):,}"
            )


def _adds_up(counts: Counts) -> bool:
    return counts.lines == counts.accepted + counts.duplicates + counts.rejected + counts.blank


def _sum(counts: Counts) -> str:
    return (
        f"{counts.lines:,} lines are not {counts.accepted:,} accepted + {counts.duplicates:,} duplicates"
        f" + {counts.rejected:,} rejected + {counts.blank:,} blank"
    )
