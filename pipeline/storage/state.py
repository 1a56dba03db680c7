"""The writer's own memory: the ledger of raw files and the journal of the commit under way.

Reads and writes `state.sqlite`. Losing it is harmless: raw files are read again, and versions make that change nothing.
"""

import operator
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from pipeline.storage.store import Operation
from pipeline.storage.tombstones import Tombstones

_SCHEMA: Final = """
create table if not exists files (
  path text primary key,
  run text not null,
  entry text not null
) strict;
create table if not exists forgotten (
  path text primary key
) strict;
create table if not exists journal (
  position integer primary key,
  run text not null,
  operation text not null
) strict;
create table if not exists tombstones (
  run text not null,
  carried_out text not null
) strict;
"""


class Counts(msgspec.Struct, frozen=True):
    """What became of lines; every line is one of the last four."""

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
    """What the ledger knows of one raw file.

    A plain file that only grew is read on from `offset`, the end of its last whole line; `prefix_hash` is of the bytes
    before it. `tail` counts the line behind it that had no newline yet, and is part of `counts`.
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
    error: str | None = None


class State:
    """The database; one writer at a time, which the run's lock sees to."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None)
        try:
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = full")
            self._database.execute("pragma secure_delete = on")  # what is forgotten has its id in paths
            self._database.executescript(_SCHEMA)
        except sqlite3.DatabaseError:
            self.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def entries(self) -> dict[str, Entry]:
        """Return the ledger by path."""
        return _entries(self._database)

    def is_trusted(self) -> bool:
        """Return whether the tables are known to hold nothing half published by a run that this ledger never knew."""
        return bool(self._database.execute("pragma user_version").fetchone()[0])

    def trust(self) -> None:
        """Take the tables for what this ledger knows of them."""
        self._database.execute("pragma user_version = 1")

    def begin(
        self,
        run: str,
        operations: Iterable[Operation],
        entries: Iterable[Entry],
        *,
        rebuilt: bool,
        complete: bool,
        carried_out: Tombstones | None = None,
    ) -> None:
        """Record, in one transaction, what a commit is about to do and what will then have been read.

        Args:
            run: whose commit it is.
            operations: in their order.
            entries: of the raw files that were read.
            rebuilt: whether nothing else counts as read any more.
            complete: whether every raw file has then been read since the ledger was made.
            carried_out: the tombstones of which nothing stands then; None where that is as it was.
        """
        with self._database as database:
            database.execute("begin immediate")
            database.execute("delete from journal")  # the deletes of the commit before: they are on disk by now
            database.executemany(
                "insert into journal (run, operation) values (?, ?)",
                ((run, _json(operation)) for operation in operations),
            )
            if rebuilt:
                database.execute("delete from files")
                database.execute("delete from forgotten")
            database.executemany(
                "insert or replace into files (path, run, entry) values (?, ?, ?)",
                ((entry.path, entry.run, _json(entry)) for entry in entries),
            )
            database.execute("delete from forgotten where path in (select path from files)")
            if complete:
                self.trust()
            if carried_out is not None:
                self.carry_out(carried_out, run)

    def journal(self) -> tuple[str, list[Operation]] | None:
        """Return the run and the operations of the last commit that may not have reached the disk."""
        rows = self._database.execute("select run, operation from journal order by position").fetchall()
        if not rows:
            return None
        return rows[0][0], [msgspec.json.decode(operation, type=Operation) for _, operation in rows]

    def is_committing(self) -> bool:
        """Return whether a commit has begun and not ended: what it staged is still needed."""
        query = "select exists (select * from journal where operation ->> 'kind' = 'replace')"
        (found,) = self._database.execute(query).fetchone()
        return bool(found)

    def end(self) -> None:
        """Forget what a commit did and what is on disk; its deletes stay until the next one begins."""
        self._database.execute("delete from journal where operation ->> 'kind' <> 'delete'")

    def settle(self) -> None:
        """Forget the deletes too: they are on disk."""
        self._database.execute("delete from journal")

    def carried_out(self) -> Tombstones:
        """Return the tombstones of which nothing stands any more."""
        row = self._database.execute("select carried_out from tombstones").fetchone()
        return msgspec.json.decode(row[0], type=Tombstones) if row else Tombstones()

    def carry_out(self, tombstones: Tombstones, run: str) -> None:
        """Record that nothing of these stands any more, once a run's commit has ended."""
        self._database.execute("delete from tombstones")
        self._database.execute("insert into tombstones values (?, ?)", (run, _json(tombstones)))

    def forget(self, run: str, *, tables: bool) -> None:
        """Forget a commit and that its run read its files, so that the next one reads them again.

        Args:
            run: whose commit it is.
            tables: whether it was about to change tables; where it read no files for that, as a rebuild of some months
                does, or may have taken away what is forgotten, all files are forgotten.
        """
        with self._database as database:
            database.execute("begin immediate")
            (read,) = database.execute("select count(*) from files where run = ?", (run,)).fetchone()
            gone = database.execute("delete from tombstones where run = ?", (run,)).rowcount
            theirs = "%" if tables and (gone or not read) else run
            database.execute("insert or ignore into forgotten select path from files where run like ?", (theirs,))
            database.execute("delete from files where run like ?", (theirs,))
            database.execute("delete from journal")

    def forgotten(self) -> set[str]:
        """Return the files that were forgotten and not read again since: what they touch may be half published."""
        return {path for (path,) in self._database.execute("select path from forgotten")}


def read_entries(path: Path) -> dict[str, Entry]:
    """Return the ledger by path, without creating or changing a file; empty where there is no database.

    SQLite creates the files of a missing write-ahead log even for a read-only connection, unless the database is
    declared immutable. That is safe here: without these files nobody is writing.

    Raises:
        sqlite3.Error: the database cannot be read.
        msgspec.MsgspecError: an entry cannot be decoded.
    """
    if not path.exists():
        return {}
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True)) as database:
        return _entries(database)


def _entries(database: sqlite3.Connection) -> dict[str, Entry]:
    rows = database.execute("select path, entry from files")
    return {path: msgspec.json.decode(entry, type=Entry) for path, entry in rows}


def _json(value: Operation | Entry | Tombstones) -> str:
    return msgspec.json.encode(value).decode()
