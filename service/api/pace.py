"""How fast the caller uses the credits of their billing period, and where that leads.

Pure arithmetic on exact integers. Time is counted in whole quarter-hours of UTC, so that an answer stays the same for
as long as one lasts.
"""

from typing import Final

import msgspec

from pipeline.contract.calendar import SECOND_US, rfc3339
from service.api.envelope import Count, Instant, Period, quotient, rounded

_DIGITS: Final = 6
_EARLY: Final = 10  # before a tenth of the period is over, a projection would be a guess


class Pace(msgspec.Struct, frozen=True):
    """The caller's credits at the pace of their billing period so far.

    `elapsed` is the share of the period that is over. `projected` is what this pace uses in the whole period, null
    before a tenth of it is over. `exhausted_at` is when this pace spends the quota, null if that is not before the end,
    if it is spent already, and if nothing is projected.
    """

    period: Period
    elapsed: float
    projected: Count | None
    exhausted_at: Instant | None


def pace(used: int, quota: int | None, period: tuple[int, int], quarter: int) -> Pace:
    """Return the pace of a billing period.

    Args:
        used: credits of the period.
        quota: of the period; None without one.
        period: `[start, end)` in microseconds UTC.
        quarter: the start of the present UTC quarter-hour, which may be before the period's start.
    """
    start, end = period
    elapsed, length = max(quarter - start, 0), end - start
    is_early = _EARLY * elapsed < length
    return Pace(
        period=Period.of(start, end),
        elapsed=quotient(elapsed, length, _DIGITS),
        projected=None if is_early else rounded(used * length, elapsed),
        exhausted_at=None if is_early or not quota else _exhausted_at(used, quota, start, elapsed, end),
    )


def _exhausted_at(used: int, quota: int, start: int, elapsed: int, end: int) -> str | None:
    if not 0 < used < quota:
        return None
    # `start + elapsed * quota / used`, rounded up to a second.
    instant = -(-(start * used + elapsed * quota) // (used * SECOND_US)) * SECOND_US
    return rfc3339(instant) if instant < end else None
