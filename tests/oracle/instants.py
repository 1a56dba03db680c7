"""Instants as integer microseconds since 1970 in UTC: from RFC 3339 text, and back."""

import re
from datetime import UTC, date, datetime, timedelta

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_CENTURIES = 400  # the calendar repeats after 400 years; `date` has no year 0, so year 400 replaces it
_CENTURIES_DAYS = 146_097


def read_instant(text: str) -> int | None:
    """Return the instant without digits beyond microseconds, or None if the text is no RFC 3339 date-time."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, sign, offset_hour, offset_minute = found.groups()[6:]
    try:
        days = date(year or _CENTURIES, month, day).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        return None
    days -= 0 if year else _CENTURIES_DAYS
    east_minutes = 0
    if sign:
        if int(offset_hour) > 23 or int(offset_minute) > 59:
            return None
        east_minutes = int(sign + "1") * (int(offset_hour) * 60 + int(offset_minute))
    if hour > 23 or minute > 59 or second > 59:
        return None
    seconds = days * 86_400 + hour * 3600 + (minute - east_minutes) * 60 + second
    return seconds * SECOND_US + int((fraction or "")[:6].ljust(6, "0"))


def to_datetime(instant_us: int) -> datetime:
    """Return an instant as a datetime in UTC."""
    return EPOCH + timedelta(microseconds=instant_us)


def from_datetime(moment: datetime) -> int:
    """Return the instant of an aware datetime."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def write_instant(instant_us: int) -> str:
    """Write RFC 3339 with `Z` and as few fractional digits as possible."""
    text = to_datetime(instant_us).isoformat().removesuffix("+00:00")
    return (text.rstrip("0") if "." in text else text) + "Z"
