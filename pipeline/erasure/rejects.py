"""Rejected lines that are forgotten or expired, taken out of the quarantine.

Reads quarantine files; writes, under the run's staging folder, what is left of them. In the ledger such lines count as
duplicates from then on, as good ones of their kind do.
"""

from collections.abc import Iterator, Mapping

import msgspec

from pipeline.contract.calendar import utc_day
from pipeline.contract.tables import RAW
from pipeline.load.discovery import Part
from pipeline.load.job import Job
from pipeline.load.rejects import QuarantineWriter
from pipeline.load.results import PartResult
from pipeline.quarantine import Quarantine, Rejected
from pipeline.storage.state import Counts, Entry
from pipeline.storage.store import DamagedError, Store
from pipeline.storage.tombstones import Tombstones


def leaving(store: Store, tombstones: Tombstones, entries: Mapping[str, Entry]) -> Iterator[tuple[Part, int]]:
    """Yield the raw files some of whose rejected lines have to go, each with how many do.

    Raises:
        DamagedError: a quarantine file is not readable.
    """
    quarantine = Quarantine(store)
    for file in quarantine.files():
        theirs = Quarantine(store, file=file.source_file)
        lines = sum(_leaves(rejected, tombstones) for rejected in theirs.lines())
        _refuse_damage(theirs)
        if lines:
            yield Part(file.source_file, store.path(RAW), None, 0, entry=entries.get(file.source_file)), lines
    _refuse_damage(quarantine)


def sift(piece: tuple[int, Part], job: Job) -> PartResult:
    """Keep what may stay of one raw file's rejected lines.

    Raises:
        DamagedError: the quarantine file is not readable.
    """
    number, part = piece
    report, rejections = PartResult.of(part, number), QuarantineWriter(job, part, number)
    tail = 0 if part.entry is None or not part.entry.tail.lines else part.entry.counts.lines
    quarantine = Quarantine(job.store, file=part.source_file)
    for rejected in quarantine.lines():
        if not _leaves(rejected, job.tombstones):
            rejections.keep(rejected)
            continue
        report.counts += Counts(lines=1, duplicates=1)
        if rejected.line_number == tail:
            report.tail = Counts(lines=1, duplicates=1)
    _refuse_damage(quarantine)
    report.operations = rejections.close()
    if part.entry is not None:
        report.entry = msgspec.structs.replace(part.entry, run=job.run)
        report.before = part.entry.counts - _rejected(report.counts.lines)
        report.tail_before = part.entry.tail - _rejected(report.tail.lines)
    return report


def _leaves(rejected: Rejected, tombstones: Tombstones) -> bool:
    """Return whether a line holds the id of somebody forgotten, or was loaded on a day that is not kept."""
    return utc_day(rejected.loaded_at).isoformat() < tombstones.floor or tombstones.name(rejected.line)


def _rejected(lines: int) -> Counts:
    return Counts(lines=lines, rejected=lines)


def _refuse_damage(quarantine: Quarantine) -> None:
    for uri, failure in quarantine.failures.items():
        raise DamagedError(uri, failure)
