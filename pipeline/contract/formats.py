"""The three text formats of a record's fields, matched strictly: instants, UUIDs, locales.

Pure functions from a text to its stored form.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Final

from pipeline.contract.calendar import SECOND_US, utc_day_start

_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d):([0-5]\d)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
).fullmatch
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII).fullmatch
_LOCALE: Final = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,8})*", re.ASCII).fullmatch

# RFC 3339 has a year 0, which Python's calendar lacks; the Gregorian calendar repeats every 400 years.
_CYCLE_YEARS: Final = 400
_CYCLE_SECONDS: Final = 146_097 * 86_400

UNTAGGED: Final = ""


class FormatError(ValueError):
    """Raised when a text does not have the expected format; the message is that text."""


def instant(text: str) -> int:
    """Return an RFC 3339 date-time with offset as microseconds UTC; further digits are cut off.

    `2026-11-24T12:00:00.1234567+05:45` → 1795500900123456. Leap seconds and a space between date and time are refused.

    Raises:
        FormatError: the text is not such a date-time.
    """
    match = _RFC3339(text)
    if match is None:
        raise FormatError(text)
    minute, second, fraction, offset = match.groups()
    whole = _minute(minute, offset) + int(second) * SECOND_US
    return whole + int(fraction[:6].ljust(6, "0")) if fraction else whole


@lru_cache(maxsize=65_536)
def _minute(text: str, offset: str) -> int:
    """Return the start of a minute such as `2026-11-24T12:00` at an offset, in microseconds UTC."""
    year = int(text[:4])
    try:
        start = utc_day_start(date(year or _CYCLE_YEARS, int(text[5:7]), int(text[8:10])))
    except ValueError:
        raise FormatError(text) from None
    seconds = int(text[11:13]) * 3600 + int(text[14:16]) * 60 - (0 if year else _CYCLE_SECONDS)
    if offset not in "Zz":
        east = int(offset[1:3]) * 3600 + int(offset[4:6]) * 60
        seconds += east if offset[0] == "-" else -east
    return start + seconds * SECOND_US


@lru_cache(maxsize=65_536)
def uuid(text: str) -> str:
    """Return a UUID of 8-4-4-4-12 hex digits in lower case.

    Raises:
        FormatError: the text is not such a UUID.
    """
    if _UUID(text):
        return text.lower()
    raise FormatError(text)


@lru_cache(maxsize=4096)
def locale(text: str) -> str:
    """Return a BCP-47 locale in lower case with `-`: `EN_us` → `en-us`; `UNTAGGED` for the empty text and `und`.

    Raises:
        FormatError: the text is not a locale.
    """
    if not text.isascii():  # lower() turns some letters outside ASCII, such as the Kelvin sign, into ASCII ones
        raise FormatError(text)
    tag = text.lower().replace("_", "-")
    if tag in {UNTAGGED, "und"}:
        return UNTAGGED
    if _LOCALE(tag):
        return tag
    raise FormatError(text)
