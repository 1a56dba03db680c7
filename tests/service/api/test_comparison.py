"""`include=comparison`: which two windows are compared, in every zone, around clock changes, with late data."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract import calendar
from pipeline.contract.calendar import DAY_US, QUARTER_US, RANGES, Range, day_start, rfc3339, zone_names
from pipeline.contract.formats import instant
from pipeline.contract.tables import SCHEMA_VERSION, Published
from service.api.comparison import Compared, windows
from tests.oracle.days import knows_today, list_compared
from tests.oracle.instants import read_instant
from tests.oracle.local_days import LOCAL_DAYS

HOUR_US = 3_600_000_000
# A date that comes twice, or not at all, is among these; so are the first quarter-hour of a day and its last.
EDGES = [(zone, day_start(zone, day) + ahead) for zone, day, _, hours in LOCAL_DAYS if hours for ahead in (0, HOUR_US)]


def published(as_of: int | None, kept: date | None = None) -> Published:
    """Return what is published at some instant."""
    return Published(1, "run", as_of, SCHEMA_VERSION, "2026.6", first_kept_day=kept)


def compared(zone: str, range_: Range, now: int, as_of: int | None, kept: date | None = None) -> Compared:
    """Return the windows of a request."""
    return windows(zone, range_, calendar.today(zone, now), now - now % QUARTER_US, published(as_of, kept))


def expected(zone: str, range_: str, now: int, as_of: int | None) -> Compared:
    """Return the windows by the oracle."""
    return Compared(*((window.start_us, window.end_us) for window in list_compared(zone, range_, now, as_of)))


def spans(zone: str, range_: Range, now: str, as_of: str | None = None, kept: date | None = None) -> list[str | None]:
    """Return both windows as text."""
    found = compared(zone, range_, instant(now), instant(as_of) if as_of else None, kept)
    return [None if window is None else "/".join(map(rfc3339, window)) for window in found]


def test_windows_by_hand() -> None:
    """Both windows have N-1 whole days and the complete, loaded quarter-hours of today, by the clock of the zone."""
    now = "2026-11-24T12:14:59.999999Z"
    both = ["2026-10-26T00:00:00Z/2026-11-24T12:00:00Z", "2026-09-26T00:00:00Z/2026-10-25T12:00:00Z"]
    assert spans("UTC", "30d", now) == spans("UTC", "30d", now, "2026-11-24T12:00:00Z") == both
    assert spans("UTC", "30d", now, "2030-01-01T00:00:00Z") == both
    late = ["2026-10-26T00:00:00Z/2026-11-24T06:30:00Z", "2026-09-26T00:00:00Z/2026-10-25T06:30:00Z"]
    assert spans("UTC", "30d", now, "2026-11-24T06:44:59Z") == late
    whole = ["2026-10-26T00:00:00Z/2026-11-24T00:00:00Z", "2026-09-26T00:00:00Z/2026-10-25T00:00:00Z"]
    assert spans("UTC", "30d", now, "2026-11-23T06:44:59Z") == spans("UTC", "30d", "2026-11-24T00:14:59Z") == whole
    # 35 minutes of the day are over in Nepal, of which two quarter-hours are complete.
    assert spans("Asia/Kathmandu", "30d", "2026-11-23T18:50:00Z") == [
        "2026-10-25T18:15:00Z/2026-11-23T18:45:00Z",
        "2026-09-25T18:15:00Z/2026-10-24T18:45:00Z",
    ]


def test_days_of_other_lengths() -> None:
    """Elapsed time counts, not the clock's: a shorter day before counts whole, a longer one up to the same time."""
    # 25 October 2026 has 25 hours in Berlin, and 29 March 23.
    assert spans("Europe/Berlin", "30d", "2026-10-25T22:45:00Z")[1] == "2026-08-26T22:00:00Z/2026-09-25T22:00:00Z"
    assert spans("Europe/Berlin", "30d", "2026-03-29T20:00:00Z")[1] == "2026-01-28T23:00:00Z/2026-02-27T20:00:00Z"
    assert spans("Europe/Berlin", "30d", "2026-11-24T23:59:00+01:00") == [
        "2026-10-25T23:00:00Z/2026-11-24T22:45:00Z",
        "2026-09-25T22:00:00Z/2026-10-25T21:45:00Z",
    ]
    # Samoa skipped 30 December 2011, 30 days before: no time of it is compared.
    assert spans("Pacific/Apia", "30d", "2012-01-29T00:00:00Z") == [
        "2011-12-30T10:00:00Z/2012-01-29T00:00:00Z",
        "2011-12-01T10:00:00Z/2011-12-30T10:00:00Z",
    ]


@pytest.mark.parametrize("range_", RANGES)
def test_every_zone(range_: Range) -> None:
    """In all zones the windows are the oracle's, and the longer current one is that of the summary."""
    now = instant("2026-11-02T05:40:00Z") + RANGES.index(range_) * 40 * DAY_US + 7 * HOUR_US
    for zone in sorted(zone_names())[RANGES.index(range_) :: 3]:
        found = compared(zone, range_, now, now - 20 * QUARTER_US)
        assert found == expected(zone, range_, now, now - 20 * QUARTER_US), zone
        assert found.current[0] == calendar.range_days(zone, range_, calendar.today(zone, now))[0]


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("lag", [None, 0, QUARTER_US, 30 * HOUR_US])
def test_around_clock_changes(range_: Range, lag: int | None) -> None:
    """Around 22- to 26-hour days, from their first instant on, and N days later, the windows are the oracle's."""
    days = {"30d": 30, "60d": 60, "90d": 90}[range_]
    for zone, start in EDGES:
        later = day_start(zone, calendar.today(zone, start) + timedelta(days=days))
        for now in (start, start + 23 * HOUR_US + QUARTER_US, later, later + 23 * HOUR_US + QUARTER_US - 1):
            if knows_today(zone, now):
                as_of = None if lag is None else now - lag
                assert compared(zone, range_, now, as_of) == expected(zone, range_, now, as_of), (zone, rfc3339(now))


@given(
    st.sampled_from(sorted({zone for zone, _ in EDGES})),
    st.sampled_from(RANGES),
    st.integers(instant("2026-01-01T00:00:00Z"), instant("2026-12-31T00:00:00Z")),
    st.integers(-2 * DAY_US, 2 * DAY_US),
)
def test_windows_are_equally_long_in_days(zone: str, range_: Range, now: int, lag: int) -> None:
    """Whatever the instant, both windows lie on quarter-hours, touch no event of the other, and never lie ahead."""
    found = compared(zone, range_, now, now - lag)
    assert found.previous is not None
    bounds = (*found.previous, *found.current)
    assert list(bounds) == sorted(bounds)
    assert not any(bound % QUARTER_US for bound in bounds)
    assert found.current[1] <= now
    today = day_start(zone, calendar.today(zone, now))
    assert found.previous[1] - day_start(zone, calendar.today(zone, found.current[0] - 1)) <= found.current[1] - today


def test_first_kept_day() -> None:
    """`previous` is null if it begins before the first UTC day that retention keeps, even by an hour."""
    now = "2026-11-24T12:00:00Z"
    for zone, kept, is_known in (
        ("UTC", date(2026, 9, 26), True),
        ("UTC", date(2026, 9, 27), False),
        ("Europe/Berlin", date(2026, 9, 26), False),  # begins at 22:00 of the 25th
        ("Europe/Berlin", date(2026, 9, 25), True),
        ("America/Lima", date(2026, 9, 26), True),  # begins at 05:00 of the 26th
    ):
        found = spans(zone, "30d", now, kept=kept)
        assert (found[1] is not None) is is_known, (zone, kept)
        assert found[0] == spans(zone, "30d", now)[0]


def test_amounts(folder: Any, event: Any) -> None:
    """Each window counts its events, whole and to the microsecond; later events of today are in neither."""
    folder.now = instant("2026-11-24T12:10:00Z")  # data as of 12:09
    bounds = ("2026-09-26T00:00:00Z", "2026-10-25T12:00:00Z", "2026-10-26T00:00:00Z", "2026-11-24T12:00:00Z")
    moments = [instant(bound) + ahead for bound in bounds for ahead in (-1, 0)]
    language = {"locale": "de", "characters": 7, "lines": 2, "corrected": 1}
    folder.publish(
        [
            event(
                moment,
                id=str(number),
                credits=10**number,
                audio_ms=3,
                languages=[language],
                action="workflow_run",
                run_id="r",
                run_status="failed" if number % 2 else "running",
            )
            for number, moment in enumerate(moments)
        ]
    )
    data = folder.data("summary", "include=comparison")
    amounts = {"characters": 14, "corrected": 2, "lines": 4, "audio_ms": 3, "runs": 2}
    assert data["comparison"] == {
        "current": {"start": bounds[2], "end": bounds[3], "credits": 1_100_000, **amounts},
        "previous": {"start": bounds[0], "end": bounds[1], "credits": 110, **amounts},
    }
    assert sum(day["credits"] for day in data["daily"]) == 11_100_000
    assert "pace" not in data["credits"]


def test_erased_and_empty(folder: Any, event: Any) -> None:
    """Without events all is zero; past the first kept day, `previous` is null and the rest stays."""
    folder.publish()
    zeros = folder.data("summary", "include=comparison")["comparison"]
    assert {value for window in zeros.values() for name, value in window.items() if name not in ("start", "end")} == {0}
    folder.publish([event("2026-10-01T00:00:00Z", credits=5), event("2026-11-01T00:00:00Z", credits=7)])
    first = folder.data("summary", "include=comparison")["comparison"]
    assert (first["current"]["credits"], first["previous"]["credits"]) == (7, 5)
    folder.publish([event("2026-11-01T00:00:00Z", credits=7)], first_kept_day=date(2026, 10, 15))
    assert folder.data("summary", "include=comparison")["comparison"] == {"current": first["current"], "previous": None}


def test_before_all_files_were_read(folder: Any, event: Any) -> None:
    """Where `data_as_of` is null, everything up to the last complete quarter-hour counts."""
    folder.publish([event("2026-11-24T11:59:59Z", credits=7)], data_as_of=None)
    reply = folder.ask("/api/v1/usage/summary", "include=comparison").json()
    assert reply["meta"]["data_as_of"] is None
    current = reply["data"]["comparison"]["current"]
    assert (current["end"], current["credits"]) == ("2026-11-24T12:00:00Z", 7)
    assert read_instant(current["end"]) == folder.now
