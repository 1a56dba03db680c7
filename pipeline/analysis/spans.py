"""Every zone's local days in a few thousand rows: spans of days that start the same time ahead of UTC midnight.

Reads the zone files of the pinned `tzdata`; all boundaries are those of `pipeline.contract.calendar`.

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

# The views of 2011 reach back into 2010.
FIRST: Final = date(2010, 1, 1)
LAST: Final = date(2037, 12, 31)

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DAY_SECONDS: Final = 86_400
_HEADER: Final = struct.Struct(">20x6l")
# After its last transition a zone follows a rule with two changes a year, months apart.
_RULE_STEP_DAYS: Final = 28
# What a change does to the starts of days, it does within so many days of it.
_AROUND_DAYS: Final = 2


class Span(NamedTuple):
    """Days from `first_day` to `last_day` that start so long before their UTC midnight."""

    time_zone: str
    first_day: date
    last_day: date
    ahead_us: int


@cache
def spans() -> tuple[Span, ...]:
    """Return the spans of all zones."""
    found: list[Span] = []
    of_content: dict[bytes, list[tuple[int, int]]] = {}
    of_rule: dict[bytes, dict[int, int]] = {}
    for zone in sorted(zone_names()):
        content = importlib.resources.files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()
        if content not in of_content:  # many names are links
            of_content[content] = _starts(zone, content, of_rule)
        firsts = of_content[content]
        ends = [*(first for first, _ in firsts[1:]), LAST.toordinal() + 1]
        found += [
            Span(zone, date.fromordinal(first), date.fromordinal(end - 1), ahead_us)
            for (first, ahead_us), end in zip(firsts, ends, strict=True)
        ]
    return tuple(found)


def _starts(zone: str, content: bytes, of_rule: dict[bytes, dict[int, int]]) -> list[tuple[int, int]]:
    """Return the first day of each span, as an ordinal, with how long its days are ahead.

    Args:
        zone: an IANA name.
        content: its file, which lists transitions and ends with the rule that it follows after the last one.
        of_rule: what was found for the days of each rule, which many zones share.
    """
    changes, rule = _change_days(content), content.splitlines()[-1]
    first, last = FIRST.toordinal(), LAST.toordinal()
    ruled = max([first, *changes]) + _AROUND_DAYS  # days after this one depend on the rule alone
    before_rule: dict[int, int] = {}
    under_rule = of_rule.setdefault(rule, {})

    def ahead_us(day: int) -> int:
        known = under_rule if day > ruled else before_rule
        if day not in known:
            known[day] = _ahead_us(zone, day)
        return known[day]

    days = {first, last}
    if b"," in rule:  # without a comma it is one offset
        days.update(day for day in range(first, last, _RULE_STEP_DAYS) if day > ruled)
    days.update(near for change in changes for near in _around(change))
    for before, after in pairwise(sorted(day for day in days if first <= day <= last)):
        old = ahead_us(before)
        if old != ahead_us(after):  # one change of the rule lies between
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
    """Return the UTC days of the transitions that a zone file lists (RFC 9636, the part of 64 bits), as ordinals."""
    ut_flags, standard_flags, leaps, times, types, characters = _HEADER.unpack_from(content)
    start = _HEADER.size + times * 5 + types * 6 + characters + leaps * 8 + standard_flags + ut_flags
    count = _HEADER.unpack_from(content, start)[3]
    instants = struct.unpack_from(f">{count}q", content, start + _HEADER.size)
    return [_EPOCH_DAY + instant // _DAY_SECONDS for instant in instants]
