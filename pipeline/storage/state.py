"""The writer's state: the ledger of raw files, the journal of the current commit, and the digests of published files.

Reads and writes `state.sqlite`. Losing the file is harmless: the next run reads all raw files again, and because every
event has a version, the tables stay the same.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from pipeline.storage import digests as digests_table
from pipeline.storage import entries as entries_table
from pipeline.storage import ownership
from pipeline.storage import unread as unread_table
from pipeline.storage.digests import Digest, DigestReader
from pipeline.storage.entries import Counts, Entry
from pipeline.storage.read_only import read_only
from pipeline.storage.store import Operation, Store
from pipeline.storage.tombstones import Tombstones
from pipeline.storage.unread import Unread

__all__ = ["Counts", "Entry", "State", "read_entries"]

STATE: Final = "state.sqlite"

_SCHEMA: Final = """
create table if not exists discarded (
  path text primary key
) strict;
create table if not exists torn (
  workspace_id text not null,
  month text not null,
  primary key (workspace_id, month)
) strict;
create table if not exists journal (
  position integer primary key,
  run text not null,
  operation text not null
) strict;
create table if not exists erasures (
  run text not null,
  carried_out text not null
) strict;
"""

_END: Final = """
delete from journal
where operation ->> 'kind' <> 'delete'
  or position < (select max(position) from journal where operation ->> 'kind' = 'sync')
"""


class State:
    """The database; the run's lock ensures that there is one writer at a time.

    Args:
        path: the file, which is created if it does not exist.

    Raises:
        sqlite3.Error: from the constructor and from every method, if the database cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        ownership.make_folder(path.parent, path.parent)
        ownership.make_file(path, path.parent)  # SQLite gives its other files the same owner and mode
        # A step of a run may look up digests in another thread while this one waits for it.
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._path = path
        try:
            # To its end: an error of writing the mode comes only after the row that the statement returns.
            self._database.execute("pragma journal_mode = wal").fetchall()
            self._database.execute("pragma synchronous = full")
            self._database.execute("pragma secure_delete = on")  # paths contain the ids of forgotten workspaces
            self._database.executescript(_SCHEMA + entries_table.SCHEMA + unread_table.SCHEMA + digests_table.SCHEMA)
            entries_table.upgrade(self._database)
        except sqlite3.DatabaseError:
            self.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def entries(self) -> dict[str, Entry]:
        """Return the entries of the ledger by path."""
        return entries_table.read(self._database)

    def unread(self) -> dict[str, Unread]:
        """Return the raw files that could not be read to their end, by path."""
        return unread_table.read(self._database)

    def refuse_damage(self) -> None:
        """Look at the structure of the whole database.

        Raises:
            sqlite3.DatabaseError: it is damaged.
        """
        (found,) = self._database.execute("pragma integrity_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    def is_trusted(self) -> bool:
        """Return whether the tables are free of half-published files from runs that this ledger has no record of."""
        return bool(self._database.execute("pragma user_version").fetchone()[0])

    def trust(self) -> None:
        """Record that the tables agree with this ledger."""
        self._database.execute("pragma user_version = 1")

    def digests(self) -> dict[str, Digest]:
        """Return the digests of published files by path; those that are unknown are left out."""
        return digests_table.read(self._database)

    def note_digest(self, path: str, digest: Digest) -> None:
        """Record the digest of one file that is not published by a commit."""
        digests_table.write(self._database, {path: digest})

    def digest_reader(self) -> DigestReader:
        """Return what looks up the digests of some files."""
        return DigestReader(self._path, self._database)

    def has_all_digests(self) -> bool:
        """Return whether no file was published that this state has no record of."""
        return bool(self._database.execute("pragma application_id").fetchone()[0])

    def add_digests(self, found: Mapping[str, Digest]) -> None:
        """Record the digests of the files that have none; from then on, all published files have one."""
        with self._database as database:
            database.execute("begin immediate")
            digests_table.write(database, found)
            database.execute("pragma application_id = 1")

    def begin(
        self,
        run: str,
        operations: Iterable[Operation],
        entries: Iterable[Entry],
        *,
        rebuilt: bool,
        complete: bool,
        carried_out: Tombstones | None = None,
        unread: Mapping[str, Unread] | None = None,
    ) -> None:
        """Record the operations of a commit, the digests of its files, and the raw files, in one transaction.

        Args:
            run: the id of the run.
            operations: in the order in which they are carried out.
            entries: the raw files that the run read.
            rebuilt: whether to drop all other raw files from the ledger.
            complete: whether every raw file has been read since the ledger was created, once this commit ends.
            carried_out: the tombstones whose data are gone from the tables after this commit; None leaves the record
                as it is.
            unread: the raw files that could not be read to their end; None leaves the record as it is.
        """
        with self._database as database:
            database.execute("begin immediate")
            database.execute("delete from journal")  # of the previous commit: its deletes are on disk by now
            operations = list(operations)
            database.executemany(
                "insert into journal (run, operation) values (?, ?)",
                ((run, _json(operation)) for operation in operations),
            )
            digests = {operation.final: operation.digest for operation in operations}
            digests_table.write(database, {path: digest for path, digest in digests.items() if digest is not None})
            digests_table.forget(database, (path for path, digest in digests.items() if digest is None))
            if rebuilt:
                database.execute("delete from files")
                database.execute("delete from discarded")
                database.execute("delete from torn")
            entries_table.write(database, entries)
            database.execute("delete from discarded where path in (select path from files)")
            if complete:
                self.trust()
            if carried_out is not None:
                self.carry_out(carried_out, run)
            if unread is not None:
                unread_table.write(database, unread)

    def journal(self) -> tuple[str, list[Operation]] | None:
        """Return the last commit's run and its operations that may not be on disk; None if there are none."""
        rows = self._database.execute("select run, operation from journal order by position").fetchall()
        if not rows:
            return None
        return rows[0][0], [msgspec.json.decode(operation, type=Operation) for _, operation in rows]

    def is_committing(self) -> bool:
        """Return whether a commit has begun but not ended, so that its staged files are still needed."""
        query = "select exists (select * from journal where operation ->> 'kind' = 'replace')"
        (found,) = self._database.execute(query).fetchone()
        return bool(found)

    def unfinished(self, store: Store) -> str | None:
        """Return the run whose commit has begun but not ended, deletes included; None if there is none."""
        found = self.journal()
        if found is None:
            return None
        run, operations = found
        left = (store.exists(operation.final) for operation in operations if operation.kind == "delete")
        return run if self.is_committing() or any(left) else None

    def end(self) -> None:
        """Remove a finished commit from the journal, except the deletes after its last sync.

        These may not be on disk, so they stay until the next commit begins, which syncs first.
        """
        self._database.execute(_END)

    def carried_out(self) -> Tombstones:
        """Return the tombstones whose data are gone from the tables."""
        row = self._database.execute("select carried_out from erasures").fetchone()
        return msgspec.json.decode(row[0], type=Tombstones) if row else Tombstones()

    def carry_out(self, tombstones: Tombstones, run: str) -> None:
        """Record that the data of these tombstones are gone from the tables once the run's commit has ended."""
        self._database.execute("delete from erasures")
        self._database.execute("insert into erasures values (?, ?)", (run, _json(tombstones)))

    def discard_commit(
        self, run: str, *, tables: bool, months: Iterable[tuple[str, str]] = (), undone: Iterable[str] = ()
    ) -> None:
        """Discard a commit and the ledger entries of its raw files, so that the next run reads the files again.

        Discards the entries of all raw files if the commit changed tables and its own raw files are not enough to
        repair them: either its run read none, as in a rebuild of some months, or it may have erased data that
        tombstones cover.

        Args:
            run: the id of the run.
            tables: whether the commit was about to change tables.
            months: the workspaces and UTC months of these tables, of which a part may be published.
            undone: the paths of files that the commit did not publish, or may not have deleted.
        """
        with self._database as database:
            database.execute("begin immediate")
            (read,) = database.execute("select count(*) from files where run = ?", (run,)).fetchone()
            gone = database.execute("delete from erasures where run = ?", (run,)).rowcount
            theirs = "%" if tables and (gone or not read) else run
            database.execute("insert or ignore into discarded select path from files where run like ?", (theirs,))
            database.execute("delete from files where run like ?", (theirs,))
            database.executemany("insert or ignore into torn values (?, ?)", months)
            database.execute("delete from journal")
            digests_table.forget(database, undone)
            database.execute("pragma application_id = 0")  # whatever is there now has to be recorded

    def torn_months(self) -> list[tuple[str, str]]:
        """Return the workspaces and UTC months of which discarded commits may have published a part."""
        return self._database.execute("select workspace_id, month from torn order by 1, 2").fetchall()

    def mended(self) -> None:
        """Record that these months are whole again."""
        self._database.execute("delete from torn")

    def discarded_files(self) -> set[str]:
        """Return the discarded raw files that no run has read since: their partitions may be half published."""
        return {path for (path,) in self._database.execute("select path from discarded")}


def read_entries(path: Path) -> tuple[dict[str, Entry], dict[str, Unread]]:
    """Return the ledger and the unread files, by path, without creating or changing a file; nothing if there is none.

    Raises:
        sqlite3.Error: the database cannot be read.
        msgspec.MsgspecError: an entry cannot be decoded.
    """
    if not path.exists():
        return {}, {}
    with read_only(path) as database:
        return entries_table.read(database), unread_table.read(database)


def _json(value: Operation | Tombstones) -> str:
    return msgspec.json.encode(value).decode()
