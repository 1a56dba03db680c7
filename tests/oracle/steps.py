"""The steps of a window by brute force: the local time at every quarter-hour says where days begin."""

from datetime import date, datetime, timedelta
from itertools import pairwise

from tests.oracle.days import QUARTER, read_zone
from tests.oracle.instants import from_datetime, to_datetime

PARTS = {"15 minutes": QUARTER, "hour": timedelta(hours=1)}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_AROUND = timedelta(days=40)


def list_steps(
    zone: str, start_us: int, end_us: int, step: str, week_begins: str = "monday", day_begins: int = 0
) -> list[tuple[date, int, int]]:
    """Return each step's first local day, start and end, cut at the window.

    A step without length, of a day that the zone skipped, is in the window if its start is.
    """
    window_start, window_end = to_datetime(start_us), to_datetime(end_us)
    begins = _find_begins(zone, window_start - _AROUND, window_end + _AROUND, timedelta(hours=day_begins))
    firsts = [
        day
        for day in begins
        if (step != "month" or day.day == 1) and (step != "week" or WEEKDAYS[day.weekday()] == week_begins)
    ]
    steps: list[tuple[date, int, int]] = []
    for day, following in pairwise(firsts):
        start, end = begins[day], begins[following]
        if start == end and window_start <= start < window_end and step not in PARTS:
            steps.append((day, from_datetime(start), from_datetime(start)))
        while start < end:
            until = min(start + PARTS.get(step, end - start), end)
            if until > window_start and start < window_end:
                edges = max(start, window_start), min(until, window_end)
                steps.append((day, from_datetime(edges[0]), from_datetime(edges[1])))
            start = until
    return steps


def _find_begins(zone: str, first: datetime, last: datetime, late: timedelta) -> dict[date, datetime]:
    """Return the first quarter-hour of UTC at which the local time is `late` on a day or later, for each day."""
    tz, begins, moment = read_zone(zone), dict[date, datetime](), first
    day = (moment.astimezone(tz).replace(tzinfo=None) - late).date()
    while moment < last:
        while (moment.astimezone(tz).replace(tzinfo=None) - late).date() > day:
            day += timedelta(days=1)
            begins[day] = moment
        moment += QUARTER
    return begins
