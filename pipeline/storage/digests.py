"""The digests of published files, by which `usage check` and runs notice that a file is not as it was written.

Reads and writes the table `digests` of `state.sqlite`, mostly through a connection of `storage/state`. A digest is the
size of a file and its CRC-32: a flipped bit always changes that, and so does any damage of up to 32 bits in a row.
"""

import sqlite3
import zlib
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from pipeline.storage.read_only import read_only

SCHEMA: Final = """
create table if not exists digests (
  path text primary key,
  size integer not null,
  checksum integer not null
) strict, without rowid;
"""
WHY: Final = "its bytes are not those that were written"

_PORTION_BYTES: Final = 1 << 20


class Digest(msgspec.Struct, frozen=True):
    """What is remembered of the bytes of a file: how many they are, and their CRC-32."""

    size: int = 0
    checksum: int = 0

    def followed_by(self, content: bytes | memoryview) -> "Digest":
        """Return the digest of these bytes and of those that follow them."""
        return Digest(self.size + len(content), zlib.crc32(content, self.checksum))


EMPTY: Final = Digest()


class DigestingFile:
    """A new file that computes its digest while it is written, so that nobody has to read it for that.

    Args:
        path: the file, which is created.

    Raises:
        OSError: it cannot be created; also from the methods, if it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.digest = EMPTY

    @property
    def closed(self) -> bool:
        """Return whether the file is closed."""
        return self._file.closed

    def write(self, content: bytes) -> int:
        """Write bytes, and return how many."""
        self.digest = self.digest.followed_by(content)
        return self._file.write(content)

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __del__(self) -> None:
        """Close the file silently: one that nobody closed belongs to a failed run."""
        with suppress(AttributeError, OSError):  # it was not even opened, or the disk is full
            self._file.close()


class DigestReader:
    """Looks up digests for the steps of a run; a copy in another process opens the database itself.

    Args:
        path: the database.
        database: a connection to it; None in another process.
    """

    def __init__(self, path: Path, database: sqlite3.Connection | None = None) -> None:
        self._path, self._database = path, database

    def __reduce__(self) -> tuple[type["DigestReader"], tuple[Path]]:
        """Leave out the connection, which belongs to its process."""
        return DigestReader, (self._path,)

    def of(self, paths: Collection[str]) -> dict[str, Digest]:
        """Return the digests of some files by path; those that are unknown are left out.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        if not paths:
            return {}
        if self._database is not None:
            return _some(self._database, paths)
        with read_only(self._path) as database:
            return _some(database, paths)


def of_file(path: Path) -> Digest:
    """Return the digest of a file, which is read in portions.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        return of_stream(file)


def of_stream(file: IO[bytes]) -> Digest:
    """Return the digest of an open file, from where it is now to its end."""
    digest = EMPTY
    while portion := file.read(_PORTION_BYTES):
        digest = digest.followed_by(portion)
    return digest


def read(database: sqlite3.Connection) -> dict[str, Digest]:
    """Return all digests by path; none where an older release made the database."""
    if not database.execute("select * from sqlite_master where name = 'digests'").fetchone():
        return {}
    return {path: Digest(*row) for path, *row in database.execute("select path, size, checksum from digests")}


def write(database: sqlite3.Connection, found: Mapping[str, Digest]) -> None:
    """Record the digests of files by path, within the caller's transaction."""
    rows = ((path, digest.size, digest.checksum) for path, digest in found.items())
    database.executemany("insert or replace into digests (path, size, checksum) values (?, ?, ?)", rows)


def forget(database: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Remove the digests of files that are gone, within the caller's transaction."""
    database.executemany("delete from digests where path = ?", ((path,) for path in paths))


def _some(database: sqlite3.Connection, paths: Collection[str]) -> dict[str, Digest]:
    query = "select digests.path, size, checksum from json_each(?) join digests on digests.path = value"
    found = database.execute(query, (msgspec.json.encode(sorted(paths)).decode(),))
    return {path: Digest(*row) for path, *row in found}
