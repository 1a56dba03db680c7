"""Local days by brute force: instants are mapped to local dates one by one, with the zones of the `tzdata` package."""

import importlib.resources
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from tests.oracle.instants import from_datetime, to_datetime

QUARTER = timedelta(minutes=15)
RANGE_DAYS = {"30d": 30, "60d": 60, "90d": 90}
BUCKET_UNITS = {"daily": "day", "weekly": "week", "monthly": "month"}
RANGE_LABELS = {"daily": "Last 7 days", "weekly": "Last 12 weeks", "monthly": "Last 12 months"}
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Window:
    """A labelled half-open interval `[start_us, end_us)`."""

    label: str
    start_us: int
    end_us: int


@cache
def read_zone(name: str) -> ZoneInfo:
    """Read a zone from the file in the package, not from the operating system."""
    path = importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with path.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@cache
def day_start(zone: str, day: date) -> int:
    """Return the first instant whose local date is that day or later.

    Raises:
        AssertionError: The day does not start on a quarter-hour of UTC.
    """
    tz = read_zone(zone)

    def reached(moment: datetime) -> bool:
        return moment.astimezone(tz).date() >= day

    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)  # no clock is further ahead
    assert not reached(moment)
    while not reached(moment):
        moment += QUARTER
    minutes = (moment - QUARTER + timedelta(minutes=minute) for minute in range(1, 16))
    assert next(filter(reached, minutes)) == moment, f"{zone} starts {day} off the grid"
    assert not reached(moment - timedelta(microseconds=1))
    return from_datetime(moment)


def find_today(zone: str, now_us: int) -> date:
    """Return the local date of now."""
    today = to_datetime(now_us).astimezone(read_zone(zone)).date()
    assert day_start(zone, today) <= now_us < day_start(zone, today + timedelta(days=1))
    return today


def knows_today(zone: str, now_us: int) -> bool:
    """Return whether the local date of now is today: not if the clock fell back over midnight."""
    today = to_datetime(now_us).astimezone(read_zone(zone)).date()
    return day_start(zone, today) <= now_us < day_start(zone, today + timedelta(days=1))


def list_days(zone: str, range_: str, now_us: int) -> list[Window]:
    """Return the days of a range, labelled by date, oldest first."""
    today = find_today(zone, now_us)
    days = [today + timedelta(days=1 - back) for back in range(RANGE_DAYS[range_], -1, -1)]
    return _join(zone, days, [day.isoformat() for day in days])


def list_buckets(zone: str, view: str, now_us: int) -> list[Window]:
    """Return the buckets of an activity view, oldest first."""
    today = find_today(zone, now_us)
    if view == "daily":
        days = [today + timedelta(days=ahead) for ahead in range(-6, 2)]
        return _join(zone, days, [_WEEKDAYS[day.weekday()] for day in days])
    if view == "weekly":
        monday = today - timedelta(days=today.weekday())
        mondays = [monday + timedelta(weeks=ahead) for ahead in range(-11, 2)]
        return _join(zone, mondays, [f"Week {number}" for number in range(1, 14)])
    firsts = [_add_months(today.year, today.month, ahead) for ahead in range(-11, 2)]
    return _join(zone, [date(year, month, 1) for year, month in firsts], [_MONTHS[month - 1] for _, month in firsts])


def start_of_quarter(instant_us: int) -> int:
    """Return the start of the UTC quarter-hour of an instant."""
    moment = to_datetime(instant_us)
    return from_datetime(moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0))


def list_compared(zone: str, range_: str, now_us: int, as_of_us: int | None) -> list[Window]:
    """Return the elapsed part of a range, and the same part of the range before it."""
    today, count = find_today(zone, now_us), RANGE_DAYS[range_]
    until_us = start_of_quarter(now_us if as_of_us is None else min(now_us, as_of_us))
    elapsed_us = max(until_us, day_start(zone, today)) - day_start(zone, today)
    windows = []
    for last in (today, today - timedelta(days=count)):
        first_us, last_us, end_us = (day_start(zone, last + timedelta(days=days)) for days in (1 - count, 0, 1))
        windows.append(Window(last.isoformat(), first_us, min(last_us + elapsed_us, end_us)))
    return windows


def list_month(zone: str, month: str, now_us: int) -> list[Window]:
    """Return the days of a month `YYYY-MM` that have begun, labelled by date."""
    today = find_today(zone, now_us)
    days = [day for day in _dates(month) if day <= today]
    return _join(zone, [*days, days[-1] + timedelta(days=1)], [day.isoformat() for day in days])


def list_compared_months(zone: str, month: str, now_us: int, as_of_us: int | None) -> list[Window]:
    """Return a month, or its elapsed part, and the month before it, or the same part of that."""
    today, dates = find_today(zone, now_us), _dates(month)
    before = _dates((dates[0] - timedelta(days=1)).isoformat()[:7])
    ends_us = [day_start(zone, part[-1] + timedelta(days=1)) for part in (dates, before)]
    if today in dates:
        until_us = start_of_quarter(now_us if as_of_us is None else min(now_us, as_of_us))
        elapsed_us = max(until_us - day_start(zone, today), 0)
        ends_us[0] = day_start(zone, today) + elapsed_us
        for same in before:
            if same.day == today.day:
                ends_us[1] = min(day_start(zone, same) + elapsed_us, day_start(zone, same + timedelta(days=1)))
    return [Window(month, day_start(zone, part[0]), end) for part, end in zip((dates, before), ends_us, strict=True)]


def _dates(month: str) -> list[date]:
    days = (date.fromisoformat(f"{month}-01") + timedelta(days=number) for number in range(31))
    return [day for day in days if day.isoformat().startswith(month)]


def _join(zone: str, days: list[date], labels: list[str]) -> list[Window]:
    starts = [day_start(zone, day) for day in days]
    return [Window(label, *edges) for label, edges in zip(labels, itertools.pairwise(starts), strict=False)]


def find_billing_period(anchor_us: int | None, now_us: int) -> tuple[int, int]:
    """Return the billing period around now: a UTC calendar month, or a month from the anchor with its day clamped."""
    anchor = to_datetime(0 if anchor_us is None else anchor_us)
    starts = list(_walk_months(anchor, to_datetime(now_us)))
    for start, end in itertools.pairwise(starts):
        if start <= now_us < end:
            return start, end
    raise AssertionError("no billing period contains now")


def _walk_months(anchor: datetime, now: datetime) -> Iterator[int]:
    """Yield the starts of the billing periods from two months before now to two months after."""
    for ahead in range(-2, 3):
        year, month = _add_months(now.year, now.month, ahead)
        day = anchor.day
        while not _exists(year, month, day):
            day -= 1
        yield from_datetime(anchor.replace(year=year, month=month, day=day))


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _add_months(year: int, month: int, ahead: int) -> tuple[int, int]:
    for _ in range(abs(ahead)):
        month += 1 if ahead > 0 else -1
        if month in {0, 13}:
            year, month = (year - 1, 12) if month == 0 else (year + 1, 1)
    return year, month
