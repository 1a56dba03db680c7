"""Cuts a large plain part into splits that several processes read, and joins their results into that of the part.

Reads the raw file, to find where its lines begin, and the rejected lines that were staged for the splits; writes the
quarantine file of the part under its staging folder.
"""

import os
from itertools import pairwise
from typing import IO, Final

import msgspec

from pipeline.load import checksums
from pipeline.load.discovery import Part, prefix_hash
from pipeline.load.job import Job, Limits
from pipeline.load.raw_source import RawSource
from pipeline.load.rejects import QuarantineWriter
from pipeline.load.results import PartResult
from pipeline.storage.state import Entry

_PIECE_BYTES: Final = 1 << 20  # read at once to find the end of a line, which may be far away


class ReadSplits(msgspec.Struct, frozen=True):
    """A part of which all splits were read."""

    part: Part
    splits: list[PartResult]  # in order; more than one

    @property
    def staged(self) -> list[str]:
        """Return the files with the rejected lines of each split."""
        operations = [operation for result in self.splits for operation in result.operations]
        return [operation.staged for operation in operations if operation.kind == "replace"]


def split(part: Part, raw: RawSource, limits: Limits) -> list[Part]:
    """Return the splits of a part, in order; the part itself if it is small, compressed or a single line.

    Each split begins where the one before ends, and has the hash of the bytes before it.
    """
    if part.compression or part.bytes <= limits.split_bytes:
        return [part]
    try:
        with raw.looked_at(part) as file:
            end = file.seek(0, os.SEEK_END)
            starts = _starts(file, part.offset, end, limits.split_bytes)
            hashes = [part.prefix_hash, *(prefix_hash(file, start, limits.prefix_bytes) for start in starts[1:])]
    except OSError:  # reading the part will fail the same way, and report it
        return [part]
    if len(starts) == 1:
        return [part]
    return [
        msgspec.structs.replace(
            part,
            bytes=stop - start,
            offset=start,
            lines_before=0,
            prefix_hash=hash_,
            checksum=part.checksum if start == part.offset else checksums.EMPTY,  # `join` adds what is before it
            end=stop,
        )
        for (start, stop), hash_ in zip(pairwise([*starts, end]), hashes, strict=True)
    ]


def join(read: ReadSplits, job: Job) -> PartResult:
    """Return the result of a part from the results of its splits; if one is lost, so is the part."""
    part, splits = read.part, read.splits
    whole = PartResult.of(part, splits[0].number)
    entries = [result.entry for result in splits if result.entry]
    whole.error = next((result.error for result in splits if result.error), None)
    if whole.error is None and [entry.offset for entry in entries[:-1]] != [result.offset for result in splits[1:]]:
        whole.error = "it was changed while it was read"
    if whole.error is not None:
        return whole
    quarantine = QuarantineWriter(job, part, whole.number)
    for result in splits:
        for operation in result.operations:
            if operation.kind == "replace":
                quarantine.take(operation.staged, part.lines_before + whole.counts.lines)
        whole.bytes += result.bytes
        whole.counts += result.counts
        whole.reasons += result.reasons
    whole.tail = splits[-1].tail
    whole.operations = job.store.deliver(quarantine.close())
    # The earliest of their times lets the next run notice a change made after the first split was opened.
    whole.entry = msgspec.structs.replace(
        entries[-1], mtime_ns=min(entry.mtime_ns for entry in entries), checksum=_joined_checksum(splits, entries)
    )
    return whole


def _joined_checksum(splits: list[PartResult], entries: list[Entry]) -> int | None:
    joined = entries[0].checksum
    for result, entry in zip(splits[1:], entries[1:], strict=True):
        joined = checksums.joined(joined, entry.checksum, entry.offset - result.offset)
    return joined


def _starts(file: IO[bytes], offset: int, end: int, split_bytes: int) -> list[int]:
    """Return where the splits begin: at `offset`, then at the first line beyond each further `split_bytes`."""
    starts = [offset]
    while (start := _line_start(file, starts[-1] + split_bytes)) < end:
        starts.append(start)
    return starts


def _line_start(file: IO[bytes], offset: int) -> int:
    """Return where the first line after `offset` begins; the end of the file, or a larger number, if none does."""
    file.seek(offset)
    while (piece := file.readline(_PIECE_BYTES)) and not piece.endswith(b"\n"):
        pass
    return file.tell()
