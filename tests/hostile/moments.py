"""Instants that calendars get wrong: local midnights that bound a window or bucket, and one microsecond beside them."""

import random
from datetime import date, timedelta

from tests.oracle.days import RANGE_LABELS, day_start, find_today, list_buckets, list_days, read_zone
from tests.oracle.instants import DAY_US, to_datetime

ZONES = (
    "UTC",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Apia",
    "Africa/Cairo",
    "America/Havana",
    "America/Santiago",
    "Asia/Beirut",
    "Antarctica/Troll",
)


def find_edges(zone: str, now_us: int) -> list[int]:
    """Return the bounds of windows and buckets, and the local midnights around the past year's clock changes."""
    today = find_today(zone, now_us)
    edges = {day_start(zone, day) for day in _list_days_of_change(zone, today)}
    for view in RANGE_LABELS:
        edges.update(edge for bucket in list_buckets(zone, view, now_us) for edge in (bucket.start_us, bucket.end_us))
    for range_ in ("30d", "60d", "90d"):
        days = list_days(zone, range_, now_us)
        edges.update((days[0].start_us, days[-1].start_us, days[-1].end_us))
    return sorted(edges)


def _list_days_of_change(zone: str, today: date) -> list[date]:
    tz = read_zone(zone)
    days = []
    for back in range(366):
        day = today - timedelta(days=back)
        noon = to_datetime(0).replace(year=day.year, month=day.month, day=day.day)
        if tz.utcoffset(noon) != tz.utcoffset(noon - timedelta(days=1)):
            days += [day + timedelta(days=near) for near in range(-1, 3)]
    return days


def list_moments(now_us: int, run_start_us: int) -> list[int]:
    """Return every edge of every zone and the microseconds beside it, as far as a log may contain them."""
    edges = {edge for zone in ZONES for edge in find_edges(zone, now_us)}
    moments = {edge + near for edge in edges for near in (-1, 0, 1)}
    moments |= {now_us, now_us - 1, run_start_us + DAY_US}
    return sorted(moment for moment in moments if moment <= run_start_us + DAY_US)


def draw_moment(rng: random.Random, now_us: int) -> int:
    """Draw an instant: mostly from the last 90 days, sometimes older, sometimes in the future."""
    back_days = rng.choices((7, 30, 90, 380, 1500), (4, 4, 4, 3, 1))[0]
    moment = now_us - rng.randrange(back_days * DAY_US) + rng.choice((0, 0, 0, 0, DAY_US // 3))
    return moment if rng.random() < 0.7 else moment // 900_000_000 * 900_000_000
