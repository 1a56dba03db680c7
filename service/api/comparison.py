"""What a workspace used in the elapsed part of a range or month, and in the same part of the range or month before.

Pure: local days and what is published in, two windows out. Today counts up to the last quarter-hour that is complete
and loaded: late data must not look like less use.

    now 2026-11-24T12:10Z, data as of 12:04Z, UTC

    30d        current    [2026-10-26T00:00Z, 2026-11-24T12:00Z)
               previous   [2026-09-26T00:00Z, 2026-10-25T12:00Z)
    2026-11    current    [2026-11-01T00:00Z, 2026-11-24T12:00Z)
               previous   [2026-10-01T00:00Z, 2026-10-24T12:00Z)
    2026-10    current    [2026-10-01T00:00Z, 2026-11-01T00:00Z)
               previous   [2026-09-01T00:00Z, 2026-10-01T00:00Z)
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
    elapsed = _elapsed_today(zone, today, quarter, published)
    return _kept(
        (calendar.day_start(zone, first), calendar.day_start(zone, today) + elapsed),
        (calendar.day_start(zone, first - (today - day_before)), _until(zone, day_before, elapsed)),
        published,
    )


def month_windows(zone: str, month: date, today: date, quarter: int, published: Published) -> Compared:
    """Return the windows that are compared if a calendar month is asked for.

    A month that is over is compared as a whole with the whole month before. Of the present month and of the month
    before, the same days of the month count, the last of them as far as today has elapsed. If the month before has no
    such day, it counts whole.

    Args:
        zone: whose days count.
        month: its first day, which is not after today.
        today: in that zone.
        quarter: the start of the present UTC quarter-hour, in microseconds UTC.
        published: how late the data are, and since when they are kept.
    """
    before, after = calendar.add_months(month, -1), calendar.add_months(month, 1)
    start = previous_end = calendar.day_start(zone, month)
    if today >= after:
        end = calendar.day_start(zone, after)
    else:
        elapsed = _elapsed_today(zone, today, quarter, published)
        end = calendar.day_start(zone, today) + elapsed
        previous_end = min(_until(zone, before + (today - month), elapsed), start)
    return _kept((start, end), (calendar.day_start(zone, before), previous_end), published)


def _elapsed_today(zone: str, today: date, quarter: int, published: Published) -> int:
    """Return how much of today is complete and loaded, in microseconds."""
    loaded = quarter if published.data_as_of is None else min(quarter, _quarter(published.data_as_of))
    return max(loaded - calendar.day_start(zone, today), 0)


def _until(zone: str, day: date, elapsed: int) -> int:
    """Return the end of the same part of another day. A day with fewer hours than that counts whole."""
    return min(calendar.day_start(zone, day) + elapsed, calendar.day_start(zone, day + timedelta(days=1)))


def _kept(current: tuple[int, int], previous: tuple[int, int], published: Published) -> Compared:
    floor = published.first_kept_day
    return Compared(current, None if floor is not None and previous[0] < calendar.utc_day_start(floor) else previous)


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
