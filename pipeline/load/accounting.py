"""What a run did, in numbers: each line in one of four counts, for the run and for every raw file.

A line is accepted when its version stands when the run ends (one of identical ones, and none where the same version
stood before); the other good lines are duplicates.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pipeline.load.results import PartResult
from pipeline.storage.state import Counts, Entry
from pipeline.validation.records import Reason


class FileError(msgspec.Struct, frozen=True):
    """A raw file that could not be read, or not to its end."""

    file: str
    error: str


class RunReport(msgspec.Struct, kw_only=True):
    """What a run did; one line of `runs/`; bytes are those judged, uncompressed."""

    run: str
    started: str
    data_as_of: str | None
    sequence: int
    files: int
    bytes: int
    lines: int
    accepted: int
    duplicates: int
    rejected: int
    blank: int
    reasons: dict[str, int]
    workspaces: int
    partitions: int
    seconds: dict[str, float]
    errors: list[FileError]


def joined(reports: Sequence[RunReport]) -> RunReport:
    """Return what all slices of a run did; its id, sequence and freshness are the last one's."""
    report = msgspec.structs.replace(reports[-1])
    for name in ("files", "bytes", "lines", "accepted", "duplicates", "rejected", "blank", "workspaces", "partitions"):
        setattr(report, name, sum(getattr(part, name) for part in reports))
    for name in ("reasons", "seconds"):
        total: Counter[str] = Counter()
        for part in reports:
            total.update(getattr(part, name))
        setattr(report, name, dict(total))
    report.errors = [error for part in reports for error in part.errors]
    return report


def ledger(reports: Iterable[PartResult], accepted: Mapping[int, int]) -> list[Entry]:
    """Return the ledger's new entries.

    Args:
        reports: of every part that was read.
        accepted: how many lines stand, by the source that the rows carried.
    """
    entries = []
    for report in reports:
        if report.entry is not None:
            read, tail = counts(report, accepted)
            report.entry.counts = report.before + read
            report.entry.tail = report.tail_before + tail
            entries.append(report.entry)
    return entries


def counts(report: PartResult, accepted: Mapping[int, int]) -> tuple[Counts, Counts]:
    """Return the counts of the lines that were read, and of the one at the end without newline among them."""
    tail = _stand(report.tail, accepted.get(report.source_of_tail, 0))
    whole = _stand(report.counts - report.tail, accepted.get(report.source_of_lines, 0))
    return whole + tail, tail


def total(reports: Iterable[PartResult], accepted: Mapping[int, int]) -> Counts:
    """Return the counts of all lines that were read."""
    return sum((counts(report, accepted)[0] for report in reports), Counts())


def reasons(reports: Iterable[PartResult]) -> dict[str, int]:
    """Return how many lines were rejected for what, the most frequent first."""
    found: Counter[Reason] = Counter()
    for report in reports:
        found.update(report.reasons)
    return dict(found.most_common())


def _stand(read: Counts, accepted: int) -> Counts:
    """Return the counts of lines, all of whose good ones count as duplicates so far, when `accepted` of them stand."""
    return read + Counts(accepted=accepted, duplicates=-accepted)
