"""What the pieces of work of a run gave: plain data that comes back from other processes."""

from collections import Counter

import msgspec

from pipeline.contract.tables import Month
from pipeline.load.discovery import Part
from pipeline.storage.state import Counts, Entry
from pipeline.storage.store import Operation
from pipeline.validation.records import Reason


class PartResult(msgspec.Struct):
    """What reading one part gave."""

    source_file: str
    number: int
    offset: int  # where it began
    bytes: int  # read from the file, uncompressed
    entry: Entry | None  # None where the file could not even be opened: the next run tries again
    counts: Counts  # of the lines read now; the good ones are duplicates until it is known which of them stand
    tail: Counts  # of these, the line at the end that has no newline
    reasons: Counter[Reason]
    operations: list[Operation]
    before: Counts  # of the lines that were not read now
    tail_before: Counts = Counts()  # of these, the line at the end that has no newline
    error: str | None = None

    @classmethod
    def of(cls, part: Part, number: int) -> "PartResult":
        """Return the report of a part of which nothing is read yet."""
        return cls(
            part.source_file, number, part.offset, 0, None, Counts(), Counts(), Counter(), [], part.counts_before
        )

    @property
    def is_lost(self) -> bool:
        """Return whether nothing of it counts: it could not be read, and the next run tries again."""
        return self.error is not None and self.entry is None

    @property
    def source_of_lines(self) -> int:
        """Return what the rows of whole lines carry as their source."""
        return 2 * self.number

    @property
    def source_of_tail(self) -> int:
        """Return what the row of a line without newline carries: it is read again when the file grows."""
        return 2 * self.number + 1


class BatchResult(msgspec.Struct):
    """What reading some parts gave."""

    parts: list[PartResult]
    rows: dict[int, str]  # files of their approved rows, by bucket


class BucketResult(msgspec.Struct):
    """What folding one bucket gave, or a portion of it."""

    accepted: dict[int, int]  # lines that stand, by source
    events: dict[str, list[Operation]]  # by workspace
    days: list[tuple[str, str]]  # (workspace, UTC day) that changed
    cube: str = ""  # file of the cube's rows of these days; none where all of them go
    actors: str = ""  # likewise


class RollupResult(msgspec.Struct):
    """What became of some months, by workspace."""

    operations: dict[str, list[Operation]]
    months: dict[str, dict[str, Month | None]]  # None: nothing of it is left


class Results(msgspec.Struct):
    """All of it; a run with nothing new has none."""

    parts: list[PartResult] = []
    buckets: list[BucketResult] = []
    months: list[RollupResult] = []
    orphans: list[Operation] = []  # that take away what no manifest names
    accepted: Counter[int] = msgspec.field(default_factory=Counter)  # lines that stand, by source

    def add(self, bucket: BucketResult) -> None:
        """Take what a bucket gave; of its lines only the sums, since each bucket may have some of every file."""
        self.accepted.update(bucket.accepted)
        bucket.accepted = {}
        self.buckets.append(bucket)
