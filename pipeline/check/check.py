"""`usage check`: a second opinion on everything that is published.

Reads the tables, the manifests, the ledger, the run records, the list of raw files and the directory. Writes only spill
files and copies under `staging/` or in a scratch folder, and removes them. The steps:

    1  lines.account      the ledger, the quarantine and the run records account for every raw line
    2  raw_files.compare  plain raw files still begin with what was read
    3  files.survey       every file is named by a manifest or an index, and every named file exists
    4  tables.compare     the partitions are in order, and the published numbers follow from the events;
                          `reader` reads the files, and leaves out unreadable ones
    5  forgotten          nothing is stored that is forgotten or expired

All steps that read a published file first compare it with its digest (`digests`), and leave out a damaged one.
"""

import os
from collections.abc import Iterable
from typing import Final

from pipeline.check import raw_files
from pipeline.check.digests import Digests
from pipeline.check.files import survey
from pipeline.check.forgotten import Forgotten
from pipeline.check.lines import account, unfinished
from pipeline.check.reader import TableReader
from pipeline.check.report import CheckReport, Limits, Scope
from pipeline.check.state import StateReader
from pipeline.check.tables import compare
from pipeline.contract import directory
from pipeline.contract.settings import Settings
from pipeline.load.progress import Progress
from pipeline.load.raw_source import open_raw
from pipeline.load.rebuild import remedy
from pipeline.storage.checked import CheckedTables
from pipeline.storage.opened import open_checked, open_directory
from pipeline.storage.store import DamagedError, Store

__all__ = ["CheckReport", "check"]

_SPILL: Final = "staging/check"
_LIMITS: Final = Limits()


def check(
    settings: Settings,
    now: int,
    workspaces: Iterable[str] = (),
    days: int | None = None,
    progress: Progress | None = None,
    limits: Limits = _LIMITS,
) -> CheckReport:
    """Recompute the published numbers from the events, compare them, and account for every raw line.

    Args:
        settings: where the data are, and the number of threads.
        now: the current time, in microseconds UTC; with `days`, its UTC day is the last one to check.
        workspaces: the workspaces to check, UUIDs in lower case; all if none is given.
        days: how many UTC days to check; all if None. All raw lines are accounted for in any case, because the ledger
            does not know their workspace or day; but raw files are read only if everything is checked.
        progress: receives progress reports.
        limits: how much is compared at once.

    Raises:
        BusyError: a run is at work.
        FileNotFoundError: there is no data folder.
        ObjectStoreError: the object store cannot be used.
    """
    scope, report, raw = Scope.of(now, workspaces, days), CheckReport(), open_raw(settings)
    with open_checked(settings) as tables:
        store, state = tables.store, StateReader(tables)
        _note_damage(tables, report)
        # In the middle of a commit the tables do not agree, and need not: the next run finishes the commit first.
        if not unfinished(store, state, report):
            digests = Digests(tables, state, report)
            entries = account(tables, state, raw, digests, report)
            if scope.is_everything:  # reading all of `raw/` takes a while
                raw_files.compare(raw, entries, report.ledger, progress or Progress())
                report.notes += tables.leftovers()
            units = survey(store, scope, digests, report)
            forgotten = Forgotten(store, state, digests, report)
            threads = settings.workers or os.cpu_count() or 1
            reader = TableReader(tables, _SPILL, threads, scope, report, digests, forgotten, limits.memory)
            try:
                compare(units, reader, report, progress or Progress(), limits.group_bytes)
            finally:
                store.clear(_SPILL)
            forgotten.end(units)
            digests.end()
            _note_actions(store, reader.actions, report)
    with open_directory(settings) as folder:
        report.problems = directory.problems(folder, settings.directory_address)
    report.agrees = not any(result.wrong for result in report.results().values())
    return report


def _note_damage(tables: CheckedTables, report: CheckReport) -> None:
    """Report what is wrong with the index and the ledger of an object store: what they name is not checked."""
    for error in tables.damage:
        result = report.ledger if error.uri.startswith("ledger/") else report.manifests
        result.fault(f"{error}; {remedy(error.uri)}")


def _note_actions(store: Store, found: set[str], report: CheckReport) -> None:
    """Note the actions of events that the last run would not accept: they stay, but a rebuild would reject them."""
    try:
        published = store.published()
    except DamagedError:  # `survey` reports it
        return
    if published and (others := found.difference(published.actions)):
        report.notes.append(f"events have actions that the last run did not accept: {', '.join(sorted(others))}")
