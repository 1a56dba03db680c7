"""What a workspace used in the elapsed part of a range, and in the equally long part of the range before.

Pure: local days and what is published in, two windows out. Today counts up to the last quarter-hour that is complete
and loaded: late data must not look like less use.

    now 2026-11-24T12:10Z, data as of 12:04Z, UTC, 30d

    current    [2026-10-26T00:00Z, 2026-11-24T12:00Z)
    previous   [2026-09-26T00:00Z, 2026-10-25T12:00Z)
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import msgspec

from pipeline.contract import calendar
from pipeline.contract.calendar import QUARTER_US, Range
from pipeline.contract.tables import Published
from service.api.envelope import Count, Instant, boundary
from service.tables.windows import Windows


class Elapsed(msgspec.Struct, frozen=True):
    """What the workspace used in one window `[start, end)`."""

    start: Instant
    end: Instant
    credits: Count
    characters: Count
    corrected: Count
    lines: Count
    audio_ms: Count
    runs: Count


class Comparison(msgspec.Struct, frozen=True):
    """The elapsed part of the range, and the same part of the range before.

    Both end with the last quarter-hour that is complete and loaded. `previous` is null if it begins before the first
    day that retention keeps.
    """

    current: Elapsed
    previous: Elapsed | None


class Compared(NamedTuple):
    """The two windows `[start, end)` in microseconds UTC; the second is None if some of it is erased."""

    current: tuple[int, int]
    previous: tuple[int, int] | None

    @property
    def kept(self) -> list[tuple[int, int]]:
        """Return the windows of which the tables have everything."""
        return [self.current] if self.previous is None else [self.current, self.previous]


def windows(zone: str, range_: Range, today: date, quarter: int, published: Published) -> Compared:
    """Return the windows that are compared.

    Args:
        zone: whose days count.
        range_: of the current window.
        today: in that zone.
        quarter: the start of the present UTC quarter-hour, in microseconds UTC.
        published: how late the data are, and since when they are kept.
    """
    first = calendar.range_first_day(range_, today)
    day_before = first - timedelta(days=1)  # as long before today as the windows are apart
    start, midnight = calendar.day_start(zone, first), calendar.day_start(zone, today)
    loaded = quarter if published.data_as_of is None else min(quarter, _quarter(published.data_as_of))
    elapsed = max(loaded - midnight, 0)
    before = calendar.day_start(zone, first - (today - day_before))
    current = (start, midnight + elapsed)
    # A day with fewer hours than have elapsed of today counts whole.
    previous = (before, min(calendar.day_start(zone, day_before) + elapsed, start))
    floor = published.first_kept_day
    return Compared(current, None if floor is not None and before < calendar.utc_day_start(floor) else previous)


def compare(compared: Compared, used: Sequence[Windows]) -> Comparison:
    """Return the comparison, given what was used in each of the windows that are kept."""
    current, *previous = (_elapsed(window, sums) for window, sums in zip(compared.kept, used, strict=True))
    return Comparison(current, previous[0] if previous else None)


def _quarter(instant: int) -> int:
    return instant - instant % QUARTER_US


def _elapsed(window: tuple[int, int], used: Windows) -> Elapsed:
    totals = used.totals
    return Elapsed(
        start=boundary(window[0]),
        end=boundary(window[1]),
        credits=totals["credits"],
        characters=totals["characters"],
        corrected=totals["corrected"],
        lines=totals["lines"],
        audio_ms=totals["audio_ms"],
        runs=sum(used.runs),
    )
