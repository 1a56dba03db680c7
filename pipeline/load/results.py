"""What the pieces of work of a run return, and what a run did in numbers: each line in one of four counts.

A line is accepted if its version is current at the end of the run; of identical lines only one is accepted, and none if
the same version was stored before. All other good lines are duplicates. Everything here is plain data, which pieces of
work return from other processes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pipeline.contract.tables import Month
from pipeline.load.discovery import Part
from pipeline.load.listing import Ignored
from pipeline.load.raw_names import FORM
from pipeline.storage.state import Counts, Entry
from pipeline.storage.store import Operation
from pipeline.validation.records import Reason


class StagedFile(msgspec.Struct, frozen=True):
    """A file that a piece of work staged for others, and its size."""

    uri: str
    bytes: int


class PartResult(msgspec.Struct):
    """The result of reading one part."""

    source_file: str
    number: int
    offset: int  # where the part begins
    bytes: int  # read from the file, uncompressed
    entry: Entry | None  # None where the file could not be opened: the next run tries again
    counts: Counts  # of the lines read now; good ones count as duplicates until the merge accepts some
    tail: Counts  # of these, the line at the end that has no newline
    reasons: Counter[Reason]
    operations: list[Operation]
    before: Counts  # of the lines that were not read now
    tail_before: Counts = Counts()  # of these, the line at the end that has no newline
    error: str | None = None

    @classmethod
    def of(cls, part: Part, number: int) -> "PartResult":
        """Return the result of a part before any of it is read."""
        return cls(
            part.source_file, number, part.offset, 0, None, Counts(), Counts(), Counter(), [], part.counts_before
        )

    @property
    def is_lost(self) -> bool:
        """Return whether the part could not be read, so that none of it counts and the next run tries again."""
        return self.error is not None and self.entry is None

    @property
    def source_of_lines(self) -> int:
        """Return the `source` of rows from whole lines."""
        return 2 * self.number

    @property
    def source_of_tail(self) -> int:
        """Return the `source` of the row from a line without newline, which is read again when the file grows."""
        return 2 * self.number + 1


class BatchResult(msgspec.Struct):
    """The result of reading one batch of parts."""

    parts: list[PartResult]
    rows: dict[int, StagedFile]  # their validated rows, by bucket


class BucketResult(msgspec.Struct):
    """The result of merging one bucket, or of one pass over it."""

    accepted: dict[int, int]  # accepted lines, by source
    events: dict[str, list[Operation]]  # by workspace
    days: list[tuple[str, str]]  # (workspace, UTC day) that changed
    cube: dict[int, StagedFile] = {}  # the cube rows of these days, by the group of their months
    actors: dict[int, StagedFile] = {}  # likewise


class RollupResult(msgspec.Struct):
    """The result of rolling up some months, by workspace."""

    operations: dict[str, list[Operation]]
    months: dict[str, dict[str, Month | None]]  # None: the month no longer has any events


class Results(msgspec.Struct):
    """The results of all pieces of work; empty in a run with nothing new."""

    parts: list[PartResult] = []
    buckets: list[BucketResult] = []
    months: list[RollupResult] = []
    orphans: list[Operation] = []  # deletes of files that no manifest names
    accepted: Counter[int] = msgspec.field(default_factory=Counter)  # accepted lines, by source

    def add(self, bucket: BucketResult) -> None:
        """Add a bucket; its accepted lines are only summed, because each bucket may have lines of every file."""
        self.accepted.update(bucket.accepted)
        bucket.accepted = {}
        self.buckets.append(bucket)


class FileError(msgspec.Struct, frozen=True):
    """A raw file that could not be read at all, or not to its end."""

    file: str
    error: str


class Remarks(msgspec.Struct, frozen=True):
    """What a run reports besides the lines that it read."""

    errors: list[FileError] = []  # files that could not be read to their end, now or earlier, and are not accepted
    ignored: Ignored = Ignored()
    warnings: list[str] = []


class RunReport(msgspec.Struct, kw_only=True):
    """What a run did: one line of `runs/`."""

    run: str
    started: str  # RFC 3339
    data_as_of: str | None
    sequence: int
    files: int
    bytes: int  # validated, uncompressed
    lines: int
    accepted: int
    duplicates: int
    rejected: int
    blank: int
    reasons: dict[str, int]
    workspaces: int
    partitions: int
    seconds: dict[str, float]  # by stage
    errors: list[FileError]  # the first of the unread files
    unread: int = 0  # files that could not be read to their end, now or earlier, and are not accepted
    ignored: Ignored = Ignored()
    warnings: list[str] = []


def hints(report: RunReport) -> list[str]:
    """Return what to do next after a run that loaded nothing although there was something; a line each."""
    if report.rejected == report.lines - report.blank > 0:
        return [
            "every line was rejected: `usage quarantine` has the reasons, `--show FILE:LINE` all faults of a line",
            "`usage try FILE` shows the keys of a raw file and a good line; deliver corrected lines in a new file",
        ]
    if report.sequence == 1 and not report.files and report.ignored.count:
        return [f"nothing was read, since raw/ has only {report.ignored.described}; {FORM}"]
    return []


def joined(reports: Sequence[RunReport]) -> RunReport:
    """Return one report for all slices of a run: all but numbers, reasons and warnings is that of the last slice."""
    report = msgspec.structs.replace(reports[-1])
    report.warnings = list(dict.fromkeys(warning for part in reports for warning in part.warnings))
    for name in ("files", "bytes", "lines", "accepted", "duplicates", "rejected", "blank", "workspaces", "partitions"):
        setattr(report, name, sum(getattr(part, name) for part in reports))
    for name in ("reasons", "seconds"):
        total: Counter[str] = Counter()
        for part in reports:
            total.update(getattr(part, name))
        setattr(report, name, dict(total))
    return report


def ledger(parts: Iterable[PartResult], accepted: Mapping[int, int]) -> list[Entry]:
    """Return the new entries of the ledger.

    Args:
        parts: every part that was read.
        accepted: how many lines were accepted, by the `source` of their rows.
    """
    entries = []
    for part in parts:
        if part.entry is not None:
            read, tail = counts(part, accepted)
            part.entry.counts = part.before + read
            part.entry.tail = part.tail_before + tail
            entries.append(part.entry)
    return entries


def counts(part: PartResult, accepted: Mapping[int, int]) -> tuple[Counts, Counts]:
    """Return the counts of the lines that were read, and of the line without newline among them."""
    tail = _with_accepted(part.tail, accepted.get(part.source_of_tail, 0))
    whole = _with_accepted(part.counts - part.tail, accepted.get(part.source_of_lines, 0))
    return whole + tail, tail


def total(parts: Iterable[PartResult], accepted: Mapping[int, int]) -> Counts:
    """Return the counts of all lines that were read."""
    return sum((counts(part, accepted)[0] for part in parts), Counts())


def reasons(parts: Iterable[PartResult]) -> dict[str, int]:
    """Return how many lines were rejected for each reason, the most frequent first."""
    found: Counter[Reason] = Counter()
    for part in parts:
        found.update(part.reasons)
    return dict(found.most_common())


def _with_accepted(read: Counts, accepted: int) -> Counts:
    """Return the counts after some of the good lines, all of which count as duplicates so far, are accepted."""
    return read + Counts(accepted=accepted, duplicates=-accepted)
