"""Step 1: which raw files are new, changed or longer than when they were last read.

Compares a listing of raw files with the ledger, and reads the ends of files that grew; writes nothing.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Final, Literal

import msgspec

from pipeline.load import checksums
from pipeline.load.listing import Listing, RawFile
from pipeline.load.raw_names import packing
from pipeline.storage.state import Counts, Entry
from pipeline.storage.unread import Unread

Compression = Literal["gzip", "zstd"]

PREFIX_BYTES: Final = 1 << 16  # hashed at each end of what was read of a plain file
_COMPRESSIONS: Final[dict[str, Compression | None]] = {"": None, "gz": "gzip", "zst": "zstd"}
_COMPRESSION_RATIO: Final = 8  # of logs, about; only to choose the number of buckets
# A plain file that grew is read again as a whole if any byte that was read has changed. Of a larger one, only the
# beginning and the end of what was read are looked at; `usage check` looks at all of it.
_VERIFIED_BYTES: Final = 4 << 20


class Part(msgspec.Struct, frozen=True):
    """The part read of a raw file: the bytes from `offset` to `end`, which begin with line `lines_before` + 1.

    In a retry, it is what the quarantine holds of the file instead; the file itself is not read.
    """

    source_file: str  # relative to raw/, as the ledger and the quarantine name it
    path: Path  # empty in a retry
    compression: Compression | None
    bytes: int  # how many will be validated, approximately
    offset: int = 0
    lines_before: int = 0
    counts_before: Counts = Counts()
    tail_before: Counts = Counts()  # counts of the line without a newline that was read before and is read again
    prefix_hash: str = ""  # of the bytes before `offset`, at both ends
    checksum: int | None = checksums.EMPTY  # of all bytes before `offset`; None: unknown
    end: int = 0  # 0: where the file ends when it is opened
    listed: RawFile | None = None
    retry: "Retry | None" = None
    entry: Entry | None = None  # in a retry, what the ledger knows of the file


class Retry(msgspec.Struct, frozen=True):
    """Which rejected lines are validated again: those with one reason or any, from one raw file or all."""

    reason: str | None = None
    file: str | None = None


class Waiting(msgspec.Struct, frozen=True):
    """Raw files that the next run will read."""

    files: int
    bytes: int  # how many will be validated, approximately

    @classmethod
    def of(cls, parts: Iterable[Part]) -> "Waiting":
        """Count some parts."""
        sizes = [part.bytes for part in parts]
        return cls(len(sizes), sum(sizes))


def changed(
    found: Listing,
    entries: Mapping[str, Entry],
    unread: Mapping[str, Unread],
    prefix_bytes: int = PREFIX_BYTES,
) -> list[Part]:
    """Return the parts of raw files that have not been read yet, in the order of their names.

    Args:
        found: the raw files.
        entries: the ledger.
        unread: the files that earlier runs could not read. They are tried again, accepted ones once they change.
        prefix_bytes: hashed at each end of what was read of a plain file.
    """
    parts = []
    for file in found.files:
        entry, failure = entries.get(file.name), unread.get(file.name)
        if entry and is_as_read(file, entry):
            continue
        if failure and failure.accepted and _is_as_it_failed(file, failure):
            continue
        path, compression = Path(os.fsdecode(file.path)), _COMPRESSIONS[packing(file.path)]
        if entry and not compression and _only_grew(path, entry, file, prefix_bytes):
            before = entry.counts - entry.tail
            part = Part(
                file.name,
                path,
                compression,
                file.size - entry.offset,
                entry.offset,
                before.lines,
                before,
                entry.tail,
                entry.prefix_hash,
                entry.checksum,
                listed=file,
            )
        else:
            size = file.size * (_COMPRESSION_RATIO if compression else 1)
            part = Part(file.name, path, compression, size, listed=file)
        parts.append(part)
    return parts


def is_as_read(file: RawFile, entry: Entry) -> bool:
    """Return whether a file has not changed since it was read."""
    return (entry.inode, entry.size, entry.mtime_ns) == (file.inode, file.size, file.mtime_ns)


def prefix_hash(file: IO[bytes], offset: int, prefix_bytes: int) -> str:
    """Return a hash of the first and the last `prefix_bytes` before `offset`; growth of the file does not change it."""
    digest = hashlib.sha256(str(offset).encode())
    for start in (0, max(0, offset - prefix_bytes)):
        file.seek(start)
        digest.update(file.read(min(offset, prefix_bytes)))
    return digest.hexdigest()


def _is_as_it_failed(file: RawFile, failure: Unread) -> bool:
    """Return whether nothing about a file changed since it failed, not even its owner or mode."""
    now = (file.inode, file.size, file.mtime_ns, file.ctime_ns)
    return now == (failure.inode, failure.size, failure.mtime_ns, failure.ctime_ns)


def _only_grew(path: Path, entry: Entry, file: RawFile, prefix_bytes: int) -> bool:
    if not entry.prefix_hash or entry.inode != file.inode or entry.size >= file.size:
        return False
    try:
        with path.open("rb") as opened:
            if entry.prefix_hash != prefix_hash(opened, entry.offset, prefix_bytes):
                return False
            is_verified = entry.checksum is not None and entry.offset <= _VERIFIED_BYTES
            return not is_verified or checksums.of_beginning(opened, entry.offset) == entry.checksum
    except OSError:  # reading it will fail the same way, and report it
        return False
