"""How far each zone is ahead of UTC, from which instant to which: what the hours of a local day need besides its start.

Reads the zone files of the pinned `tzdata`.

    Europe/Berlin  2026-03-29T01:00Z … 2026-10-25T01:00Z  7,200,000,000 µs ahead
"""

import importlib.resources
import struct
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.contract.calendar import zone_names
from pipeline.contract.zones import PINNED

# A month more than the days of the calendar, because weeks and months begin before what is asked for.
FIRST: Final = datetime(2009, 11, 1, tzinfo=UTC)
LAST: Final = datetime(2038, 3, 1, tzinfo=UTC)

_HEADER: Final = struct.Struct(">20x6l")
# After its last transition a zone follows a rule with two changes a year, which are months apart.
_RULE_STEP_SECONDS: Final = 28 * 86_400


class Offset(NamedTuple):
    """A zone is `ahead_us` microseconds ahead of UTC in `[since, until)`, which are instants of UTC without zone."""

    time_zone: str
    since: datetime
    until: datetime
    ahead_us: int


@cache
def offsets() -> tuple[Offset, ...]:
    """Return the offsets of all zones, ordered by zone and instant."""
    found: list[Offset] = []
    by_content: dict[bytes, list[tuple[int, int]]] = {}
    by_rule: dict[bytes, dict[int, int]] = {}
    last = int(LAST.timestamp())
    for name in sorted(zone_names()):
        content = importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
        if content not in by_content:  # many names are links to the same file
            by_content[content] = _changes(PINNED.zone(name), content, by_rule)
        changes = [*by_content[content], (last, 0)]
        found += [
            Offset(name, _instant(since), _instant(until), ahead_seconds * 1_000_000)
            for (since, ahead_seconds), (until, _) in pairwise(changes)
        ]
    return tuple(found)


def _changes(zone: ZoneInfo, content: bytes, by_rule: dict[bytes, dict[int, int]]) -> list[tuple[int, int]]:
    """Return (Unix time, seconds ahead of UTC) from each change of the offset on.

    Args:
        zone: the zone.
        content: its file, which lists transitions and ends with the rule that applies after the last one.
        by_rule: for each rule, the seconds ahead found so far by Unix time; many zones share a rule.
    """
    first, last = int(FIRST.timestamp()), int(LAST.timestamp())
    listed, rule = [instant for instant in _transitions(content) if first < instant < last], content.splitlines()[-1]
    last_listed = max([first, *listed])
    under_rule = by_rule.setdefault(rule, {})

    def ahead(second: int) -> int:
        if second <= last_listed:
            return _ahead_seconds(zone, second)
        if second not in under_rule:
            under_rule[second] = _ahead_seconds(zone, second)
        return under_rule[second]

    seconds = {first, last, *listed, *(instant - 1 for instant in listed)}
    if b"," in rule:  # a rule without a comma is a single offset
        seconds.update(second for second in range(first, last, _RULE_STEP_SECONDS) if second > last_listed)
    found = [(first, ahead(first))]
    for low, high in pairwise(sorted(seconds)):
        before, after = found[-1][1], ahead(high)
        if after != before:  # exactly one change lies after `low`, up to `high`
            change = bisect_left(range(low + 1, high), True, key=lambda second, old=before: ahead(second) != old)  # type: ignore[misc]
            found.append((low + 1 + change, after))
    return found


def _ahead_seconds(zone: ZoneInfo, instant: int) -> int:
    ahead = datetime.fromtimestamp(instant, zone).utcoffset()
    assert ahead is not None  # noqa: S101 - a ZoneInfo always knows its offset
    return ahead // timedelta(seconds=1)


def _transitions(content: bytes) -> tuple[int, ...]:
    """Return the transitions in a zone file's 64-bit part (RFC 9636), in Unix time."""
    ut_flags, standard_flags, leaps, times, types, characters = _HEADER.unpack_from(content)
    start = _HEADER.size + times * 5 + types * 6 + characters + leaps * 8 + standard_flags + ut_flags
    count = _HEADER.unpack_from(content, start)[3]
    return struct.unpack_from(f">{count}q", content, start + _HEADER.size)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
