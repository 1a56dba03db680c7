"""`usage sql` while a run publishes: it asks again where a file was replaced under it, and never without end."""

import os
import time
from collections.abc import Callable

import duckdb
import pyarrow as pa
import pytest

from pipeline.analysis.source import QueryError
from pipeline.analysis.statements import statements
from tests.support.asking import open_folder
from tests.support.data_folder import DataFolder, record

# What DuckDB says of a file that was replaced while it was read.
DAMAGED = "TProtocolException: Invalid data"


@pytest.fixture
def loaded(folder: DataFolder) -> DataFolder:
    """Return a folder with events of two months, in which nothing has changed for an hour."""
    earlier = record("earlier", timestamp="2026-10-31T12:00:00Z", usage={"credits": 3})
    folder.drop("a.jsonl", [record("a", usage={"credits": 5}), earlier])
    folder.run()
    before = time.time() - 3600
    for path in [folder.root, *folder.root.rglob("*")]:
        os.utime(path, (before, before))
    return folder


def attempts(
    folder: DataFolder, failures: int, change: Callable[[], object] = lambda: None, *, may_repeat: bool = True
) -> int:
    """Run a statement whose files change and seem damaged some times; return how often it ran."""
    left, seen = failures, 0
    (statement,) = statements("select sum(credits) as credits from events")

    def consume(reader: pa.RecordBatchReader) -> int:
        nonlocal left, seen
        seen += 1
        if left:
            left -= 1
            change()
            raise duckdb.Error(DAMAGED)
        assert reader.read_all()["credits"].to_pylist() == [8]
        return seen

    with open_folder(folder.root, folder.now) as session:
        return session.run(statement, consume, lambda: may_repeat)


def test_a_replaced_file(loaded: DataFolder) -> None:
    """A file that looks damaged is read again if a partition was replaced meanwhile, five times at most."""
    path, _ = loaded.root.glob("events/*/*/*.parquet")

    def replace() -> None:
        (path.parent / "new").write_bytes(path.read_bytes())
        (path.parent / "new").replace(path)

    assert attempts(loaded, 4, replace) == 5
    with pytest.raises(QueryError, match=r"a run published new files: repeat the statement \(TProtocolException"):
        attempts(loaded, 5, replace)


def test_a_damaged_file(loaded: DataFolder) -> None:
    """A file that is damaged is not read again: nothing has changed."""
    with pytest.raises(QueryError, match=f"^{DAMAGED}$"):
        attempts(loaded, 1)


def test_rows_that_have_gone(loaded: DataFolder) -> None:
    """Rows that were passed on already cannot come again: the statement fails, and says what to do."""
    path, _ = loaded.root.glob("events/*/*/*.parquet")
    with pytest.raises(QueryError, match="repeat the statement"):
        attempts(loaded, 1, (path.parent / "new").touch, may_repeat=False)


def test_a_vanished_file(loaded: DataFolder) -> None:
    """A statement that finds a file gone runs again, five times at most."""
    first, second = loaded.root.glob("events/*/*/*.parquet")
    (statement,) = statements(f"select sum(credits)::int as n from read_parquet(['{first}', '{second}'])")
    hidden = second.rename(loaded.root / "hidden")
    asked: list[int] = []

    def back_at_the_third() -> bool:
        asked.append(1)
        if len(asked) == 2 and hidden.exists():
            hidden.rename(second)
        return True

    with open_folder(loaded.root, loaded.now) as session:
        assert session.run(statement, lambda reader: reader.read_all()["n"].to_pylist(), back_at_the_third) == [8]
        second.unlink()
        with pytest.raises(QueryError, match="repeat the statement"):
            session.run(statement, lambda reader: reader.read_all(), back_at_the_third)
    assert len(asked) == 2 + 4
