"""`usage check` of events: the rows of each partition, their order, and unreadable files."""

from collections.abc import Callable
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.checked import Rows, checked, forget_digests, monthly, partition, pretend, rewrite, wrong
from tests.support.data_folder import DataFolder, record


@pytest.mark.parametrize("name", ["day=2026-11-24/more.parquet", "day=2026-11-31/events.parquet", "x/y"])
def test_an_orphan_partition(good: DataFolder, name: str) -> None:
    """An extra file among the events partitions is a fault, because readers find partitions by globs."""
    path = partition(good, "2026-11-24").parents[1] / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert name in report.events.first[0]


@pytest.mark.parametrize("content", [b"", b"PAR1 torn", None], ids=["empty", "torn", "flipped"])
@pytest.mark.parametrize("table", ["events", "cube", "actors"])
def test_a_corrupt_file(good: DataFolder, table: str, content: bytes | None) -> None:
    """A corrupt file is reported with the repair; numbers that depend on it are skipped, all others are compared."""
    path = partition(good, "2026-11-24") if table == "events" else monthly(good, table)
    whole = path.read_bytes()
    path.write_bytes(whole[:8] + bytes(40) + whole[48:] if content is None else content)
    forget_digests(good)
    report = checked(good)
    of = "events" if table == "events" else "manifests"
    assert wrong(report) == {of: 1}
    assert report.results()[of].first[0].startswith(f"{path.relative_to(good.root).as_posix()} cannot be read")
    assert "usage run --rebuild" in report.results()[of].first[0]
    rewrite(monthly(good, "cube", "2026-10"), lambda rows: rows[1:])
    assert wrong(checked(good)).keys() == {of, "cube"}


def test_bad_text(good: DataFolder) -> None:
    """A partition with text that is not UTF-8 is reported."""
    path = partition(good, "2026-11-24")
    table = pq.ParquetFile(path).read()
    bad = pa.array([b"\xff"] * table.num_rows).view(pa.string())
    pq.write_table(table.set_column(table.column_names.index("kind"), "kind", bad), path)
    pretend(path)
    assert wrong(checked(good)) == {"events": 1}


def test_the_wrong_day(good: DataFolder) -> None:
    """An event in the partition of another UTC day is a fault; its numbers still count at its timestamp."""
    taken: Rows = []
    rewrite(partition(good, "2026-11-23"), lambda rows: taken.extend(rows) or [])  # type: ignore[func-returns-value]
    rewrite(partition(good, "2026-11-24"), lambda rows: rows + taken)
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert report.events.first[0].endswith("day=2026-11-24/events.parquet: rows of another UTC day: 1")


def test_a_row_twice(good: DataFolder) -> None:
    """A repeated id in a partition is a fault, and counts once."""
    rewrite(partition(good, "2026-11-24"), lambda rows: [rows[0], *rows])
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert report.events.first[0].endswith("rows that repeat an id: 1")


def swap(rows: Rows) -> Rows:
    """Swap the first two neighbouring rows of the same instant."""
    first = next(k for k, (a, b) in enumerate(pairwise(rows)) if a["timestamp"] == b["timestamp"])
    rows[first : first + 2] = rows[first : first + 2][::-1]
    return rows


@pytest.mark.parametrize("change", [lambda rows: rows[1:] + rows[:1], swap], ids=["timestamp", "id"])
def test_unsorted(good: DataFolder, change: Callable[[Rows], Rows]) -> None:
    """A partition that is not ordered newest first, by timestamp and then by id, is a fault."""
    rewrite(partition(good, "2026-11-24"), change)
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert report.events.first[0].endswith("rows newer than the one above them: 1")


def test_ids_by_code_point(folder: DataFolder) -> None:
    """Ids are ordered by code point, not by UTF-16 units or alphabetically."""
    folder.drop("a.jsonl", [record(id_) for id_ in ("\U0001f600", "\uffee", "é", "z", "Z", "a")])
    folder.run()
    assert wrong(checked(folder)) == {}


def test_a_locale_twice(good: DataFolder) -> None:
    """A repeated language in an event is a fault."""

    def double(rows: Rows) -> Rows:
        for row in rows:
            if row["id"] == "none":
                row["languages"] = [row["languages"][0]] * 2
        return rows

    rewrite(partition(good, "2026-11-24"), double)
    assert wrong(checked(good))["events"] == 1


def test_an_older_schema(good: DataFolder) -> None:
    """A nullable column may be missing; a missing required column, or one of the wrong type, is a fault."""
    path = partition(good, "2026-11-24")
    table = pq.ParquetFile(path).read()
    pq.write_table(table.drop_columns(["ip", "metadata", "run_id"]), path)
    pretend(path)
    assert wrong(checked(good)) == {}
    pq.write_table(table.drop_columns(["kind", "audio_ms"]), path)
    pretend(path)
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert "lacks kind, audio_ms" in report.events.first[0]
    rewrite(partition(good, "2026-11-23"), lambda rows: rows)
    pq.write_table(table.set_column(0, "id", pa.array([[1]] * table.num_rows)), path)
    pretend(path)
    assert wrong(checked(good)) == {"events": 1}
