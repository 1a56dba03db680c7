"""The ledger: what is recorded of each raw file that was read.

Reads and writes the table `files` of `state.sqlite`, through a connection of `storage/state`.
"""

import operator
import sqlite3
import zlib
from collections.abc import Iterable
from typing import Final

import msgspec

SCHEMA: Final = """
create table if not exists files (
  path text primary key,
  run text not null,
  entry text not null,
  checksum integer
) strict;
"""


class Counts(msgspec.Struct, frozen=True):
    """Line counts by outcome: every line is accepted, a duplicate, rejected or blank."""

    lines: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    blank: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*map(operator.add, msgspec.structs.astuple(self), msgspec.structs.astuple(other)))

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(*map(operator.sub, msgspec.structs.astuple(self), msgspec.structs.astuple(other)))


class Entry(msgspec.Struct):
    """The ledger's record of one raw file.

    Attributes:
        path: the key of the ledger.
        inode: of the file when it was read.
        size: in bytes, when it was read.
        mtime_ns: the time of its last change, in nanoseconds.
        run: the run that read it.
        counts: all lines of the file, with those of `tail`.
        tail: the last line, if it had no newline yet.
        offset: the end of the last complete line, in bytes; a plain file that only grew is read from here.
        prefix_hash: a hash of the bytes before `offset`, at both ends.
        checksum: of all bytes before `offset`, of a plain file; None: unknown.
        error: why the file could not be read to its end; None if it was.
    """

    path: str
    inode: int
    size: int
    mtime_ns: int
    run: str
    counts: Counts
    tail: Counts
    offset: int = 0
    prefix_hash: str = ""
    checksum: int | None = None
    error: str | None = None


def upgrade(database: sqlite3.Connection) -> None:
    """Add the column `checksum` where an older release made the database."""
    if not _has_checksums(database):
        database.execute("alter table files add column checksum integer")


def read(database: sqlite3.Connection) -> dict[str, Entry]:
    """Return the entries by path.

    Raises:
        sqlite3.DatabaseError: an entry is not as it was written; those of an older release have no checksum.
    """
    column = "checksum" if _has_checksums(database) else "null"
    found = {}
    for path, text, checksum in database.execute(f"select path, entry, {column} from files"):
        entry = msgspec.json.decode(text, type=Entry) if checksum in {None, _checksum(text)} else None
        if entry is None or entry.path != path:
            raise sqlite3.DatabaseError(f"the entry of {path} is not as it was written")
        found[path] = entry
    return found


def write(database: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Add or replace entries, within the caller's transaction."""
    texts = ((entry, msgspec.json.encode(entry).decode()) for entry in entries)
    database.executemany(
        "insert or replace into files (path, run, entry, checksum) values (?, ?, ?, ?)",
        ((entry.path, entry.run, text, _checksum(text)) for entry, text in texts),
    )


def _has_checksums(database: sqlite3.Connection) -> bool:
    return any(name == "checksum" for _, name, *_ in database.execute("pragma table_info(files)"))


def _checksum(text: str) -> int:
    return zlib.crc32(text.encode())
