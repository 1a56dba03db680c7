"""The calendar against brute force: every day from 2011 to 2037 of every IANA zone, and the windows made of days."""

import io
import itertools
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract import calendar
from pipeline.contract.zones import PINNED, UnknownZoneError
from tests.hostile import ZONES
from tests.oracle import read_instant, write_instant
from tests.oracle.days import find_today, list_buckets, list_days, read_zone
from tests.oracle.local_days import LOCAL_DAYS
from tests.support.zone_walk import DAY_S, FIRST, LAST, QUARTER_S, count_returns, read_zone_file, walk_day_starts

NAMES = sorted(calendar.zone_names())
ZONE_FILES = [  # each file with all of its names, because many names are links
    (content, [name for _, name in group])
    for content, group in itertools.groupby(sorted((read_zone_file(name), name) for name in NAMES), itemgetter(0))
]
SECOND_US = 1_000_000
NEWEST_US = 2_140_000_000 * SECOND_US  # in 2037
zones = st.sampled_from(ZONES) | st.sampled_from(NAMES)
instants = st.integers(1_330_000_000 * SECOND_US, NEWEST_US)  # every window from 2012 lies after 2011-01-01


@st.composite
def instants_near_midnight(draw: st.DrawFn) -> tuple[str, int]:
    """Draw a zone and an instant within two seconds of the start of one of its days."""
    zone = draw(zones)
    start_s = int(draw(st.sampled_from(walk_day_starts(read_zone_file(zone))[450:].tolist())))
    return zone, start_s * SECOND_US + draw(st.integers(-2, 2) | st.integers(-2 * SECOND_US, 2 * SECOND_US))


moments = instants_near_midnight() | st.tuples(zones, instants)


def test_zone_names() -> None:
    """This release has 598 names, among them the links that users may have in their settings."""
    assert len(NAMES) == 598
    assert {"UTC", "Europe/Kyiv", "Europe/Kiev", "America/Argentina/ComodRivadavia", "Etc/GMT+12"} <= set(NAMES)


def test_every_day_of_every_zone() -> None:
    """Days touch without overlap, start on quarter-hours of UTC, and start where brute force says.

    Where zones have the same days, all days of one are compared, and of the others those around each change.
    """
    count = (LAST - FIRST).days + 1
    zero_length_days = set()
    compared = set()
    for content, names in ZONE_FILES:
        expected = walk_day_starts(content)
        lengths = np.diff(expected)
        changes = [0, *np.flatnonzero(lengths != DAY_S).tolist(), count - 1]
        if expected.tobytes() not in compared:
            compared.add(expected.tobytes())
            found = np.array(calendar.day_starts(PINNED.zone(names[0]), FIRST, count + 1)) // SECOND_US
            wrong = np.flatnonzero(found != expected)
            assert not wrong.size, f"{names[0]}: {FIRST + timedelta(days=int(wrong[0]))} starts elsewhere"
            assert not np.any(expected % QUARTER_S), f"{names[0]}: a day starts off the quarter-hours"
            assert np.all(lengths >= 0), f"{names[0]}: days overlap"
        for name in names:  # the days around each change show that it reads the file, of which many names are links
            assert PINNED.content(name) == content
            for day in changes:
                starts = [int(start) * SECOND_US for start in expected[day : day + 2]]
                assert calendar.days(name, FIRST + timedelta(days=day), 1) == (*starts,), name
        zero_length_days |= {
            (name, FIRST + timedelta(days=int(day))) for name in names for day in np.flatnonzero(lengths == 0)
        }
    assert {day for _, day in zero_length_days} <= {date(2011, 12, 30)}
    assert {"Pacific/Apia", "Pacific/Fakaofo"} <= {name for name, _ in zero_length_days}


def test_every_local_day_is_one_interval() -> None:
    """Since 2011 no clock change goes back to a date that had ended."""
    assert [name for name in NAMES if count_returns(read_zone_file(name))] == []


@pytest.mark.parametrize(("zone", "day", "start", "hours"), LOCAL_DAYS)
def test_worked_examples(zone: str, day: date, start: str, hours: float) -> None:
    """Days that start at unusual times or are unusually long are right."""
    starts = calendar.days(zone, day, 1)
    assert calendar.rfc3339(starts[0]) == start
    assert starts[1] - starts[0] == hours * 3600 * SECOND_US


def test_days_off_the_grid_raise() -> None:
    """A day that starts between two quarter-hours, as in Liberia until 1972, is an error, not a rounded answer."""
    with pytest.raises(calendar.OffGridError):
        calendar.day_start("Africa/Monrovia", date(1971, 6, 1))
    assert calendar.day_start("Africa/Monrovia", date(1973, 6, 1)) == read_instant("1973-06-01T00:00:00Z")


def test_first_day() -> None:
    """Events count from 2011 on, because the zones had days off the grid before."""
    assert calendar.utc_day_start(calendar.FIRST_DAY) == read_instant("2011-01-01T00:00:00Z")


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Africa/Cairo", "Pacific/Apia"])
def test_days_of_any_release(zone: str) -> None:
    """The starts of days in a zone of another release are those that the same zone has in the pinned one."""
    first, count = date(2011, 12, 1), 400
    starts = calendar.day_starts(read_zone(zone), first, count)
    assert starts == list(calendar.days(zone, first, count)[:-1])
    assert [start // SECOND_US for start in starts] == walk_day_starts(read_zone_file(zone))[
        (first - FIRST).days : (first - FIRST).days + count
    ].tolist()


@pytest.mark.parametrize(("shift", "jump"), [("1", "23:30"), ("0:35", "23:45")])
def test_midnight_within_a_gap(shift: str, jump: str) -> None:
    """If a clock jumps over midnight, the day starts with the jump, which may come before 00:00 would have been."""
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    types = struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
    rules = f"\n<+00>0<+01>-{shift},M3.5.0/{jump},M10.5.0/3\n".encode()
    zone = ZoneInfo.from_file(io.BytesIO(header + types + header + types + rules), key="Jump")
    starts = calendar.day_starts(zone, date(2026, 3, 29), 2)
    assert [calendar.rfc3339(start) for start in starts] == ["2026-03-29T00:00:00Z", f"2026-03-29T{jump}:00Z"]


@given(moments)
def test_today_contains_now(moment: tuple[str, int]) -> None:
    """Today's window contains now, to the microsecond."""
    zone, now_us = moment
    today = calendar.today(zone, now_us)
    start_us, end_us = calendar.days(zone, today, 1)
    assert start_us <= now_us < end_us
    assert today == find_today(zone, now_us)


@pytest.mark.parametrize(
    ("now", "today"),
    [
        ("2010-11-07T02:29:59.999999Z", date(2010, 11, 6)),
        ("2010-11-07T02:30:00Z", date(2010, 11, 7)),  # 00:00; a minute later the clock goes back to 23:01
        ("2010-11-07T02:45:00Z", date(2010, 11, 7)),  # it shows 23:15 of the day before
        ("2010-11-07T03:29:59Z", date(2010, 11, 7)),
        ("2010-11-07T03:30:00Z", date(2010, 11, 7)),  # 00:00 again
        ("2010-11-08T03:29:59Z", date(2010, 11, 7)),
        ("2010-11-08T03:30:00Z", date(2010, 11, 8)),
    ],
)
def test_clock_that_goes_back_over_midnight(now: str, today: date) -> None:
    """A day that has begun stays today, although the clock shows the day before for an hour."""
    assert calendar.today("America/St_Johns", calendar.microseconds(datetime.fromisoformat(now))) == today


@given(moments, st.sampled_from(calendar.RANGES))
def test_ranges(moment: tuple[str, int], range_: calendar.Range) -> None:
    """A range consists of its days, oldest first, and ends with today."""
    zone, now_us = moment
    today = calendar.today(zone, now_us)
    edges = calendar.range_days(zone, range_, today)
    days = list_days(zone, range_, now_us)
    assert edges == (*(day.start_us for day in days), days[-1].end_us)
    assert edges[-2] <= now_us < edges[-1]
    assert len(edges) == int(range_.removesuffix("d")) + 1
    assert calendar.range_first_day(range_, today) == date.fromisoformat(days[0].label)


@given(moments, st.sampled_from(calendar.VIEWS))
def test_buckets(moment: tuple[str, int], view: calendar.View) -> None:
    """Buckets touch, the last one contains now, and each is where brute force says."""
    zone, now_us = moment
    buckets = calendar.view_buckets(zone, view, calendar.today(zone, now_us))
    assert len(buckets) == {"daily": 7, "weekly": 12, "monthly": 12}[view]
    assert all(older.end == newer.start for older, newer in itertools.pairwise(buckets))
    assert buckets[-1].start <= now_us < buckets[-1].end
    assert [tuple(bucket) for bucket in buckets] == [
        (bucket.label, bucket.start_us, bucket.end_us) for bucket in list_buckets(zone, view, now_us)
    ]
    first_days = {datetime.fromtimestamp(bucket.start // SECOND_US, read_zone(zone)).date() for bucket in buckets}
    assert view != "weekly" or {day.weekday() for day in first_days} == {0}
    assert view != "monthly" or {day.day for day in first_days} == {1}


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 1, 31), 2, date(2026, 3, 31)),
        (date(2026, 1, 31), -2, date(2025, 11, 30)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
        (date(2026, 1, 1), -13, date(2024, 12, 1)),
        (date(2026, 7, 4), 0, date(2026, 7, 4)),
    ],
)
def test_adding_months_clamps_the_day(day: date, months: int, expected: date) -> None:
    """Adding months keeps the day of the month, or takes the last day of a shorter month."""
    assert calendar.add_months(day, months) == expected


@given(st.integers(-62_000_000_000 * SECOND_US, 253_402_300_799_999_999))
def test_utc_days_and_rfc_3339(instant_us: int) -> None:
    """UTC days contain their instants, also before 1970; instants are written without needless digits and read back."""
    day_start_us = calendar.utc_day_start(calendar.utc_day(instant_us))
    assert day_start_us <= instant_us < day_start_us + calendar.DAY_US
    assert calendar.rfc3339(instant_us) == write_instant(instant_us)
    assert read_instant(calendar.rfc3339(instant_us)) == instant_us
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant_us)
    assert calendar.microseconds(moment) == instant_us


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "utc",
        "Utc ",
        "UTC ",
        "Europe/berlin",
        "europe/Berlin",
        "Europe",
        "Europe/",
        "/Europe/Berlin",
        "Europe//Berlin",
        "Europe/../Europe/Berlin",
        "./UTC",
        "../etc/passwd",
        "../../etc/passwd",
        "/etc/localtime",
        "C:\\UTC",
        "UTC\0",
        "localtime",
        "posixrules",
        "posix/UTC",
        "right/UTC",
        "zone.tab",
        "tzdata.zi",
        "__init__.py",
        "+05:45",
        "UTC+1",
        "Mars/Olympus",
        "US/Pacific-New",
        "Europe/Bеrlin",
    ],
)
def test_unknown_names_raise(name: str) -> None:
    """A name that the package does not list is unknown, whatever path it would lead to."""
    calls: list[Callable[[], object]] = [
        lambda: calendar.day_start(name, FIRST),
        lambda: calendar.today(name, NEWEST_US),
        lambda: calendar.days(name, FIRST, 3),
        lambda: calendar.range_days(name, "30d", FIRST),
        *(lambda view=view: calendar.view_buckets(name, view, FIRST) for view in calendar.VIEWS),
    ]
    for call in calls:
        with pytest.raises(UnknownZoneError):
            call()


ASK_FOR_DAYS = """
import json, sys
from datetime import date, datetime, timezone
from zoneinfo import ZoneInfo
from pipeline.contract import calendar
try:
    system = datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Paris")).utcoffset().total_seconds() / 3600
except LookupError:
    system = None
days = {name: calendar.days(name, date(2026, 1, 1), 365) for name in sorted(calendar.zone_names())[::9]}
json.dump([system, calendar.zone_data_version(), days], sys.stdout)
"""


def test_the_operating_system_has_no_say(tmp_path: Path) -> None:
    """Poisoned zone files on the search path, or none at all, change no day's start."""
    poison = read_zone_file("Asia/Tokyo")
    for name in NAMES:
        path = tmp_path.joinpath(*name.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(poison)
    answers = {}
    for label, search_path in (("poisoned", str(tmp_path)), ("none", "")):
        environment = {**os.environ, "PYTHONTZPATH": search_path, "TZ": "Asia/Tokyo", "TZDIR": search_path}
        command = [sys.executable, "-c", ASK_FOR_DAYS]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
        answers[label] = json.loads(result.stdout)
    assert answers["poisoned"][0] == 9, "the poisoned files are not used, so this test would prove nothing"
    assert answers["none"][0] == 2
    expected = {name: [*calendar.days(name, date(2026, 1, 1), 365)] for name in NAMES[::9]}
    for _, version, days in answers.values():
        assert version == calendar.zone_data_version()
        assert days == expected
