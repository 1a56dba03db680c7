"""`include=pace`: how much of the billing period is over, and where the caller's use of it leads."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.calendar import DAY_US, QUARTER_US, SECOND_US
from pipeline.contract.formats import instant
from service.api.pace import pace
from service.tables.billing import period
from tests.oracle.pace import project

START, END = instant("2026-11-01T00:00:00Z"), instant("2026-12-01T00:00:00Z")
NOW = instant("2026-11-24T12:00:00Z")
_moments = st.integers(instant("2011-01-01T00:00:00Z"), instant("2040-01-01T00:00:00Z"))
_counts = st.integers(0, 100) | st.integers(0, 2**63 - 1)


def _pace(used: int, quota: int | None, now: int, start: int = START, end: int = END) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(pace(used, quota, (start, end), now - now % QUARTER_US))
    return found


@given(_counts, st.none() | _counts, st.none() | _moments, _moments)
def test_any_period(used: int, quota: int | None, anchor: int | None, now: int) -> None:
    """For any anchor and instant the pace is the oracle's, and what is exhausted is so within the period."""
    start, end = period(anchor, now)
    found = _pace(used, quota, now, start, end)
    assert found == project(used, quota, start, end, now)
    assert 0 <= found["elapsed"] <= 1
    if found["exhausted_at"] is not None:
        assert quota is not None
        assert start < instant(found["exhausted_at"]) < end
        assert used < quota <= found["projected"]


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(0, 2879))
def test_every_quarter_hour(used: int, quota: int, quarters: int) -> None:
    """In each quarter-hour of a period the pace is the oracle's, at its first and its last microsecond."""
    now = START + quarters * QUARTER_US
    expected = project(used, quota, START, END, now)
    assert _pace(used, quota, now) == _pace(used, quota, now + QUARTER_US - 1) == expected


@pytest.mark.parametrize(
    ("now", "used", "elapsed", "projected"),
    [
        ("2026-11-01T00:00:00Z", 5, 0.0, None),
        ("2026-11-01T00:15:00Z", 5, 0.000347, None),
        ("2026-11-03T23:59:59.999999Z", 5, 0.099653, None),
        ("2026-11-04T00:00:00Z", 5, 0.1, 50),
        ("2026-11-04T00:00:00Z", 0, 0.1, 0),
        ("2026-11-25T00:00:00Z", 2, 0.8, 2),  # 2.5
        ("2026-11-25T00:00:00Z", 6, 0.8, 8),  # 7.5
        ("2026-11-30T23:59:59Z", 2879, 0.999653, 2880),
    ],
)
def test_elapsed_and_projected(now: str, used: int, elapsed: float, projected: int | None) -> None:
    """Both count whole quarter-hours and round half to even; nothing is projected before a tenth of the period."""
    found = _pace(used, None, instant(now))
    assert (found["elapsed"], found["projected"], found["exhausted_at"]) == (elapsed, projected, None)


@pytest.mark.parametrize(
    ("now", "used", "quota", "exhausted"),
    [
        ("2026-11-11T00:00:00Z", 100, 200, "2026-11-21T00:00:00Z"),
        ("2026-11-11T00:00:00Z", 7, 8, "2026-11-12T10:17:09Z"),  # 864,000 s * 8 / 7 = 987,428.57… s
        ("2026-11-11T00:00:00Z", 100, 300, None),  # at the end itself
        ("2026-11-11T00:00:00Z", 100, 301, None),
        ("2026-11-11T00:00:00Z", 864_000, 2_591_999, "2026-11-30T23:59:59Z"),
        ("2026-11-11T00:00:00Z", 8_640_000, 25_919_999, None),  # 0.1 s before the end, rounded up to it
        ("2026-11-11T00:00:00Z", 100, 100, None),
        ("2026-11-11T00:00:00Z", 101, 100, None),
        ("2026-11-11T00:00:00Z", 0, 100, None),
        ("2026-11-11T00:00:00Z", 100, 0, None),
        ("2026-11-11T00:00:00Z", 100, None, None),
        ("2026-11-03T23:59:59Z", 100, 200, None),  # nothing is projected yet
    ],
)
def test_exhausted(now: str, used: int, quota: int | None, exhausted: str | None) -> None:
    """It is rounded up to a second, and null without use, quota or projection, if spent, or not before the end."""
    assert _pace(used, quota, instant(now))["exhausted_at"] == exhausted


def test_a_period_that_begins_within_a_quarter_hour() -> None:
    """Until the first quarter-hour that begins in the period, nothing of it is over; its microseconds count."""
    start, end = START + 13 * SECOND_US + 500_000, END + 13 * SECOND_US + 500_000
    assert _pace(5, 10, start, start, end)["elapsed"] == 0.0
    assert _pace(5, 10, START + QUARTER_US, start, end) == project(5, 10, start, end, START + QUARTER_US)
    assert _pace(5, 10, START + 15 * DAY_US, start, end)["period"]["start"] == "2026-11-01T00:00:13.5Z"


def test_answers(folder: Any, event: Any) -> None:
    """The pace is of the caller's own period and quota, without an account of a month of UTC; else null or left out."""
    folder.publish([event("2026-11-20T00:00:00Z", credits=40), event("2026-11-24T11:59:00Z", credits=7)])
    alone = folder.data("summary", "include=pace")
    month = {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}
    assert alone["credits"] == {
        "used": 47,
        "quota": None,
        "percent": None,
        "pace": {"period": month, "elapsed": 0.783333, "projected": 60, "exhausted_at": None},
    }
    assert "comparison" not in alone
    folder.account(folder.user, quota=50, period_anchor="2025-11-20T10:00:00Z")
    assert folder.data("summary", "include=pace")["credits"] == {
        "used": 7,
        "quota": 50,
        "percent": 14.0,
        "pace": {
            "period": {"start": "2026-11-20T10:00:00Z", "end": "2026-12-20T10:00:00Z"},
            "elapsed": 0.136111,
            "projected": 51,  # 7 / 0.13611… = 51.43
            "exhausted_at": "2026-12-19T14:00:00Z",  # 98 hours * 50 / 7 = 700 hours
        },
    }
    folder.account(folder.user, quota=50, credits_renewal="one_time")
    assert folder.data("summary", "include=pace")["credits"] == {"used": 47, "quota": 50, "percent": 94.0, "pace": None}
