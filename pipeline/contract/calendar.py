"""Local days, weeks and months of every IANA zone, as UTC instants.

Reads only the zone files of the pinned `tzdata` package (`pipeline.contract.zones`), or a zone that the caller passes.
Instants are integers: microseconds since 1970-01-01T00:00:00Z. Windows are half-open, `[start, end)`.

A local day starts at the first instant whose local date is that day or later, and ends where the next one starts:

    UTC             2026-11-24  starts at 2026-11-24T00:00Z
    Asia/Kathmandu  2026-11-24  starts at 2026-11-23T18:15Z  (UTC+05:45)
    Africa/Cairo    2026-04-24  starts at 2026-04-23T22:00Z  (00:00 does not exist: the clock jumps to 01:00)
    America/Havana  2025-11-02  starts at 2025-11-02T04:00Z  (00:00 occurs twice: the first one counts)
    Pacific/Apia    2011-12-30  starts and ends at 2011-12-30T10:00Z  (the zone skipped this date)

Since 2011 every such instant lies on a UTC quarter-hour. That is why one cube of quarter-hours serves every zone.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Final, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from pipeline.contract.zones import PINNED

Range = Literal["30d", "60d", "90d"]
View = Literal["daily", "weekly", "monthly"]

RANGES: Final[tuple[Range, ...]] = get_args(Range)
VIEWS: Final[tuple[View, ...]] = get_args(View)

SECOND_US: Final = 1_000_000
QUARTER_US: Final = 900 * SECOND_US
DAY_US: Final = 86_400 * SECOND_US

# The cube cannot split a quarter-hour, and before 2011 some local midnights fell inside one (Liberia until 1972, …).
FIRST_DAY: Final = date(2011, 1, 1)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MIDNIGHT: Final = time()
_REPEATED: Final = time(fold=1)
_RANGE_DAYS: Final[dict[Range, int]] = {"30d": 30, "60d": 60, "90d": 90}
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS_A_YEAR: Final = 12
# Enough for all zones in all ranges or views, on the two or three dates that are “today” in some zone.
_WINDOWS_KEPT: Final = 1 << 12


class OffGridError(ValueError):
    """Raised when a local day does not start on a UTC quarter-hour, so that the cube could not answer exactly."""


class Bucket(NamedTuple):
    """One labelled window `[start, end)` of a view, in microseconds UTC."""

    label: str
    start: int
    end: int


def zone_names() -> frozenset[str]:
    """Return the IANA names of the pinned `tzdata`, links included."""
    return PINNED.names


def zone_data_version() -> str:
    """Return the release of the pinned `tzdata` package, e.g. `2026.6`."""
    return PINNED.version


@cache
def _zone(name: str) -> ZoneInfo:
    return PINNED.zone(name)


def day_start(zone: str, day: date) -> int:
    """Return the first instant whose local date in `zone` is `day` or later, in microseconds UTC.

    Raises:
        UnknownZoneError: `zone` is not an IANA name.
        OffGridError: the instant is not on a UTC quarter-hour, which never happens from 2011 on.
    """
    return _day_start(zone, day.toordinal())


@lru_cache(maxsize=1 << 17)
def _day_start(zone: str, ordinal: int) -> int:
    return _first_instant(_zone(zone), ordinal)


def _first_instant(info: ZoneInfo, ordinal: int) -> int:
    day = date.fromordinal(ordinal)
    # Where midnight occurs twice, `second` is the first one. Where the clock skips it, the day starts later than `low`.
    low = int(datetime.combine(day, _REPEATED, info).timestamp())
    second = int(datetime.combine(day, _MIDNIGHT, info).timestamp())
    while second - low > 1:  # the local date is an earlier one at `low`, and `day` or a later one at `second`
        middle = (low + second) // 2
        if datetime.fromtimestamp(middle, info).date() < day:
            low = middle
        else:
            second = middle
    start = second * SECOND_US
    if start % QUARTER_US:
        instant = datetime.fromtimestamp(second, UTC)
        raise OffGridError(f"{day} in {info.key} starts at {instant}, off the quarter-hours")
    return start


def today(zone: str, now: int) -> date:
    """Return the local day whose window contains `now` (microseconds UTC)."""
    return _today(zone, now - now % QUARTER_US)  # constant within a quarter-hour, since days start on one


@lru_cache(maxsize=_WINDOWS_KEPT)
def _today(zone: str, now: int) -> date:
    day = (_EPOCH + timedelta(microseconds=now)).astimezone(_zone(zone)).date()
    # If the clock falls back over midnight, a date that has begun stays today, although the clock shows the day before.
    while day_start(zone, day + timedelta(days=1)) <= now:
        day += timedelta(days=1)
    return day


def utc_offset(zone: str, instant: int) -> int:
    """Return by how many seconds the clock of `zone` is ahead of UTC at an instant (microseconds UTC)."""
    offset = (_EPOCH + timedelta(microseconds=instant)).astimezone(_zone(zone)).utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo always knows its offset
    return offset // timedelta(seconds=1)


def days(zone: str, first: date, count: int) -> tuple[int, ...]:
    """Return the boundaries of `count` local days from `first`: their starts, then the end of the last one."""
    ordinal = first.toordinal()
    return tuple(_day_start(zone, ordinal + k) for k in range(count + 1))


def day_starts(zone: ZoneInfo, first: date, count: int) -> list[int]:
    """Return the starts of `count` local days from `first`, in a zone of any release of the zone data. Not cached.

    Raises:
        OffGridError: a start is not on a UTC quarter-hour.
    """
    ordinal = first.toordinal()
    return [_first_instant(zone, ordinal + k) for k in range(count)]


def range_first_day(range_: Range, today: date) -> date:
    """Return the first local day of a rolling range that ends with `today`."""
    return today - timedelta(days=_RANGE_DAYS[range_] - 1)


@lru_cache(maxsize=_WINDOWS_KEPT)
def range_days(zone: str, range_: Range, today: date) -> tuple[int, ...]:
    """Return the boundaries of the local days of a rolling range that ends with `today`: 31, 61 or 91 instants."""
    return days(zone, range_first_day(range_, today), _RANGE_DAYS[range_])


@lru_cache(maxsize=_WINDOWS_KEPT)
def view_buckets(zone: str, view: View, today: date) -> tuple[Bucket, ...]:
    """Return the buckets of an activity view, oldest first: 7 days, 12 weeks from Monday, or 12 calendar months."""
    if view == "daily":
        firsts = [today + timedelta(days=k) for k in range(-6, 2)]
        labels = [_WEEKDAYS[day.weekday()] for day in firsts[:-1]]
    elif view == "weekly":
        monday = today - timedelta(days=today.weekday())
        firsts = [monday + timedelta(weeks=k) for k in range(-11, 2)]
        labels = [f"Week {k}" for k in range(1, 13)]
    else:
        firsts = [add_months(today.replace(day=1), k) for k in range(-11, 2)]
        labels = [_MONTHS[day.month - 1] for day in firsts[:-1]]
    starts = [day_start(zone, day) for day in firsts]
    return tuple(Bucket(*bucket) for bucket in zip(labels, starts, starts[1:], strict=False))


def add_months(day: date, months: int) -> date:
    """Return `day` moved by calendar months, clamped to the last day of the month: Jan 31 + 1 = Feb 28."""
    year, month = divmod(day.year * _MONTHS_A_YEAR + day.month - 1 + months, _MONTHS_A_YEAR)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def utc_day(instant: int) -> date:
    """Return the UTC day of an instant in microseconds."""
    return date.fromordinal(_EPOCH_DAY + instant // DAY_US)


def utc_day_start(day: date) -> int:
    """Return the instant at which a UTC day starts, in microseconds."""
    return (day.toordinal() - _EPOCH_DAY) * DAY_US


def rfc3339(instant: int) -> str:
    """Return an instant as RFC 3339 in UTC with `Z`. Fractional seconds are written only if they are not zero."""
    seconds, fraction = divmod(instant, SECOND_US)
    text = _second(seconds)
    return f"{text}.{fraction:06}".rstrip("0") + "Z" if fraction else f"{text}Z"


@lru_cache(maxsize=1 << 10)  # many requests fall into the same second
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[: -len("+00:00")]


def local_time(zone: str, instant: int) -> datetime:
    """Return an instant by the clock of a zone, to be shown."""
    return (_EPOCH + timedelta(microseconds=instant)).astimezone(_zone(zone))


def microseconds(moment: datetime) -> int:
    """Return an aware datetime as microseconds since the epoch."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
