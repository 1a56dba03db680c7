"""Step 2 of a retry: validates rejected lines again, without their raw files, which may be gone by now.

Reads quarantine files; writes what `load.read` writes. A retry is for lines that were good but early (their timestamp
is no longer in the future), and for lines that a newer release accepts.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from pipeline.contract.tables import quarantine_path
from pipeline.load.discovery import Part, Retry
from pipeline.load.job import Job
from pipeline.load.rejects import QuarantineWriter
from pipeline.load.results import PartResult
from pipeline.load.shuffle import Shuffle
from pipeline.quarantine import Quarantine, Rejected
from pipeline.storage.state import Counts, Entry
from pipeline.storage.store import Store
from pipeline.validation.bulk import batch
from pipeline.validation.records import Rejection, Row
from pipeline.validation.validate import validate

_BATCH_BYTES: Final = 4 << 20  # of good lines that are kept in memory before they become rows


def waiting(store: Store, wanted: Retry, entries: Mapping[str, Entry]) -> list[Part]:
    """Return the raw files that have rejected lines to validate again; `bytes` is 0, because these lines are few.

    Raises:
        DamagedError: a quarantine file is not readable.
    """
    quarantine = Quarantine(store, reason=wanted.reason, file=wanted.file)
    parts = [
        Part(found.source_file, Path(), None, 0, retry=wanted, entry=entries.get(found.source_file))
        for found in quarantine.files()
    ]
    quarantine.refuse_damage()
    return sorted(parts, key=lambda part: part.source_file)


def retry(part: Part, number: int, job: Job, shuffle: Shuffle) -> PartResult:
    """Validate the rejected lines of one raw file again; those that are still bad, or not asked for, stay rejected.

    Args:
        part: the raw file, and which of its lines are asked for.
        number: the part's number in the run.
        job: the run.
        shuffle: takes the rows.

    Raises:
        DamagedError: the quarantine file is not readable.
    """
    result, writer = PartResult.of(part, number), QuarantineWriter(job, part, number)
    good: list[Row] = []
    size = 0
    job.refuse_damage(quarantine_path(part.source_file))
    quarantine = Quarantine(job.store, file=part.source_file)
    for rejected in quarantine.lines():
        verdict = validate(rejected.line, job.latest, actions=job.actions) if _is_wanted(rejected, part) else None
        if isinstance(verdict, Row):
            good.append(verdict)
            size += len(rejected.line)
            result.counts += Counts(lines=1, duplicates=1)
        elif isinstance(verdict, Rejection):
            writer.add(rejected.line_number, verdict, rejected.line)
            result.reasons[verdict.reason] += 1
            result.counts += Counts(lines=1, rejected=1)
        else:
            writer.keep(rejected)
        if size >= _BATCH_BYTES:
            shuffle.take(batch(good, result.source_of_lines))
            good.clear()
            size = 0
    quarantine.refuse_damage()
    shuffle.take(batch(good, result.source_of_lines))
    result.operations = writer.close()
    if part.entry is not None:
        result.entry = msgspec.structs.replace(part.entry, run=job.run)
        result.tail_before = part.entry.tail
        result.before = part.entry.counts - Counts(lines=result.counts.lines, rejected=result.counts.lines)
    return result


def _is_wanted(rejected: Rejected, part: Part) -> bool:
    """Return whether a line is validated again: it is asked for, it is complete, and no more of it can follow."""
    if rejected.caveat or rejected.reason == "truncated_line":
        return False
    if part.entry and part.entry.tail.lines and rejected.line_number == part.entry.counts.lines:
        return False
    return part.retry is None or part.retry.reason in {None, rejected.reason}
