"""`usage check` of the cube and the actors: every number that differs from the events is reported."""

from collections.abc import Callable

import pyarrow.parquet as pq
import pytest

from tests.support.checked import OTHER, Rows, checked, forget_digests, monthly, partition, rewrite, wrong
from tests.support.data_folder import WORKSPACE, DataFolder


def test_a_credit(good: DataFolder) -> None:
    """A wrong number of the cube is counted, and reported with its cell."""

    def more(rows: Rows) -> Rows:
        (row,) = (row for row in rows if row["locale"] == "pt-br")
        row["credits"] += 1
        return rows

    rewrite(monthly(good, "cube", "2026-10"), more)
    report = checked(good)
    assert wrong(report) == {"cube": 1}
    where = f"workspace {WORKSPACE}, quarter 2026-10-31T23:45:00Z, pt-br"
    assert report.cube.first == [f"{where}: credits: 9 is published, the events give 8"]


def test_a_credit_moved(good: DataFolder) -> None:
    """A credit that a tie gave to the wrong language makes two numbers wrong, although the sum is right."""

    def move(rows: Rows) -> Rows:
        of = {row["locale"]: row for row in rows}
        assert (of["de"]["credits"], of["fr"]["credits"]) == (5, 4)
        of["de"]["credits"], of["fr"]["credits"] = 4, 5
        return rows

    rewrite(monthly(good, "cube", workspace_id=OTHER), move)
    report = checked(good)
    assert wrong(report) == {"cube": 2}
    assert "de: credits: 4 is published, the events give 5" in report.cube.first[0]


@pytest.mark.parametrize("table", ["cube", "actors"])
@pytest.mark.parametrize("change", [lambda rows: rows[1:], lambda rows: [rows[0], *rows]], ids=["missing", "twice"])
def test_a_row(good: DataFolder, table: str, change: Callable[[Rows], Rows]) -> None:
    """A missing or repeated row counts one fault for each of its numbers above zero."""
    numbers = pq.ParquetFile(monthly(good, table)).read().to_pylist()[0]
    rewrite(monthly(good, table), change)
    assert wrong(checked(good)) == {table: sum(type(value) is int and value > 0 for value in numbers.values())}


def test_a_row_of_zeros(good: DataFolder) -> None:
    """A row of zeros is a fault, because the cube is sparse."""
    rewrite(
        monthly(good, "cube", workspace_id=OTHER),
        lambda rows: [
            {key: 0 if type(value) is int else value for key, value in rows[0].items()} | {"locale": "zz"},
            *rows,
        ],
    )
    report = checked(good)
    assert wrong(report) == {"cube": 1}
    assert report.cube.first[0].endswith("zz: rows: 1 is published, the events give nothing")


def test_lost_events(good: DataFolder) -> None:
    """A lost partition is named; where it has no digest, its numbers in the cube and in the actors are wrong."""
    partition(good, "2026-10-31").unlink()
    assert wrong(checked(good)) == {"events": 1}
    forget_digests(good)
    assert wrong(checked(good)).keys() == {"cube", "actors"}
