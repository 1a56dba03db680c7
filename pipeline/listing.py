"""Step 1: which raw files are new, changed or longer than when they were last read.

Reads the folder `raw/` and the ledger's entries; writes nothing.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from pipeline.state import Counts, Entry

Compression = Literal["gzip", "zstd"]

_COMPRESSIONS: Final[dict[str, Compression | None]] = {".jsonl": None, ".jsonl.gz": "gzip", ".jsonl.zst": "zstd"}
# Logs shrink about this much; only to guess how many buckets a run needs.
_COMPRESSION_RATIO: Final = 8
_PROOF_BYTES: Final = 1 << 16


class Part(msgspec.Struct, frozen=True):
    """What is to be read of one raw file: the bytes from `offset`, which begin with line `lines_before` + 1.

    Or, in a retry, what of it is in quarantine; the file itself is not looked at then.
    """

    source_file: str  # relative to raw/, as the ledger and the quarantine name it
    path: Path
    compression: Compression | None
    bytes: int  # about how many will be judged
    offset: int = 0
    lines_before: int = 0
    counts_before: Counts = Counts()
    retry: "Retry | None" = None
    entry: Entry | None = None  # in a retry, what the ledger knows of the file


class Retry(msgspec.Struct, frozen=True):
    """Which lines in quarantine are judged again: of one reason or any, of one raw file or all."""

    reason: str | None = None
    file: str | None = None


def changed(raw: Path, entries: Mapping[str, Entry], paths: Iterable[Path] = ()) -> list[Part]:
    """Return the parts of raw files that have not been read yet, in the order of their names.

    Args:
        raw: the folder that is searched, its sub-folders included; dot files and `*.tmp` are left alone.
        entries: the ledger.
        paths: files or folders to look at instead of everything in `raw`.

    Raises:
        OSError: one of `paths` cannot be looked at.
    """
    paths = list(paths)
    parts = []
    for path in _files(paths or [raw]):
        name = _name(raw, path)
        try:
            status = path.stat()
        except OSError:
            if path in paths:
                raise
            parts.append(Part(name, path, None, 0))  # reading it will fail the same way, and say so
            continue
        entry = entries.get(name)
        if entry and (entry.inode, entry.size, entry.mtime_ns) == (status.st_ino, status.st_size, status.st_mtime_ns):
            continue
        compression = _COMPRESSIONS[_suffix(path)]
        if entry and not compression and _only_grew(path, entry, status):
            before = entry.counts - entry.tail
            size = status.st_size - entry.offset
            parts.append(Part(name, path, compression, size, entry.offset, before.lines, before))
        else:
            size = status.st_size * (_COMPRESSION_RATIO if compression else 1)
            parts.append(Part(name, path, compression, size))
    return sorted(parts, key=lambda part: part.source_file)


def proof(path: Path, offset: int) -> str:
    """Return a hash of the first and the last bytes before `offset`: a file that only grew still has it."""
    digest = hashlib.sha256(str(offset).encode())
    with path.open("rb") as file:
        digest.update(file.read(min(offset, _PROOF_BYTES)))
        file.seek(max(0, offset - _PROOF_BYTES))
        digest.update(file.read(min(offset, _PROOF_BYTES)))
    return digest.hexdigest()


def _only_grew(path: Path, entry: Entry, status: os.stat_result) -> bool:
    return (
        entry.inode == status.st_ino
        and entry.size < status.st_size
        and bool(entry.proof)
        and entry.proof == proof(path, entry.offset)
    )


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            children = (child for child in path.iterdir() if not child.name.startswith("."))
            yield from _files(child for child in children if child.is_dir() or _suffix(child))
        else:
            yield path


def _suffix(path: Path) -> str:
    return next((suffix for suffix in _COMPRESSIONS if path.name.endswith(suffix)), "")


def _name(raw: Path, path: Path) -> str:
    path = path.absolute()
    name = path.relative_to(raw.absolute()) if path.is_relative_to(raw.absolute()) else path
    return os.fsencode(name).decode(errors="backslashreplace")  # a name may be no UTF-8
