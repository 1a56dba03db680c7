"""The ledger and the journal alone: a commit is recorded whole or not at all, and what was discarded is read again."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.storage.state import Counts, Entry, State, read_entries
from pipeline.storage.store import Operation
from pipeline.storage.tombstones import Tombstones
from pipeline.storage.unread import Unread

FIRST, SECOND = "01KB" + "A" * 22, "01KB" + "B" * 22
REPLACE = Operation("replace", "cube/x", "staging/x", 7)
DELETE = Operation("delete", "cube/y")
FLOOR = Tombstones(floor="2026-10-15")


def entry(path: str, run: str, lines: int = 1) -> Entry:
    """Return the ledger's record of a raw file."""
    return Entry(path, 1, 2, 3, run, Counts(lines=lines, accepted=lines), Counts())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the state is."""
    return tmp_path / "data" / "state.sqlite"


@pytest.fixture
def state(path: Path) -> Iterator[State]:
    """Return a state with a first commit of two raw files, which has ended."""
    state = State(path)
    entries = [entry("a.jsonl", FIRST), entry("b.jsonl", FIRST)]
    state.begin(FIRST, [REPLACE], entries, rebuilt=False, complete=False)
    state.end()
    yield state
    state.close()


def test_order(state: State) -> None:
    """The journal keeps the operations in the order in which they are carried out, with all their fields."""
    operations = [Operation("sync"), DELETE, *(Operation("replace", f"{k}", f"s{k}", k) for k in (9, 10, 1))]
    state.begin(SECOND, operations, [], rebuilt=False, complete=False)
    assert state.journal() == (SECOND, operations)


def test_a_new_commit_replaces_the_journal(state: State) -> None:
    """When a commit begins, the deletes of the one before are on disk and leave the journal."""
    state.begin(SECOND, [DELETE], [], rebuilt=False, complete=False)
    state.end()
    assert state.journal() == (SECOND, [DELETE])
    state.begin(FIRST, [REPLACE], [], rebuilt=False, complete=False)
    assert state.journal() == (FIRST, [REPLACE])


def test_end(state: State) -> None:
    """A commit is under way while a file is to be published; its deletes stay unless a sync puts them on disk."""
    assert not state.is_committing()
    state.begin(SECOND, [REPLACE, Operation("sync"), DELETE], [], rebuilt=False, complete=False)
    assert state.is_committing() is True
    state.end()
    assert state.is_committing() is False
    assert state.journal() == (SECOND, [DELETE])
    state.begin(SECOND, [REPLACE, DELETE, Operation("sync")], [], rebuilt=False, complete=False)
    state.end()
    assert state.journal() is None


@pytest.mark.parametrize("failing", ["operations", "entries"])
def test_one_transaction(state: State, path: Path, failing: str) -> None:
    """If a commit cannot be recorded to its end, nothing of it is recorded, and the state can be used again."""
    state.begin(SECOND, [DELETE], [], rebuilt=False, complete=False)

    def broken(values: Any) -> Iterator[Any]:
        yield from values
        raise OSError

    operations, entries = [REPLACE], [entry("a.jsonl", SECOND), entry("c.jsonl", SECOND)]
    with pytest.raises(OSError):  # noqa: PT011 - raised above
        state.begin(
            SECOND,
            broken(operations) if failing == "operations" else operations,
            broken(entries) if failing == "entries" else entries,
            rebuilt=True,
            complete=True,
            carried_out=FLOOR,
        )
    assert state.journal() == (SECOND, [DELETE])
    assert state.entries() == {name: entry(name, FIRST) for name in ("a.jsonl", "b.jsonl")} == read_entries(path)[0]
    assert not state.is_trusted()
    assert state.carried_out() == Tombstones()
    state.begin(SECOND, [REPLACE], [], rebuilt=False, complete=False)
    assert state.is_committing()


def test_discarding_is_one_transaction(state: State, path: Path) -> None:
    """While a commit is being discarded, no other process sees it half discarded."""
    state.begin(SECOND, [REPLACE], [entry("c.jsonl", SECOND)], rebuilt=False, complete=False)
    seen = []

    def look(statement: str) -> None:
        if statement.startswith(("delete", "insert")):
            seen.append((set(read_entries(path)[0]), statement))

    state._database.set_trace_callback(look)  # noqa: SLF001 - between two statements
    state.discard_commit(SECOND, tables=True)
    assert len(seen) == 4
    assert all(names == {"a.jsonl", "b.jsonl", "c.jsonl"} for names, _ in seen)
    assert set(read_entries(path)[0]) == {"a.jsonl", "b.jsonl"}


def test_ledger(state: State) -> None:
    """A raw file that is read again replaces its entry; a rebuild drops the entries of all files it did not read."""
    again = entry("a.jsonl", SECOND, lines=5)
    state.begin(SECOND, [], [again], rebuilt=False, complete=False)
    assert state.entries() == {"a.jsonl": again, "b.jsonl": entry("b.jsonl", FIRST)}
    state.begin(SECOND, [], [again], rebuilt=True, complete=False)
    assert state.entries() == {"a.jsonl": again}


def test_a_raw_file_belongs_to_its_last_reader(state: State) -> None:
    """If a raw file is read again, discarding the run that read it first leaves its entry alone."""
    state.begin(SECOND, [], [entry("a.jsonl", SECOND)], rebuilt=False, complete=False)
    state.discard_commit(FIRST, tables=False)
    assert state.entries() == {"a.jsonl": entry("a.jsonl", SECOND)}
    assert state.discarded_files() == {"b.jsonl"}


def test_trust(state: State, path: Path) -> None:
    """The tables agree with the ledger once every raw file was read, and from then on, also in another process."""
    assert state.is_trusted() is False
    state.begin(SECOND, [], [], rebuilt=False, complete=True)
    assert state.is_trusted() is True
    state.begin(SECOND, [], [], rebuilt=False, complete=False)
    assert state.is_trusted() is True
    with closing(State(path)) as other:
        assert other.is_trusted() is True


def test_erasures_and_unread_files(state: State) -> None:
    """What was erased, and what could not be read, is replaced by what a commit says and kept if it says nothing."""
    unread = {"c.jsonl": Unread("c.jsonl", "gone"), "d.jsonl": Unread("d.jsonl", "gone")}
    state.begin(SECOND, [], [], rebuilt=False, complete=False, carried_out=FLOOR, unread=unread)
    state.begin(FIRST, [], [], rebuilt=False, complete=False)
    assert (state.carried_out(), state.unread()) == (FLOOR, unread)
    more = Tombstones(floor="2026-10-16")
    state.begin(FIRST, [], [], rebuilt=False, complete=False, carried_out=more, unread={})
    assert (state.carried_out(), state.unread()) == (more, {})


@pytest.mark.parametrize(
    ("tables", "read", "erased", "discarded"),
    [
        (True, True, False, {"c.jsonl"}),  # its raw files rewrite every partition that they touch
        (True, False, False, {"a.jsonl", "b.jsonl"}),  # a rebuild of some months: which ones, is not known
        (True, True, True, {"a.jsonl", "b.jsonl", "c.jsonl"}),  # erased data come back, so all are read
        (True, False, True, {"a.jsonl", "b.jsonl"}),
        (False, True, False, {"c.jsonl"}),
        (False, False, False, set()),
        (False, True, True, {"c.jsonl"}),
    ],
)
def test_discard(state: State, tables: bool, read: bool, erased: bool, discarded: set[str]) -> None:
    """A commit that cannot be finished is forgotten, and as many raw files are read again as repair the tables."""
    state.carry_out(Tombstones(floor="2026-10-01"), FIRST)
    entries = [entry("c.jsonl", SECOND)] if read else []
    carried_out = FLOOR if erased else None
    state.begin(SECOND, [REPLACE], entries, rebuilt=False, complete=False, carried_out=carried_out)
    known = set(state.entries())
    state.discard_commit(SECOND, tables=tables)
    assert state.journal() is None
    assert set(state.entries()) == known - discarded
    assert state.discarded_files() == discarded
    assert state.carried_out() == (Tombstones() if erased else Tombstones(floor="2026-10-01"))


def test_discarded_twice(state: State) -> None:
    """A raw file can be discarded again before it was read, and is no longer discarded once it was read."""
    for _ in range(2):
        state.begin(SECOND, [REPLACE], [entry("c.jsonl", SECOND)], rebuilt=False, complete=False)
        assert state.discarded_files() == set()
        state.discard_commit(SECOND, tables=True)
        assert state.discarded_files() == {"c.jsonl"}
    state.begin(FIRST, [], [entry("d.jsonl", FIRST)], rebuilt=False, complete=False)
    assert state.discarded_files() == {"c.jsonl"}
    state.discard_commit(FIRST, tables=True)
    assert state.discarded_files() == {"a.jsonl", "b.jsonl", "c.jsonl", "d.jsonl"}
    state.begin(SECOND, [], [entry("d.jsonl", SECOND)], rebuilt=True, complete=False)
    assert state.discarded_files() == set()


def test_reading_creates_no_file(path: Path, state: State) -> None:
    """The ledger is read without creating a file: none, a state at rest, and one that a run has open."""
    assert read_entries(path.with_name("other.sqlite")) == ({}, {})
    assert not path.with_name("other.sqlite").exists()
    beside = {file.name for file in path.parent.iterdir()}
    assert f"{path.name}-wal" in beside
    assert set(read_entries(path)[0]) == {"a.jsonl", "b.jsonl"}
    assert {file.name for file in path.parent.iterdir()} == beside
    state.begin(SECOND, [], [], rebuilt=False, complete=False, unread={"c.jsonl": Unread("c.jsonl", "gone")})
    assert read_entries(path)[1] == {"c.jsonl": Unread("c.jsonl", "gone")}
    state.close()
    assert {file.name for file in path.parent.iterdir()} == {path.name}
    path.parent.chmod(0o500)
    assert set(read_entries(path)[0]) == {"a.jsonl", "b.jsonl"}
    path.parent.chmod(0o700)
    assert {file.name for file in path.parent.iterdir()} == {path.name}


def test_readers_do_not_wait(path: Path, state: State) -> None:
    """The ledger can be read while a commit is being recorded: the reader sees what was there before."""
    read = []

    def entries() -> Iterator[Entry]:
        yield entry("c.jsonl", SECOND)
        read.append(set(read_entries(path)[0]))

    state.begin(SECOND, [], entries(), rebuilt=True, complete=False)
    assert read == [{"a.jsonl", "b.jsonl"}]
    assert set(read_entries(path)[0]) == {"c.jsonl"}


def test_transactions_reach_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction is on disk when it ends: a commit that has begun must not be lost after its files were renamed."""
    monkeypatch.setattr(sqlite3, "connect", sqlite3.dbapi2.connect)  # the tests' own connections skip syncs
    with closing(State(path)) as state:
        full = 2
        assert state._database.execute("pragma synchronous").fetchone() == (full,)  # noqa: SLF001 - visible nowhere else


def test_mode(path: Path) -> None:
    """The owner's group may read the state and the files that SQLite keeps beside it; others may not."""
    before = os.umask(0)
    try:
        with closing(State(path)) as state:
            state.trust()
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys((path.name, f"{path.name}-wal", f"{path.name}-shm"), 0o640)


def test_no_trace_of_forgotten_names(path: Path, state: State) -> None:
    """When a raw file leaves the ledger, its name, which may hold the id of a forgotten workspace, leaves the file."""
    name = "forgotten-6f9619ff.jsonl"
    state.begin(SECOND, [], [entry(name, SECOND)], rebuilt=False, complete=False)
    state.begin(SECOND, [], [], rebuilt=True, complete=False)
    state.close()
    assert name.encode() not in path.read_bytes()


def test_damaged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no database is an error, which leaves no connection open."""
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 500)
    opened: list[sqlite3.Connection] = []

    def connect(*arguments: Any, **named: Any) -> sqlite3.Connection:
        opened.append(sqlite3.dbapi2.connect(*arguments, **named))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(sqlite3.DatabaseError):
        State(path)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("select 1")


@pytest.mark.parametrize(
    ("pretended", "why"),
    [
        ("create table strange (value not null)", "NULL value in strange.value"),
        ("create index orderly on strange (value) where value > 0", "wrong # of entries in index orderly"),
    ],
)
def test_damaged_inside(path: Path, state: State, pretended: str, why: str) -> None:
    """The structure of the database can be checked: a column lacks its value, or an index its row."""
    state.refuse_damage()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("create table strange (value)")
        database.execute("create index orderly on strange (value)")
        database.execute("insert into strange values (null)")
        database.execute("pragma writable_schema = on")
        database.execute("update sqlite_master set sql = ? where name = ?", (pretended, pretended.split()[2]))
    with closing(State(path)) as damaged, pytest.raises(sqlite3.DatabaseError) as error:
        damaged.refuse_damage()
    assert str(error.value) == why
