"""A user's billing period, and the credits that they used in it in one workspace.

Reads the actors table for whole UTC days, and the events of the days that the period's start and end split (at most
two).
"""

from contextlib import closing
from datetime import date
from functools import lru_cache
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.contract.calendar import DAY_US, add_months, utc_day, utc_day_start
from service.tables.snapshots import Workspace

_MONTHS_A_YEAR: Final = 12
_SUM_BYTES: Final = 300  # of a cached sum: the number and the texts of its key
_BEGINNING: Final = 0  # before the first instant that an event may have
_END: Final = utc_day_start(date.max)  # after the last one


def period(anchor: int | None, now: int, *, renews: bool = True) -> tuple[int, int]:
    """Return the billing period `[start, end)` that contains `now`.

    Without renewal there is one period, from the anchor on without an end, even if it has not begun. Without an anchor
    it is everything that is kept.

    With renewal, a period starts every month at the anchor's day and time of day. In shorter months the day is clamped,
    always from the anchor's own day: Jan 31 10:00, Feb 28 10:00, Mar 31 10:00. Without an anchor, periods are calendar
    months of UTC.

    Args:
        anchor: the start of any period, None without one; in microseconds UTC, like everything here.
        now: an instant.
        renews: whether a new period starts every month.
    """
    if not renews:
        return _BEGINNING if anchor is None else anchor, _END
    # Without an anchor the epoch will do: the first of a month at midnight.
    before, start, after = _starts(anchor or 0, utc_day(now))
    return (start, after) if start <= now else (before, start)


@lru_cache(maxsize=1 << 14)
def _starts(anchor: int, day: date) -> list[int]:
    """Return the starts of the three periods that begin in a day's calendar month and those before and after it."""
    first = utc_day(anchor)
    months = (day.year - first.year) * _MONTHS_A_YEAR + day.month - first.month
    days = [add_months(first, months + k) for k in (-1, 0, 1)]
    return [utc_day_start(start) + anchor % DAY_US for start in days]


def used(workspace: Workspace, user_id: str, start: int, end: int) -> int:
    """Return the credits of a user's events in `[start, end)` in one workspace."""
    key = (user_id, start, end, workspace.version(start, end))
    return workspace.cached(key, lambda: _used(workspace, user_id, start, end), lambda _: _SUM_BYTES)


def _used(workspace: Workspace, user_id: str, start: int, end: int) -> int:
    days = [row for actors in workspace.actors(start, end) for row in actors.credits_of(user_id)]
    first_whole, last_whole = -(-start // DAY_US), end // DAY_US
    total = sum(credits_used for day, credits_used in days if first_whole <= day < last_whole)
    split = {instant // DAY_US for instant in (start, end) if instant % DAY_US}
    for day in sorted(split & {day for day, credits_used in days if credits_used}):
        total += _used_in_part(workspace, day, user_id, start, end)
    return total


def _used_in_part(workspace: Workspace, day: int, user_id: str, start: int, end: int) -> int:
    """Return the credits of a user's events of one UTC day (counted from 1970-01-01) that lie in `[start, end)`."""
    try:
        with closing(workspace.events(utc_day(day * DAY_US))) as file:
            reader = pq.ParquetFile(file.open(), page_checksum_verification=True)
            events: Any = reader.read(["timestamp", "user_id", "credits"], use_threads=False)
    except FileNotFoundError:  # erased a moment ago
        return 0
    instants = events.column("timestamp").cast("int64")
    theirs = pc.and_(pc.greater_equal(instants, start), pc.less(instants, end))
    theirs = pc.and_(theirs, pc.equal(events.column("user_id"), user_id))
    return sum(events.column("credits").filter(theirs).to_pylist())
