"""Every zone's local days in a few thousand rows: spans of days that start equally far ahead of UTC midnight.

Reads the zone files of the pinned `tzdata`. All day starts come from `pipeline.contract.calendar`.

    Europe/Berlin  2026-03-30 … 2026-10-25  7,200,000,000 µs ahead
    Africa/Cairo   2026-04-24 … 2026-04-24  7,200,000,000 µs ahead (it starts at 01:00, where the clock jumps to)
"""

import importlib.resources
import struct
from bisect import bisect_left
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple

from pipeline.contract.calendar import day_start, utc_day_start, zone_names

# Activity views of early 2011 reach back into 2010.
FIRST: Final = date(2010, 1, 1)
LAST: Final = date(2037, 12, 31)

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DAY_SECONDS: Final = 86_400
_HEADER: Final = struct.Struct(">20x6l")
# After its last transition a zone follows a rule with two changes a year, which are months apart.
_RULE_STEP_DAYS: Final = 28
# A change affects the starts of days at most this many days away.
_AROUND_DAYS: Final = 2


class Span(NamedTuple):
    """The days from `first_day` to `last_day` start `ahead_us` microseconds before their UTC midnight."""

    time_zone: str
    first_day: date
    last_day: date
    ahead_us: int


@cache
def spans() -> tuple[Span, ...]:
    """Return the spans of all zones, ordered by zone and day."""
    found: list[Span] = []
    by_content: dict[bytes, list[tuple[int, int]]] = {}
    by_rule: dict[bytes, dict[int, int]] = {}
    for zone in sorted(zone_names()):
        content = importlib.resources.files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()
        if content not in by_content:  # many names are links to the same file
            by_content[content] = _starts(zone, content, by_rule)
        firsts = by_content[content]
        ends = [*(first for first, _ in firsts[1:]), LAST.toordinal() + 1]
        found += [
            Span(zone, date.fromordinal(first), date.fromordinal(end - 1), ahead_us)
            for (first, ahead_us), end in zip(firsts, ends, strict=True)
        ]
    return tuple(found)


def _starts(zone: str, content: bytes, by_rule: dict[bytes, dict[int, int]]) -> list[tuple[int, int]]:
    """Return (ordinal of the first day, microseconds ahead of UTC midnight) of each span.

    Args:
        zone: an IANA name.
        content: its zone file, which lists transitions and ends with the rule that applies after the last one.
        by_rule: for each rule, the microseconds found so far by ordinal; many zones share a rule.
    """
    changes, rule = _change_days(content), content.splitlines()[-1]
    first, last = FIRST.toordinal(), LAST.toordinal()
    last_listed = max([first, *changes]) + _AROUND_DAYS  # later days depend on the rule alone
    before_rule: dict[int, int] = {}
    under_rule = by_rule.setdefault(rule, {})

    def ahead_us(day: int) -> int:
        known = under_rule if day > last_listed else before_rule
        if day not in known:
            known[day] = _ahead_us(zone, day)
        return known[day]

    days = {first, last}
    if b"," in rule:  # a rule without a comma is a single offset
        days.update(day for day in range(first, last, _RULE_STEP_DAYS) if day > last_listed)
    days.update(near for change in changes for near in _around(change))
    for before, after in pairwise(sorted(day for day in days if first <= day <= last)):
        old = ahead_us(before)
        if old != ahead_us(after):  # exactly one change of the rule lies between the two days
            change = bisect_left(range(before, after), True, key=lambda day, old=old: ahead_us(day) != old)  # type: ignore[misc]
            days.update(_around(before + change))
    found: list[tuple[int, int]] = []
    for day in sorted(day for day in days if first <= day <= last):
        if not found or found[-1][1] != ahead_us(day):
            found.append((day, ahead_us(day)))
    return found


def _around(day: int) -> range:
    return range(day - _AROUND_DAYS, day + _AROUND_DAYS + 1)


def _ahead_us(zone: str, ordinal: int) -> int:
    day = date.fromordinal(ordinal)
    return utc_day_start(day) - day_start(zone, day)


def _change_days(content: bytes) -> list[int]:
    """Return the UTC days of the transitions in a zone file's 64-bit part (RFC 9636), as ordinals."""
    ut_flags, standard_flags, leaps, times, types, characters = _HEADER.unpack_from(content)
    start = _HEADER.size + times * 5 + types * 6 + characters + leaps * 8 + standard_flags + ut_flags
    count = _HEADER.unpack_from(content, start)[3]
    instants = struct.unpack_from(f">{count}q", content, start + _HEADER.size)
    return [_EPOCH_DAY + instant // _DAY_SECONDS for instant in instants]
