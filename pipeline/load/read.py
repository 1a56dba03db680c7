"""Step 2: reads the parts of raw files, validates every line, and separates good lines from bad ones.

Reads raw files; writes, under the run's staging folder, the rows of good lines for the buckets, and the bad lines for
the quarantine.
"""

import os
from collections import Counter
from collections.abc import Iterable
from typing import IO, Final

from pipeline.load.discovery import Part, prefix_hash
from pipeline.load.job import Job
from pipeline.load.lines import Block, blocks
from pipeline.load.packed_bytes import UnpackError
from pipeline.load.rejects import QuarantineWriter
from pipeline.load.results import PartResult
from pipeline.load.shuffle import Shuffle
from pipeline.storage.state import Counts, Entry
from pipeline.validation.bulk import HandedBack, batch
from pipeline.validation.records import Rejection, Row
from pipeline.validation.validate import validate

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def read(part: Part, number: int, job: Job, shuffle: Shuffle) -> PartResult:
    """Read one part.

    Args:
        part: what is to be read.
        number: the part's number in the run; only the splits of one part share it.
        job: the run.
        shuffle: takes the rows.
    """
    reader = _Reader(part, number, job, shuffle)
    entry, prefix_bytes = None, job.limits.prefix_bytes
    try:
        with job.raw.opened(part, lambda: job.store.folder(f"{job.staging}/raw"), prefix_bytes) as opened:
            file, end = opened.file, part.end or opened.size
            _refuse_another_file(file, part, prefix_bytes)
            try:
                reader.read(blocks(file, part.compression, part.offset, end, job.limits.chunk_bytes, part.checksum))
            except UnpackError as failure:
                reader.result.error = f"{failure}; the {reader.result.counts.lines:,} lines before that are read"
            entry = Entry(
                path=part.source_file,
                inode=opened.inode,
                size=end,
                mtime_ns=opened.mtime_ns,
                run=job.run,
                counts=Counts(),
                tail=Counts(),
                offset=reader.offset,
                prefix_hash="" if part.compression else _hash_of_read(file, reader.offset, end, prefix_bytes),
                checksum=reader.checksum,
                error=reader.result.error,
            )
    except OSError as failure:
        reader.result.error = failure.strerror or str(failure)
    return reader.close(entry)


def _refuse_another_file(file: IO[bytes], part: Part, prefix_bytes: int) -> None:
    """Check that a file that is read from its middle is still the one that was listed.

    Raises:
        OSError: it is another file, so it is unknown which of its lines are new.
    """
    if part.offset and prefix_hash(file, part.offset, prefix_bytes) != part.prefix_hash:
        raise OSError("another file took its place after the run listed it")


def _hash_of_read(file: IO[bytes], offset: int, end: int, prefix_bytes: int) -> str:
    """Return a hash of the bytes that were read; empty if the file has become shorter meanwhile."""
    found = prefix_hash(file, offset, prefix_bytes)
    return found if os.fstat(file.fileno()).st_size >= end else ""


class _Reader:
    """The state of reading one part."""

    def __init__(self, part: Part, number: int, job: Job, shuffle: Shuffle) -> None:
        self._part, self._latest, self._actions, self._shuffle = part, job.latest, job.actions, shuffle
        self._tombstones = job.tombstones
        self._quarantine = QuarantineWriter(job, part, number)
        self.offset = part.offset  # just after the last newline
        self.checksum = None if part.compression else part.checksum  # of what is before it
        self.result = PartResult.of(part, number)

    def read(self, content: Iterable[Block]) -> None:
        """Validate every line.

        Raises:
            UnpackError: the file cannot be unpacked further.
            OSError: the file cannot be read further.
        """
        for number, block in enumerate(content):
            lines = block.lines
            if number == 0 and self._part.offset == 0:
                lines = lines.removeprefix(_BYTE_ORDER_MARK)
                if not lines:
                    continue
            counts = self._validate(lines, block)
            self.result.counts += counts
            self.result.bytes += block.bytes
            if block.whole:
                self.offset += block.bytes
                self.checksum = block.checksum
            else:
                self.result.tail = counts

    def close(self, entry: Entry | None) -> PartResult:
        """Finish the staged files and return the result; without a ledger entry, nothing of the part counts."""
        result, operations = self.result, self._quarantine.close()
        if entry is None:
            result.bytes, result.counts, result.tail, result.reasons = 0, Counts(), Counts(), Counter()
        else:
            result.entry, result.operations = entry, operations
        return result

    def _validate(self, lines: bytes, block: Block) -> Counts:
        source = self.result.source_of_lines if block.whole else self.result.source_of_tail
        count, handed_back = self._shuffle.approve(lines, source) if block.whole else (1, [HandedBack(0, lines)])
        validated: list[Row] = []
        rejected = blank = 0
        for number, line in handed_back:
            verdict = validate(line, self._latest, actions=self._actions, torn=not block.whole, dropped=block.dropped)
            if block.cut and not isinstance(verdict, Row):  # the fault is in this line
                return Counts()
            if isinstance(verdict, Row):
                validated.append(verdict)
            elif isinstance(verdict, Rejection) and not self._tombstones.name(line):
                rejected += 1
                self.result.reasons[verdict.reason] += 1
                line_number = self._part.lines_before + self.result.counts.lines + number + 1
                self._quarantine.add(line_number, verdict, line)
            elif verdict is None:
                blank += 1
        if validated:
            self._shuffle.take(batch(validated, source))
        return Counts(lines=count, duplicates=count - rejected - blank, rejected=rejected, blank=blank)
