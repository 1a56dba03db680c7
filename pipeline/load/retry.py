"""Step 2 of a retry: lines in quarantine judged again, without their raw files, which may be gone by now.

Reads quarantine files; writes what `load.read` writes. It is for lines that were good but early (their timestamp
is ahead no longer), and for those that a newer release of the judge takes.
"""

from typing import Final

import msgspec

from pipeline.contract.tables import RAW
from pipeline.load.discovery import Part, Retry
from pipeline.load.job import Job
from pipeline.load.rejects import QuarantineWriter
from pipeline.load.results import PartResult
from pipeline.load.shuffle import Shuffle
from pipeline.quarantine import Quarantine, Rejected
from pipeline.storage.state import Counts, Entry
from pipeline.storage.store import DamagedError, Store
from pipeline.validation.bulk import batch
from pipeline.validation.records import Rejection, Row
from pipeline.validation.validate import validate

_BYTES_AT_ONCE: Final = 4 << 20


def waiting(store: Store, retry: Retry, entries: dict[str, Entry]) -> list[Part]:
    """Return the raw files with lines to judge again; their size is not that of the lines, which are few.

    Raises:
        DamagedError: a quarantine file is not readable.
    """
    quarantine = Quarantine(store, reason=retry.reason, file=retry.file)
    parts = [
        Part(found.source_file, store.path(RAW), None, 0, retry=retry, entry=entries.get(found.source_file))
        for found in quarantine.files()
    ]
    _refuse_damage(quarantine)
    return sorted(parts, key=lambda part: part.source_file)


def rerun(part: Part, number: int, job: Job, shuffle: Shuffle) -> PartResult:
    """Judge what is in quarantine of one raw file; what is still bad, or is not meant, stays there.

    Raises:
        DamagedError: the quarantine file is not readable.
    """
    report, rejections = PartResult.of(part, number), QuarantineWriter(job, part, number)
    good: list[Row] = []
    size = 0
    quarantine = Quarantine(job.store, file=part.source_file)
    for rejected in quarantine.lines():
        verdict = validate(rejected.line, job.latest) if _is_meant(rejected, part) else None
        if isinstance(verdict, Row):
            good.append(verdict)
            size += len(rejected.line)
            report.counts += Counts(lines=1, duplicates=1)
        elif isinstance(verdict, Rejection):
            rejections.add(rejected.line_number, verdict, rejected.line)
            report.reasons[verdict.reason] += 1
            report.counts += Counts(lines=1, rejected=1)
        else:
            rejections.keep(rejected)
        if size >= _BYTES_AT_ONCE:
            shuffle.take(batch(good, report.source_of_lines))
            good.clear()
            size = 0
    _refuse_damage(quarantine)
    shuffle.take(batch(good, report.source_of_lines))
    report.operations = rejections.close()
    if part.entry is not None:
        report.entry = msgspec.structs.replace(part.entry, run=job.run)
        report.tail_before = part.entry.tail
        report.before = part.entry.counts - Counts(lines=report.counts.lines, rejected=report.counts.lines)
    return report


def _is_meant(rejected: Rejected, part: Part) -> bool:
    """Return whether a line is to be judged again: all of it is there, and no more of it can follow."""
    if rejected.caveat or rejected.reason == "truncated_line":
        return False
    if part.entry and part.entry.tail.lines and rejected.line_number == part.entry.counts.lines:
        return False
    return part.retry is None or part.retry.reason in {None, rejected.reason}


def _refuse_damage(quarantine: Quarantine) -> None:
    for uri, failure in quarantine.failures.items():
        raise DamagedError(uri, failure)
