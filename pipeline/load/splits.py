"""A large plain part in splits that are read at once, and their reports joined to the one of the part.

Reads a raw file, to find where its lines begin, and what was staged of the splits for the quarantine; writes, under the
run's staging folder, the quarantine file of the part.
"""

import os
from itertools import pairwise
from typing import IO, Final

import msgspec

from pipeline.load.discovery import Part, prefix_hash
from pipeline.load.job import Job
from pipeline.load.rejects import QuarantineWriter
from pipeline.load.results import PartResult

# Small enough for the last one not to keep the other processes waiting; those of ordinary files would be many more.
_SPLIT_BYTES: Final = 64_000_000
# Of a line whose end is looked for: it may have none.
_PIECE_BYTES: Final = 1 << 20


def split(part: Part) -> list[Part]:
    """Return the splits of a part, in their order; itself where it is small, compressed or one line.

    Each is a part that begins where the one before ends, with a proof that it still is the same file.
    """
    if part.compression or part.bytes <= _SPLIT_BYTES:
        return [part]
    try:
        with part.path.open("rb") as file:
            end = os.fstat(file.fileno()).st_size
            starts = _starts(file, part.offset, end)
            proofs = [part.prefix_hash, *(prefix_hash(file, start) for start in starts[1:])]
    except OSError:  # reading it will fail the same way, and say so
        return [part]
    if len(starts) == 1:
        return [part]
    return [
        msgspec.structs.replace(part, bytes=stop - start, offset=start, lines_before=0, prefix_hash=proved, end=stop)
        for (start, stop), proved in zip(pairwise([*starts, end]), proofs, strict=True)
    ]


def join(part: Part, splits: list[PartResult], job: Job) -> PartResult:
    """Return the report of a part from those of its splits, in their order; if one is lost, all are."""
    if len(splits) == 1:
        return splits[0]
    whole = PartResult.of(part, splits[0].number)
    entries = [report.entry for report in splits if report.entry]
    whole.error = next((report.error for report in splits if report.error), None)
    if whole.error is None and [entry.offset for entry in entries[:-1]] != [report.offset for report in splits[1:]]:
        whole.error = "it was changed while it was read"
    if whole.error is not None:
        return whole
    rejections = QuarantineWriter(job, part, whole.number)
    for report in splits:
        for operation in report.operations:
            if operation.kind == "replace":
                rejections.take(operation.staged, part.lines_before + whole.counts.lines)
        whole.bytes += report.bytes
        whole.counts += report.counts
        whole.reasons += report.reasons
    whole.tail = splits[-1].tail
    whole.operations = rejections.close()
    # What was changed after any of them was opened is read again.
    whole.entry = msgspec.structs.replace(entries[-1], mtime_ns=min(entry.mtime_ns for entry in entries))
    return whole


def _starts(file: IO[bytes], offset: int, end: int) -> list[int]:
    """Return where the splits begin, the first at `offset`, the others each at the first line of so many bytes."""
    starts = [offset]
    while (start := _line_start(file, starts[-1] + _SPLIT_BYTES)) < end:
        starts.append(start)
    return starts


def _line_start(file: IO[bytes], offset: int) -> int:
    """Return where the line that begins next behind `offset` does; no less than the file's size where none does."""
    file.seek(offset)
    while (piece := file.readline(_PIECE_BYTES)) and not piece.endswith(b"\n"):
        pass
    return file.tell()
