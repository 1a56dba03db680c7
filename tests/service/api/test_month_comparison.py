"""The two windows of a month's comparison: in every zone, for months of all lengths, around clock changes."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract import calendar
from pipeline.contract.calendar import DAY_US, QUARTER_US, day_start, rfc3339, zone_names
from pipeline.contract.formats import instant
from pipeline.contract.tables import SCHEMA_VERSION, Published
from service.api.comparison import Compared, month_windows
from tests.oracle.days import knows_today, list_compared_months
from tests.oracle.local_days import LOCAL_DAYS

HOUR_US = 3_600_000_000
ZONES = sorted({zone for zone, *_ in LOCAL_DAYS})


def compared(zone: str, month: str, now: int, as_of: int | None = None, kept: date | None = None) -> Compared:
    """Return the windows of a month `YYYY-MM`."""
    published = Published(1, "run", as_of, SCHEMA_VERSION, "2026.6", first_kept_day=kept)
    first = date.fromisoformat(f"{month}-01")
    return month_windows(zone, first, calendar.today(zone, now), now - now % QUARTER_US, published)


def expected(zone: str, month: str, now: int, as_of: int | None = None) -> Compared:
    """Return the windows by the oracle."""
    return Compared(*((window.start_us, window.end_us) for window in list_compared_months(zone, month, now, as_of)))


def spans(zone: str, month: str, now: str, as_of: str | None = None, kept: date | None = None) -> list[str | None]:
    """Return both windows as text."""
    found = compared(zone, month, instant(now), instant(as_of) if as_of else None, kept)
    return [None if window is None else "/".join(map(rfc3339, window)) for window in found]


def test_a_month_that_is_over() -> None:
    """A whole month is compared with the whole month before, however long each is, from the first instant on."""
    both = ["2026-02-28T23:00:00Z/2026-03-31T22:00:00Z", "2026-01-31T23:00:00Z/2026-02-28T23:00:00Z"]
    assert spans("Europe/Berlin", "2026-03", "2026-03-31T22:00:00Z") == both
    assert spans("Europe/Berlin", "2026-03", "2027-01-01T00:00:00Z", "2026-03-02T00:00:00Z") == both
    assert spans("UTC", "2026-01", "2026-02-01T00:00:00Z")[1] == "2025-12-01T00:00:00Z/2026-01-01T00:00:00Z"


def test_the_present_month() -> None:
    """As much of it as is complete and loaded is compared with the same days of the month before."""
    half = ["2026-11-01T00:00:00Z/2026-11-24T12:00:00Z", "2026-10-01T00:00:00Z/2026-10-24T12:00:00Z"]
    assert spans("UTC", "2026-11", "2026-11-24T12:14:59Z") == half
    assert spans("UTC", "2026-11", "2026-11-24T20:00:00Z", "2026-11-24T12:14:59Z") == half
    late = ["2026-11-01T00:00:00Z/2026-11-24T00:00:00Z", "2026-10-01T00:00:00Z/2026-10-24T00:00:00Z"]
    assert spans("UTC", "2026-11", "2026-11-24T20:00:00Z", "2026-11-20T12:14:59Z") == late
    nothing = ["2026-11-01T00:00:00Z/2026-11-01T00:00:00Z", "2026-10-01T00:00:00Z/2026-10-01T00:00:00Z"]
    assert spans("UTC", "2026-11", "2026-11-01T00:14:59Z") == nothing


def test_months_of_other_lengths() -> None:
    """If the month before has no such day, it counts whole; a shorter day counts whole, too."""
    assert spans("UTC", "2026-03", "2026-03-28T12:00:00Z")[1] == "2026-02-01T00:00:00Z/2026-02-28T12:00:00Z"
    for now in ("2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z", "2026-03-31T23:59:59Z"):
        assert spans("UTC", "2026-03", now)[1] == "2026-02-01T00:00:00Z/2026-03-01T00:00:00Z"
    assert spans("UTC", "2024-03", "2024-03-29T12:00:00Z")[1] == "2024-02-01T00:00:00Z/2024-02-29T12:00:00Z"
    assert spans("UTC", "2026-02", "2026-02-28T23:59:00Z")[1] == "2026-01-01T00:00:00Z/2026-01-28T23:45:00Z"
    # 29 March 2026 has 23 hours in Berlin, and 29 April 24.
    assert spans("Europe/Berlin", "2026-04", "2026-04-29T21:45:00Z")[1] == "2026-02-28T23:00:00Z/2026-03-29T22:00:00Z"


def test_retention() -> None:
    """`previous` is null if it begins before the first UTC day that is kept."""
    now = "2026-11-24T12:00:00Z"
    assert spans("UTC", "2026-11", now, kept=date(2026, 10, 1))[1] is not None
    assert spans("UTC", "2026-11", now, kept=date(2026, 10, 2))[1] is None
    assert spans("Europe/Berlin", "2026-11", now, kept=date(2026, 10, 1))[1] is None  # begins in September of UTC
    assert spans("UTC", "2026-11", now, kept=date(2026, 11, 20))[0] == "2026-11-01T00:00:00Z/2026-11-24T12:00:00Z"


@pytest.mark.parametrize("now", ["2026-03-31T09:20:00Z", "2026-05-01T03:50:00Z"])
def test_every_zone(now: str) -> None:
    """In all zones the windows are the oracle's, of the present month and of the one before."""
    for zone in sorted(zone_names()):
        today = calendar.today(zone, instant(now))
        for first in (today.replace(day=1), calendar.add_months(today.replace(day=1), -1)):
            month = first.isoformat()[:7]
            assert compared(zone, month, instant(now)) == expected(zone, month, instant(now)), (zone, month)


def test_around_clock_changes() -> None:
    """On 22- to 26-hour days and a month after them, at any hour, the windows are the oracle's."""
    for zone, day, _, hours in LOCAL_DAYS:
        for later in (day, calendar.add_months(day, 1)) if hours else ():
            for ahead in (0, HOUR_US, 23 * HOUR_US + QUARTER_US):
                now = day_start(zone, later) + ahead
                if knows_today(zone, now):
                    month = calendar.today(zone, now).isoformat()[:7]
                    assert compared(zone, month, now) == expected(zone, month, now), (zone, rfc3339(now))


@given(
    st.sampled_from(ZONES),
    st.integers(instant("2024-01-01T00:00:00Z"), instant("2027-12-31T00:00:00Z")),
    st.integers(-2 * DAY_US, 40 * DAY_US),
    st.integers(0, 3),
)
def test_windows_never_overlap(zone: str, now: int, lag: int, back: int) -> None:
    """Whatever the instant, both windows lie on quarter-hours, one after the other, and never lie ahead."""
    first = calendar.add_months(calendar.today(zone, now).replace(day=1), -back)
    found = compared(zone, first.isoformat()[:7], now, now - lag)
    assert found.previous is not None
    bounds = (*found.previous, *found.current)
    assert list(bounds) == sorted(bounds)
    assert not any(bound % QUARTER_US for bound in bounds)
    assert found.current[1] <= now
