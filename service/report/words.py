"""Numbers, dates and instants as a report words them: in English, and in full.

Pure: values in, texts out.
"""

from datetime import date
from typing import Final

from pipeline.contract.calendar import local_time
from service.api.envelope import quotient, rounded

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_SECOND_MS: Final = 1000
_MINUTE_S: Final = 60
_SHARE_DIGITS: Final = 6  # of the shares in answers
_PERCENT_DIGITS: Final = 2


def number(value: int) -> str:
    """Return a number with its thousands separated: `12,345`."""
    return f"{value:,}"


def decimal(value: float) -> str:
    """Return a number with one decimal: `12,345.6`."""
    return f"{value:,.1f}"


def percent(share: float) -> str:
    """Return a share of the answers, which has six decimals, in percent: `12.35%`."""
    millionths = round(share * 10**_SHARE_DIGITS)
    hundredths = rounded(millionths, 10 ** (_SHARE_DIGITS - 2 - _PERCENT_DIGITS))
    return "<0.01%" if millionths and not hundredths else f"{hundredths / 10**_PERCENT_DIGITS:.2f}%"


def change(now: int, before: int) -> str:
    """Return how a number has changed: `+12.3%`; `new` if it was 0 before."""
    if now == before:
        return "no change"
    if not before:
        return "new"
    sign = "+" if now > before else "\u2212"
    return f"{sign}{quotient(100 * abs(now - before), before, 1):,}".removesuffix(".0") + "%"


def hours(milliseconds: int) -> str:
    """Return a length in hours, minutes and seconds: `1,234:05:06.789`."""
    seconds, rest = divmod(milliseconds, _SECOND_MS)
    minutes, seconds = divmod(seconds, _MINUTE_S)
    whole, minutes = divmod(minutes, _MINUTE_S)
    return f"{whole:,}:{minutes:02}:{seconds:02}" + (f".{rest:03}" if rest else "")


def month(first: date) -> str:
    """Return the name of a month: `October 2026`."""
    return f"{_MONTHS[first.month - 1]} {first.year}"


def day(when: date) -> str:
    """Return a date: `24 November 2026`."""
    return f"{when.day} {month(when)}"


def short_day(when: date) -> str:
    """Return a date without its year: `24 Nov`."""
    return f"{when.day} {_MONTHS[when.month - 1][:3]}"


def span(first: date, last: date) -> str:
    """Return the dates from one to another: `1 to 31 October 2026`."""
    if first == last:
        return day(last)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {day(last)}"
    return f"{day(first) if first.year != last.year else day(first).rpartition(' ')[0]} to {day(last)}"


def instant(zone: str, moment: int) -> str:
    """Return an instant by the clock of a zone, with its offset: `24 November 2026, 17:45 (UTC+05:45)`."""
    local = local_time(zone, moment)
    offset = local.strftime("%z")
    shown = "UTC" if int(offset) == 0 else f"UTC{offset[:3]}:{offset[3:5]}"
    return f"{day(local.date())}, {local:%H:%M} ({shown})"
