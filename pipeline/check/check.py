"""`usage check`: a second opinion on everything that is published.

Reads the tables, the manifests, the ledger, the records of the runs and the list of raw files; writes nothing but a
folder of its own under `staging/`, which it removes. The steps:

    1  checking_lines.account   every raw line is accounted for, in the ledger, the quarantine and the runs' records
    2  checking_files.survey    which files there are, and which of them the manifests name
    3  checking_tables.compare  the partitions are in order, and the numbers are those that follow from the events;
                                `checking_reading` reads the files, and leaves out those that cannot be read
"""

import errno
import os
from collections.abc import Iterable
from typing import Final

from pipeline.check.files import survey
from pipeline.check.lines import account, unfinished
from pipeline.check.reader import Reading
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
        workspaces: the workspaces that are looked at, in lower case; all where none is given.
        days: how many UTC days are looked at; all of them where it is None. Lines are always accounted for in full,
            because no ledger knows which workspace or day they were of.
        progress: is told how the check goes.
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
            reading = Reading(store, _SPILL, settings.workers or os.cpu_count() or 1, scope, report, limits.memory)
            try:
                compare(units, reading, report, progress or Progress(), limits.group_bytes)
            finally:
                store.clear(_SPILL)
    report.agrees = not any(result.wrong for result in report.results().values())
    return report
