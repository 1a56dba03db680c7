"""The ledger's entries alone: their counts, the fields of older releases, and entries that changed on the disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
import pytest

from pipeline.storage import entries
from pipeline.storage.entries import Counts, Entry
from pipeline.storage.state import State, read_entries

RUN: Final = f"01KB{'A' * 22}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a state is that knows two raw files, of which one has a checksum of its own."""
    path = tmp_path / "state.sqlite"
    found = [
        Entry("a.jsonl", 1, 2, 3, RUN, Counts(1, 2, 3, 4, 5), Counts(lines=1), 2, "\u00e9", 7, "gone"),
        Entry("b.jsonl", 1, 2, 3, RUN, Counts(), Counts()),
    ]
    with closing(State(path)) as state:
        state.begin(RUN, [], found, rebuilt=False, complete=False)
        assert state.entries() == {entry.path: entry for entry in found}
    return path


@pytest.fixture
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection to its database, which changes it at once."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        yield database


def test_counts() -> None:
    """Counts of lines are added and subtracted outcome by outcome."""
    all_, some = Counts(10, 4, 3, 2, 1), Counts(5, 1, 1, 2, 1)
    assert all_ + some == Counts(15, 5, 4, 4, 2)
    assert all_ - some == Counts(5, 3, 2, 0, 0)
    assert Counts() == Counts(0, 0, 0, 0, 0)
    assert len({Counts(), Counts()}) == 1


def test_fields_that_older_releases_lack(path: Path, database: sqlite3.Connection) -> None:
    """An entry without the later fields is read as unknown: offset 0, no hash, no checksum, no error."""
    old = msgspec.json.encode(
        {"path": "old.jsonl", "inode": 1, "size": 2, "mtime_ns": 3, "run": RUN, "counts": {}, "tail": {}}
    ).decode()
    database.execute("alter table files drop column checksum")
    database.execute("insert into files values ('old.jsonl', ?, ?)", (RUN, old))
    for _ in range(2):  # before and after a run has opened the state
        found = read_entries(path)[0]["old.jsonl"]
        assert (found.offset, found.prefix_hash, found.checksum, found.error) == (0, "", None, None)
        assert found.counts == Counts()
        with closing(State(path)) as upgraded:
            assert upgraded.entries()["old.jsonl"] == found
            upgraded.begin(RUN, [], [found], rebuilt=False, complete=False)


@pytest.mark.parametrize(
    "change",
    [
        "entry = replace(entry, '\"lines\":1,', '\"lines\":3,')",
        "checksum = checksum + 1",
        "checksum = 0",
        "path = 'A.jsonl'",
        "path = 'z.jsonl'",
    ],
)
def test_damage(path: Path, database: sqlite3.Connection, change: str) -> None:
    """An entry that is not as it was written is damage, and the error names its raw file."""
    database.execute(f"update files set {change} where path = 'a.jsonl'")
    name = change[8:-1] if change.startswith("path") else "a.jsonl"
    with pytest.raises(sqlite3.DatabaseError, match=rf"^the entry of {name} is not as it was written$"):
        read_entries(path)
    with pytest.raises(sqlite3.DatabaseError):
        entries.read(database)
