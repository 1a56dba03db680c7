"""Step 2: read the parts of raw files, have every line judged, keep the good ones and the bad ones apart.

Reads raw files; writes, under the run's staging folder, the rows of good lines for the buckets and the rejected lines
for the quarantine.
"""

import os
from collections import Counter
from collections.abc import Iterable
from typing import IO, Final

from pipeline.load import discovery
from pipeline.load.discovery import Part
from pipeline.load.job import Job
from pipeline.load.lines import Block, blocks
from pipeline.load.rejects import QuarantineWriter
from pipeline.load.results import PartResult
from pipeline.load.shuffle import Shuffle
from pipeline.storage.state import Counts, Entry
from pipeline.validation.bulk import HandedBack, batch
from pipeline.validation.records import Rejection, Row
from pipeline.validation.validate import validate

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def read(part: Part, number: int, job: Job, shuffle: Shuffle) -> PartResult:
    """Read one part, whose number only the splits of the same part share."""
    reader = _Reader(part, number, job, shuffle)
    if part.error is not None:
        reader.report.error = part.error
        return reader.close(None)
    entry = None
    try:
        with part.path.open("rb") as file:
            status = os.fstat(file.fileno())
            end = part.end or status.st_size
            _prove(file, part)
            try:
                reader.read(blocks(file, part.compression, part.offset, end))
            except OSError as failure:
                if part.compression is None or failure.errno is not None:  # not of the stream, but of the disk
                    raise
                reader.report.error = f"{failure}; the {reader.report.counts.lines:,} lines before that are read"
            entry = Entry(
                path=part.source_file,
                inode=status.st_ino,
                size=end,
                mtime_ns=status.st_mtime_ns,
                run=job.run,
                counts=Counts(),
                tail=Counts(),
                offset=reader.offset,
                prefix_hash="" if part.compression else _proof(file, reader.offset, end),
                error=reader.report.error,
            )
    except OSError as failure:
        reader.report.error = failure.strerror or str(failure)
    return reader.close(entry)


def _prove(file: IO[bytes], part: Part) -> None:
    """Make sure that the file is the one that was listed.

    Raises:
        OSError: it is not, and what of it is new cannot be told.
    """
    if part.offset and discovery.prefix_hash(file, part.offset) != part.prefix_hash:
        raise OSError("another file took its place when the run began")


def _proof(file: IO[bytes], offset: int, end: int) -> str:
    """Return a hash of the bytes that were read; none where they were cut off or overwritten meanwhile."""
    found = discovery.prefix_hash(file, offset)
    return found if os.fstat(file.fileno()).st_size >= end else ""


class _Reader:
    """The state of reading one part."""

    def __init__(self, part: Part, number: int, job: Job, shuffle: Shuffle) -> None:
        self._part, self._latest, self._shuffle = part, job.latest, shuffle
        self._tombstones = job.tombstones
        self._rejections = QuarantineWriter(job, part, number)
        self.offset = part.offset  # behind the last newline
        self.report = PartResult.of(part, number)

    def read(self, content: Iterable[Block]) -> None:
        """Judge every line.

        Raises:
            OSError: the file cannot be read on, or does not decompress.
        """
        for number, block in enumerate(content):
            lines = block.lines
            if number == 0 and self._part.offset == 0:
                lines = lines.removeprefix(_BYTE_ORDER_MARK)
                if not lines:
                    return
            counts = self._judge(lines, block)
            self.report.counts += counts
            self.report.bytes += block.bytes
            if block.whole:
                self.offset += block.bytes
            else:
                self.report.tail = counts

    def close(self, entry: Entry | None) -> PartResult:
        """Finish what is staged and return what came of it; without an entry nothing did."""
        report, operations = self.report, self._rejections.close()
        if entry is None:
            report.bytes, report.counts, report.tail, report.reasons = 0, Counts(), Counts(), Counter()
        else:
            report.entry, report.operations = entry, operations
        return report

    def _judge(self, lines: bytes, block: Block) -> Counts:
        source = self.report.source_of_lines if block.whole else self.report.source_of_tail
        count, handed_back = self._shuffle.approve(lines, source) if block.whole else (1, [HandedBack(0, lines)])
        validated: list[Row] = []
        rejected = blank = 0
        for number, line in handed_back:
            verdict = validate(line, self._latest, torn=not block.whole, dropped=block.dropped)
            if isinstance(verdict, Row):
                validated.append(verdict)
            elif isinstance(verdict, Rejection) and not self._tombstones.name(line):
                rejected += 1
                self.report.reasons[verdict.reason] += 1
                line_number = self._part.lines_before + self.report.counts.lines + number + 1
                self._rejections.add(line_number, verdict, line)
            elif verdict is None:
                blank += 1
        if validated:
            self._shuffle.take(batch(validated, source))
        return Counts(lines=count, duplicates=count - rejected - blank, rejected=rejected, blank=blank)
