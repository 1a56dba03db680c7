"""Erases forgotten and expired lines from the quarantine.

Reads quarantine files; writes what is left of them under its staging folder. From then on the ledger counts an
erased line as a duplicate, just like a good line that is forgotten.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from pipeline.contract.calendar import utc_day
from pipeline.contract.tables import quarantine_path
from pipeline.load.discovery import Part
from pipeline.load.job import Job
from pipeline.load.rejects import QuarantineWriter
from pipeline.load.results import PartResult
from pipeline.quarantine import Quarantine, Rejected
from pipeline.storage.state import Counts, Entry
from pipeline.storage.store import Store
from pipeline.storage.tombstones import Tombstones


def is_erased(rejected: Rejected, tombstones: Tombstones) -> bool:
    """Return whether a line names a forgotten id, or was loaded on a day that is no longer kept."""
    return utc_day(rejected.loaded_at).isoformat() < tombstones.floor or tombstones.name(rejected.line)


def affected(store: Store, tombstones: Tombstones, entries: Mapping[str, Entry]) -> Iterator[tuple[Part, int]]:
    """Yield the raw files that have rejected lines to erase, each with their number.

    Raises:
        DamagedError: a quarantine file is not readable.
    """
    quarantine = Quarantine(store)
    for file in quarantine.files():
        of_file = Quarantine(store, file=file.source_file)
        lines = sum(is_erased(rejected, tombstones) for rejected in of_file.lines())
        of_file.refuse_damage()
        if lines:
            yield Part(file.source_file, Path(), None, 0, entry=entries.get(file.source_file)), lines
    quarantine.refuse_damage()


def erase_rejects(piece: tuple[int, Part], job: Job) -> PartResult:
    """Erase rejected lines of one raw file.

    Args:
        piece: the number of the raw file in the run, and the file.
        job: the run.

    Raises:
        DamagedError: the quarantine file is not readable.
    """
    number, part = piece
    result, writer = PartResult.of(part, number), QuarantineWriter(job, part, number)
    tail = 0 if part.entry is None or not part.entry.tail.lines else part.entry.counts.lines
    job.refuse_damage(quarantine_path(part.source_file))
    quarantine = Quarantine(job.store, file=part.source_file)
    for rejected in quarantine.lines():
        if not is_erased(rejected, job.tombstones):
            writer.keep(rejected)
            continue
        result.counts += Counts(lines=1, duplicates=1)
        if rejected.line_number == tail:
            result.tail = Counts(lines=1, duplicates=1)
    quarantine.refuse_damage()
    result.operations = job.store.deliver(writer.close())
    if part.entry is not None:
        result.entry = msgspec.structs.replace(part.entry, run=job.run)
        result.before = part.entry.counts - _rejected(result.counts.lines)
        result.tail_before = part.entry.tail - _rejected(result.tail.lines)
    return result


def _rejected(lines: int) -> Counts:
    return Counts(lines=lines, rejected=lines)
