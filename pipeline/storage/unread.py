"""What the state remembers of raw files that could not be read to their end, and of folders that could not be listed.

Reads and writes the table `unread` of `state.sqlite`, through a connection of `storage/state`.
"""

import sqlite3
from collections.abc import Mapping
from typing import Final

import msgspec

SCHEMA: Final = """
create table if not exists unread (
  path text primary key,
  failure text not null
) strict;
"""


class Unread(msgspec.Struct, frozen=True):
    """A raw file that could not be read to its end, or a folder that could not be listed.

    Attributes:
        path: as in the ledger.
        error: why.
        inode: of the file or folder when it failed, as are the next three; 0 if unknown.
        size: in bytes.
        mtime_ns: the time of the last change of its content, in nanoseconds.
        ctime_ns: the same for its content, owner or mode; 0 if the ledger has an entry for what was read.
        accepted: whether somebody accepted the file in this state as complete.
    """

    path: str
    error: str
    inode: int = 0
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    accepted: bool = False

    def is_unchanged(self, other: "Unread") -> bool:
        """Return whether the file is as it was at another failure."""
        return (self.inode, self.size, self.mtime_ns) == (other.inode, other.size, other.mtime_ns)


def read(database: sqlite3.Connection) -> dict[str, Unread]:
    """Return what is remembered, by path; nothing where an older release made the database."""
    if not database.execute("select * from sqlite_master where name = 'unread'").fetchone():
        return {}
    rows = database.execute("select path, failure from unread")
    return {path: msgspec.json.decode(failure, type=Unread) for path, failure in rows}


def write(database: sqlite3.Connection, unread: Mapping[str, Unread]) -> None:
    """Replace what is remembered, within the caller's transaction."""
    database.execute("delete from unread")
    database.executemany(
        "insert into unread (path, failure) values (?, ?)",
        ((path, msgspec.json.encode(failure).decode()) for path, failure in unread.items()),
    )
