"""The local days of a whole zone, by brute force from the local date at every quarter-hour and clock change."""

import importlib.resources
import io
import itertools
import struct
from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

FIRST, LAST = date(2011, 1, 1), date(2037, 12, 31)
EPOCH_DAY = date(1970, 1, 1).toordinal()
DAY_S, QUARTER_S = 86_400, 900
_STEP_S = 28 * DAY_S  # after the last listed transition, the clock changes twice a year, months apart
_FROM_S = (FIRST.toordinal() - EPOCH_DAY - 3) * DAY_S
_TO_S = (LAST.toordinal() - EPOCH_DAY + 4) * DAY_S
Seconds = npt.NDArray[np.int64]  # Unix time
_QUARTERS = np.arange(_FROM_S, _TO_S, QUARTER_S, dtype=np.int32)  # every local time of the walk fits, too


def read_zone_file(name: str) -> bytes:
    """Return the zone file of the `tzdata` package."""
    return importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


@cache
def walk_day_starts(zone_file: bytes) -> Seconds:
    """Return the first second of every local day from `FIRST` to the day after `LAST`: (days + 1,).

    A day that the zone skipped starts with the next day.
    """
    changes, offsets = _find_changes(zone_file)
    assert not np.any(offsets % QUARTER_S), "midnight of a constant offset would fall between two quarter-hours"
    between = changes[changes % QUARTER_S != 0]
    instants = np.insert(_QUARTERS, np.searchsorted(_QUARTERS, between), between) if between.size else _QUARTERS
    spans = np.diff(np.searchsorted(instants, changes.astype(np.int32)), append=len(instants))
    local_days = (instants + np.repeat(offsets.astype(np.int32), spans)) // np.int32(DAY_S)
    firsts = np.flatnonzero(np.append(True, local_days[1:] != local_days[:-1]))  # where the local date changes
    reached = np.maximum.accumulate(local_days[firsts])
    days = np.arange(FIRST.toordinal(), LAST.toordinal() + 2) - EPOCH_DAY
    return instants[firsts[np.searchsorted(reached, days)]].astype(np.int64)


def count_returns(zone_file: bytes) -> int:
    """Count the clock changes that go back to an earlier local date."""
    changes, offsets = _find_changes(zone_file)
    before, after = (changes[1:] - 1 + offsets[:-1]) // DAY_S, (changes[1:] + offsets[1:]) // DAY_S
    return int(np.sum(after < before))


@cache
def _find_changes(zone_file: bytes) -> tuple[Seconds, Seconds]:
    """Return the seconds at which the offset changes during the walk, and the new offsets: two arrays (changes,)."""
    zone = ZoneInfo.from_file(io.BytesIO(zone_file))
    known = [second for second in _list_transitions(zone_file) if _FROM_S < second < _TO_S]
    samples = sorted({*range(_FROM_S, _TO_S, _STEP_S), *known, *(second - 1 for second in known)})
    states = [(second, _find_offset_s(zone, second)) for second in samples]
    changes = [states[0]]
    for (low, before), (high, after) in itertools.pairwise(states):
        if before != after:
            changes.append((_find_change(zone, low, high), after))
    seconds, offsets = np.array(changes, dtype=np.int64).T
    return seconds, offsets


def _find_change(zone: ZoneInfo, low: int, high: int) -> int:
    before = _find_offset_s(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _find_offset_s(zone, middle) == before else (low, middle)
    return high


def _find_offset_s(zone: ZoneInfo, instant_s: int) -> int:
    offset = datetime.fromtimestamp(instant_s, zone).utcoffset()
    assert offset is not None
    return offset.days * DAY_S + offset.seconds


def _list_transitions(zone_file: bytes) -> list[int]:
    """Return the 64-bit transition times of a zone file (RFC 9636), so that no change between samples is missed."""
    counts = struct.Struct(">20x6l")
    ut_flags, standard_flags, leaps, times, types, chars = counts.unpack_from(zone_file)
    second_part = counts.size + times * 5 + types * 6 + chars + leaps * 8 + standard_flags + ut_flags
    count = counts.unpack_from(zone_file, second_part)[3]
    return list(struct.unpack_from(f">{count}q", zone_file, second_part + counts.size))
