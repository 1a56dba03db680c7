"""`usage check` of events: what is in each partition, in which order, and what cannot be read."""

from collections.abc import Callable
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.checked import Rows, checked, monthly, partition, rewrite, wrong
from tests.support.data_folder import DataFolder, record


@pytest.mark.parametrize("name", ["day=2026-11-24/more.parquet", "day=2026-11-31/events.parquet", "x/y"])
def test_an_orphan_partition(good: DataFolder, name: str) -> None:
    """What lies among the events partitions, where globs find it, is one of them."""
    path = partition(good, "2026-11-24").parents[1] / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert name in report.events.first[0]


@pytest.mark.parametrize("content", [b"", b"PAR1 torn", None], ids=["empty", "torn", "flipped"])
@pytest.mark.parametrize("table", ["events", "cube", "actors"])
def test_a_corrupt_file(good: DataFolder, table: str, content: bytes | None) -> None:
    """A file that cannot be read is named with what to do; what rests on it is left out, the rest is compared."""
    path = partition(good, "2026-11-24") if table == "events" else monthly(good, table)
    whole = path.read_bytes()
    path.write_bytes(whole[:8] + bytes(40) + whole[48:] if content is None else content)
    report = checked(good)
    of = "events" if table == "events" else "manifests"
    assert wrong(report) == {of: 1}
    assert report.results()[of].first[0].startswith(f"{path.relative_to(good.root).as_posix()} cannot be read")
    assert "usage run --rebuild" in report.results()[of].first[0]
    rewrite(monthly(good, "cube", "2026-10"), lambda rows: rows[1:])
    assert wrong(checked(good)).keys() == {of, "cube"}


def test_bad_text(good: DataFolder) -> None:
    """A text that is no UTF-8 cannot be read either."""
    path = partition(good, "2026-11-24")
    table = pq.ParquetFile(path).read()
    bad = pa.array([b"\xff"] * table.num_rows).view(pa.string())
    pq.write_table(table.set_column(table.column_names.index("kind"), "kind", bad), path)
    assert wrong(checked(good)) == {"events": 1}


def test_the_wrong_day(good: DataFolder) -> None:
    """An event lies in the partition of its UTC day; its numbers are counted where its timestamp says."""
    taken: Rows = []
    rewrite(partition(good, "2026-11-23"), lambda rows: taken.extend(rows) or [])  # type: ignore[func-returns-value]
    rewrite(partition(good, "2026-11-24"), lambda rows: rows + taken)
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert report.events.first[0].endswith("day=2026-11-24/events.parquet: rows of another UTC day: 1")


def test_a_row_twice(good: DataFolder) -> None:
    """An id occurs once in its partition, and counts once."""
    rewrite(partition(good, "2026-11-24"), lambda rows: [rows[0], *rows])
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert report.events.first[0].endswith("rows that repeat an id: 1")


def swap(rows: Rows) -> Rows:
    """Return two rows of the same instant in the other order."""
    first = next(k for k, (a, b) in enumerate(pairwise(rows)) if a["timestamp"] == b["timestamp"])
    rows[first : first + 2] = rows[first : first + 2][::-1]
    return rows


@pytest.mark.parametrize("change", [lambda rows: rows[1:] + rows[:1], swap], ids=["timestamp", "id"])
def test_unsorted(good: DataFolder, change: Callable[[Rows], Rows]) -> None:
    """A partition has its newest rows first, by timestamp, then by id."""
    rewrite(partition(good, "2026-11-24"), change)
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert report.events.first[0].endswith("rows newer than the one above them: 1")


def test_ids_by_code_point(folder: DataFolder) -> None:
    """Ids compare by code point, which differs from UTF-16 and from any alphabet."""
    folder.drop("a.jsonl", [record(id_) for id_ in ("\U0001f600", "\uffee", "é", "z", "Z", "a")])
    folder.run()
    assert wrong(checked(folder)) == {}


def test_a_locale_twice(good: DataFolder) -> None:
    """A language occurs once in an event."""

    def double(rows: Rows) -> Rows:
        for row in rows:
            if row["id"] == "none":
                row["languages"] = [row["languages"][0]] * 2
        return rows

    rewrite(partition(good, "2026-11-24"), double)
    assert wrong(checked(good))["events"] == 1


def test_an_older_schema(good: DataFolder) -> None:
    """A column that may be null may be missing; one that may not, not."""
    path = partition(good, "2026-11-24")
    table = pq.ParquetFile(path).read()
    pq.write_table(table.drop_columns(["ip", "metadata", "run_id"]), path)
    assert wrong(checked(good)) == {}
    pq.write_table(table.drop_columns(["kind", "audio_ms"]), path)
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert "lacks kind, audio_ms" in report.events.first[0]
    rewrite(partition(good, "2026-11-23"), lambda rows: rows)
    pq.write_table(table.set_column(0, "id", pa.array([[1]] * table.num_rows)), path)
    assert wrong(checked(good)) == {"events": 1}
