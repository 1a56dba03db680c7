"""Step 1: which raw files are new, changed or longer than when they were last read.

Reads the folder `raw/` and the entries of the ledger; writes nothing.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Final, Literal

import msgspec

from pipeline.load import checksums
from pipeline.load.job import DEFAULT_LIMITS
from pipeline.storage.state import Counts, Entry

Compression = Literal["gzip", "zstd"]

_COMPRESSIONS: Final[dict[str, Compression | None]] = {".jsonl": None, ".jsonl.gz": "gzip", ".jsonl.zst": "zstd"}
_COMPRESSION_RATIO: Final = 8  # of logs, about; only to choose the number of buckets
# A plain file that grew is read again as a whole if any byte that was read has changed. Of a larger one, only the
# beginning and the end of what was read are looked at; `usage check` looks at all of it.
_VERIFIED_BYTES: Final = 4 << 20


class Part(msgspec.Struct, frozen=True):
    """What is read of one raw file: the bytes from `offset` to `end`, which begin with line `lines_before` + 1.

    In a retry it is what the quarantine holds of the file instead; the file itself is not read then.
    """

    source_file: str  # relative to raw/, as the ledger and the quarantine name it
    path: Path
    compression: Compression | None
    bytes: int  # about how many will be validated
    offset: int = 0
    lines_before: int = 0
    counts_before: Counts = Counts()
    tail_before: Counts = Counts()  # of the line without newline that was read before and is read again
    prefix_hash: str = ""  # of the bytes before `offset`, at both ends
    checksum: int | None = checksums.EMPTY  # of all bytes before `offset`; None: unknown
    end: int = 0  # 0: where the file ends when it is opened
    error: str | None = None  # why it cannot be read
    retry: "Retry | None" = None
    entry: Entry | None = None  # in a retry, what the ledger knows of the file


class PathError(ValueError):
    """Raised when a given path is not a raw file."""


class Retry(msgspec.Struct, frozen=True):
    """Which rejected lines are validated again: of one reason or any, of one raw file or all."""

    reason: str | None = None
    file: str | None = None


class Waiting(msgspec.Struct, frozen=True):
    """Raw files that the next run will read."""

    files: int
    bytes: int  # about how many it will validate

    @classmethod
    def of(cls, parts: Iterable[Part]) -> "Waiting":
        """Count some parts."""
        sizes = [part.bytes for part in parts]
        return cls(len(sizes), sum(sizes))


def changed(
    raw: Path,
    entries: Mapping[str, Entry],
    paths: Iterable[Path] = (),
    prefix_bytes: int = DEFAULT_LIMITS.prefix_bytes,
) -> list[Part]:
    """Return the parts of raw files that have not been read yet, in the order of their names.

    Args:
        raw: the folder that is searched, its subfolders included; dot files and `*.tmp` are ignored.
        entries: the ledger.
        paths: files or folders to look at instead of everything in `raw`.
        prefix_bytes: hashed at each end of what was read of a plain file.

    Raises:
        OSError: one of `paths` does not exist or cannot be accessed.
        PathError: one of `paths` is neither a folder nor named like a raw file.
    """
    paths = list(paths)
    parts = []
    for path, status in _files(paths or [raw]):
        name = _name(raw, path)
        if isinstance(status, OSError):
            if path in (paths or [raw]):
                raise status
            parts.append(Part(name, path, None, 0, error=status.strerror))
            continue
        if not _suffix(path):
            raise PathError(f"{path} is no raw file: its name must end with {', '.join(_COMPRESSIONS)}")
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for its writer
            parts.append(Part(name, path, None, 0, error="it is no ordinary file"))
            continue
        entry = entries.get(name)
        if entry and (entry.inode, entry.size, entry.mtime_ns) == (status.st_ino, status.st_size, status.st_mtime_ns):
            continue
        compression = _COMPRESSIONS[_suffix(path)]
        if entry and not compression and _only_grew(path, entry, status, prefix_bytes):
            before = entry.counts - entry.tail
            size = status.st_size - entry.offset
            parts.append(
                Part(
                    *(name, path, compression, size, entry.offset, before.lines, before, entry.tail),
                    *(entry.prefix_hash, entry.checksum),
                )
            )
        else:
            size = status.st_size * (_COMPRESSION_RATIO if compression else 1)
            parts.append(Part(name, path, compression, size))
    return sorted({part.source_file: part for part in parts}.values(), key=lambda part: part.source_file)


def prefix_hash(file: IO[bytes], offset: int, prefix_bytes: int) -> str:
    """Return a hash of the first and the last `prefix_bytes` before `offset`; growth of the file does not change it."""
    digest = hashlib.sha256(str(offset).encode())
    for start in (0, max(0, offset - prefix_bytes)):
        file.seek(start)
        digest.update(file.read(min(offset, prefix_bytes)))
    return digest.hexdigest()


def _only_grew(path: Path, entry: Entry, status: os.stat_result, prefix_bytes: int) -> bool:
    if not entry.prefix_hash or entry.inode != status.st_ino or entry.size >= status.st_size:
        return False
    try:
        with path.open("rb") as file:
            if entry.prefix_hash != prefix_hash(file, entry.offset, prefix_bytes):
                return False
            is_verified = entry.checksum is not None and entry.offset <= _VERIFIED_BYTES
            return not is_verified or checksums.of_beginning(file, entry.offset) == entry.checksum
    except OSError:  # reading it will fail the same way, and report it
        return False


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result | OSError]]:
    """Yield the files at some paths and in the folders among them, each with its status or why it has none."""
    for path in paths:
        try:
            status = path.stat()
            children = list(path.iterdir()) if stat.S_ISDIR(status.st_mode) else None
        except OSError as error:
            yield path, error
            continue
        if children is None:
            yield path, status
        else:
            yield from filter(_is_raw, _files(child for child in children if not child.name.startswith(".")))


def _is_raw(found: tuple[Path, os.stat_result | OSError]) -> bool:
    """Return whether something in a folder is a raw file, or may be one or hold some."""
    path, status = found
    return bool(_suffix(path)) or (isinstance(status, OSError) and status.errno != errno.ENOENT)


def _suffix(path: Path) -> str:
    return next((suffix for suffix in _COMPRESSIONS if path.name.endswith(suffix)), "")


def _name(raw: Path, path: Path) -> str:
    path = path.absolute()
    name = path.relative_to(raw.absolute()) if path.is_relative_to(raw.absolute()) else path
    return os.fsencode(name).decode(errors="backslashreplace")  # a name may be no UTF-8
