"""`usage check`: a second opinion on everything that is published.

Reads the tables, the manifests, the ledger, the records of the runs and the list of raw files; writes nothing but a
folder of its own under `staging/`, which it removes. The steps:

    1  lines.account    every raw line is accounted for, in the ledger, the quarantine and the runs' records
    2  files.survey     every file is named by a manifest, and every named file exists
    3  tables.compare   the partitions are in order, and the published numbers follow from the events;
                        `reader` reads the files, and leaves out those that cannot be read
"""

import errno
import os
from collections.abc import Iterable
from typing import Final

from pipeline.check.files import survey
from pipeline.check.lines import account, unfinished
from pipeline.check.reader import TableReader
from pipeline.check.report import CheckReport, Limits, Scope
from pipeline.check.tables import compare
from pipeline.contract.settings import Settings
from pipeline.load.progress import Progress
from pipeline.load.session import locked
from pipeline.storage.store import Store

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
    """Recompute what is published and compare.

    Args:
        settings: the data folder and how many threads may work.
        now: microseconds UTC; the last of the days.
        workspaces: the workspaces to check, UUIDs in lower case; all if none is given.
        days: how many UTC days to check; all if None. Lines are always accounted for in full,
            because the ledger does not know their workspace or day.
        progress: shows how far the check is.
        limits: how much is compared at once.

    Raises:
        BusyError: a run is at work.
        FileNotFoundError: there is no data folder.
    """
    store = Store(settings.data_dir.absolute())
    if not store.root.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(settings.data_dir))
    scope = Scope.of(now, workspaces, days)
    report = CheckReport()
    with locked(store):
        # Between two renames the tables do not agree, and need not: the next run finishes them before anything else.
        if not unfinished(store, report):
            account(store, report)
            units = survey(store, scope, report)
            reader = TableReader(store, _SPILL, settings.workers or os.cpu_count() or 1, scope, report, limits.memory)
            try:
                compare(units, reader, report, progress or Progress(), limits.group_bytes)
            finally:
                store.clear(_SPILL)
    report.agrees = not any(result.wrong for result in report.results().values())
    return report
