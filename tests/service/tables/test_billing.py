"""Billing periods: months that start on the anchor's day, or on the last day of a shorter month."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.calendar import rfc3339
from pipeline.contract.formats import instant
from service.tables import billing


@pytest.mark.parametrize(
    ("anchor", "now", "start", "end"),
    [
        (None, "2026-11-24T12:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        (None, "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2026-01-31T10:00:00Z", "2026-02-15T00:00:00Z", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"),
        ("2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z", "2026-02-28T10:00:00Z", "2026-03-31T10:00:00Z"),
        ("2026-01-31T10:00:00Z", "2026-02-28T09:59:59.999999Z", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"),
        ("2024-01-31T10:00:00Z", "2024-03-01T00:00:00Z", "2024-02-29T10:00:00Z", "2024-03-31T10:00:00Z"),
        ("2030-05-30T23:59:59.9Z", "2026-03-01T00:00:00Z", "2026-02-28T23:59:59.9Z", "2026-03-30T23:59:59.9Z"),
        ("2026-03-01T01:00:00+02:00", "2026-11-24T12:00:00Z", "2026-10-28T23:00:00Z", "2026-11-28T23:00:00Z"),
        ("1999-12-31T00:00:00Z", "2026-12-31T00:00:00Z", "2026-12-31T00:00:00Z", "2027-01-31T00:00:00Z"),
    ],
)
def test_worked_examples(anchor: str | None, now: str, start: str, end: str) -> None:
    """Periods keep the anchor's day (31 → 28 → 31) and UTC time, even before it; without one they are UTC months."""
    period = billing.period(instant(anchor) if anchor else None, instant(now))
    assert tuple(map(rfc3339, period)) == (start, end)


@given(anchor=st.integers(0, 2 * 10**15), now=st.integers(10**15, 3 * 10**15))
def test_periods_touch(anchor: int, now: int) -> None:
    """The period contains now; the next one starts where it ends, and the one before ends where it starts."""
    start, end = billing.period(anchor, now)
    assert start <= now < end
    assert billing.period(anchor, end)[0] == end
    assert billing.period(anchor, start - 1)[1] == start
