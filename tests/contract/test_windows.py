"""The windows that are made of local days, worked out by hand."""

import itertools
from datetime import date

import pytest

from pipeline.contract import calendar
from tests.oracle import read_instant

TODAY = date(2026, 11, 24)  # a Tuesday
WEEKS = "Week 1,Week 2,Week 3,Week 4,Week 5,Week 6,Week 7,Week 8,Week 9,Week 10,Week 11,Week 12"


@pytest.mark.parametrize(
    ("range_", "first", "count"), [("30d", "2026-10-26", 30), ("60d", "2026-09-26", 60), ("90d", "2026-08-27", 90)]
)
def test_range(range_: calendar.Range, first: str, count: int) -> None:
    """A range has as many days as its name says; the last one is today."""
    edges = calendar.range_days("UTC", range_, TODAY)
    assert edges[0] == read_instant(f"{first}T00:00:00Z")
    assert edges[-2:] == (read_instant("2026-11-24T00:00:00Z"), read_instant("2026-11-25T00:00:00Z"))
    assert {end - start for start, end in itertools.pairwise(edges)} == {calendar.DAY_US}
    assert len(edges) == count + 1


@pytest.mark.parametrize(
    ("view", "labels", "first", "last", "end"),
    [
        ("daily", "Wed,Thu,Fri,Sat,Sun,Mon,Tue", "2026-11-18", "2026-11-24", "2026-11-25"),
        ("weekly", WEEKS, "2026-09-07", "2026-11-23", "2026-11-30"),
        ("monthly", "Dec,Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov", "2025-12-01", "2026-11-01", "2026-12-01"),
    ],
)
def test_view(view: calendar.View, labels: str, first: str, last: str, end: str) -> None:
    """A view ends with the day, the week from Monday or the month that contains today."""
    buckets = calendar.view_buckets("UTC", view, TODAY)
    assert [bucket.label for bucket in buckets] == labels.split(",")
    edges = [buckets[0].start, buckets[-1].start, buckets[-1].end]
    assert edges == [read_instant(f"{day}T00:00:00Z") for day in (first, last, end)]
    assert all(older.end == newer.start for older, newer in itertools.pairwise(buckets))
