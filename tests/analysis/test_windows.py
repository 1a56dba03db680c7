"""`usage_between` and `local_start`: where the steps of a window begin and end, in any zone, and what is refused."""

import random
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import duckdb
import pytest

from pipeline.analysis import database
from pipeline.analysis.offsets import offsets
from pipeline.analysis.session import Session
from pipeline.analysis.source import QueryError
from pipeline.contract.calendar import DAY_US, QUARTER_US, rfc3339, zone_names
from pipeline.contract.formats import instant
from tests.oracle.days import read_zone
from tests.oracle.steps import WEEKDAYS, list_steps
from tests.support.asking import open_folder, rows
from tests.support.data_folder import WORKSPACE, DataFolder

STEPS = ("15 minutes", "hour", "day", "week", "month")
# Zones and instants near which the clock changes, or a date is skipped.
CHANGES = (
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),
    ("Asia/Beirut", "2026-10-24T21:00:00Z"),
    ("America/Havana", "2025-11-02T05:00:00Z"),
    ("America/Santiago", "2026-04-05T03:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Antarctica/Troll", "2026-10-25T01:00:00Z"),
    ("Asia/Kathmandu", "2026-01-31T18:15:00Z"),
    ("America/St_Johns", "2026-11-01T04:30:00Z"),
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Return a session over an empty folder."""
    folder = DataFolder(tmp_path_factory.mktemp("empty") / "data")
    (folder.root / "raw").mkdir(parents=True)
    with open_folder(folder.root, folder.now) as session:
        yield session


def between(session: Session, zone: str, start: int, end: int, step: str, **named: Any) -> list[tuple[str, str, str]]:
    """Return day, start and end of each step, as text."""
    options = "".join(f", {name} := {value!r}" for name, value in named.items())
    window = f"'{rfc3339(start)}', '{rfc3339(end)}'"
    asked = f"select day, starts, ends from usage_between('{WORKSPACE}', '{zone}', {window}, '{step}'{options})"
    return [(day, starts, ends) for day, starts, ends in rows(session, asked)]


def expected(zone: str, start: int, end: int, step: str, **named: Any) -> list[tuple[str, str, str]]:
    """Return the same by brute force."""
    steps = list_steps(zone, start, end, step, **named)
    return [(day.isoformat(), rfc3339(starts), rfc3339(ends)) for day, starts, ends in steps]


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_around_clock_changes(session: Session, zone: str, change: str) -> None:
    """Around a change of the clock, steps of all kinds are those that brute force finds, and fill the window."""
    draw = random.Random(zone + change)
    for number, step in enumerate(STEPS):
        days = 2 if step in ("15 minutes", "hour") else 45
        start = instant(change) - draw.randrange(days * 96) * QUARTER_US
        end = start + days * DAY_US
        hour = draw.randrange(24) if number % 2 == CHANGES.index((zone, change)) % 2 else 0
        options = {"week_begins": draw.choice(WEEKDAYS), "day_begins": hour}
        found = between(session, zone, start, end, step, **options)
        assert found == expected(zone, start, end, step, **options), (step, options)
        assert (found[0][1], found[-1][2]) == (rfc3339(start), rfc3339(end))
        assert all(one[2] == other[1] for one, other in pairwise(found))


def test_hours_are_elapsed_time(session: Session) -> None:
    """Hours count from the start of the local day: a day has as many as it is long, the last one may be shorter."""
    for zone, day, count, last in (
        ("Europe/Berlin", "2026-10-25", 25, 60),
        ("Europe/Berlin", "2026-03-29", 23, 60),
        ("Australia/Lord_Howe", "2026-04-05", 25, 30),
        ("Asia/Kathmandu", "2026-11-24", 24, 60),
    ):
        edges = f"local_start('{zone}', '{day}'), local_start('{zone}', date '{day}' + 1)"
        hours = f"from usage_between('{WORKSPACE}', '{zone}', {edges}, 'hour')"
        measured = "count(*), min(day)::varchar, max(day)::varchar, max_by(date_diff('minute', starts, ends), starts)"
        assert rows(session, f"select {measured} {hours}") == [(count, day, day, last)]


def test_a_skipped_date(session: Session) -> None:
    """A skipped date is a step without length; if days begin at an hour, it has that many hours."""
    start, end = instant("2011-12-29T10:00:00Z"), instant("2011-12-31T10:00:00Z")
    assert between(session, "Pacific/Apia", start, end, "day") == [
        ("2011-12-29", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
        ("2011-12-30", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"),
        ("2011-12-31", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
    ]
    assert between(session, "Pacific/Apia", start, end, "day", day_begins=6) == [
        ("2011-12-28", "2011-12-29T10:00:00Z", "2011-12-29T16:00:00Z"),
        ("2011-12-29", "2011-12-29T16:00:00Z", "2011-12-30T10:00:00Z"),
        ("2011-12-30", "2011-12-30T10:00:00Z", "2011-12-30T16:00:00Z"),
        ("2011-12-31", "2011-12-30T16:00:00Z", "2011-12-31T10:00:00Z"),
    ]


def test_a_window_without_length(session: Session) -> None:
    """A window that ends where it begins has no steps, not even one of a skipped date."""
    for zone, moment in (("UTC", "2026-11-24T00:00:00Z"), ("Pacific/Apia", "2011-12-30T10:00:00Z")):
        for step in STEPS:
            assert between(session, zone, instant(moment), instant(moment), step) == []


def test_instants_with_an_offset(folder: DataFolder) -> None:
    """An instant may be a timestamp with time zone, whatever the zone of the client is, or a text with an offset."""
    (folder.root / "raw").mkdir(exist_ok=True)
    database.refresh(folder.root)
    with duckdb.connect(folder.root / database.DATABASE, read_only=True) as client:
        client.execute("set timezone = 'America/New_York'")
        for start in ("timestamptz '2026-10-24 22:00:00+00'", "'2026-10-25 00:00:00+02:00'", "'2026-10-24T22:00:00Z'"):
            window = f"{start}, timestamp '2026-10-24 23:00:00'"
            asked = f"select starts::varchar, ends::varchar from usage_between('{WORKSPACE}', 'UTC', {window}, 'hour')"
            assert client.execute(asked).fetchall() == [("2026-10-24 22:00:00", "2026-10-24 23:00:00")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'Mars/Base', '2026-11-01', '2026-11-02', 'day'", "unknown time zone: Mars/Base"),
        ("null, '2026-11-01', '2026-11-02', 'day'", "unknown time zone: null"),
        (
            "'UTC', '2026-11-01 00:01:00', '2026-11-02', 'day'",
            "from_instant must be a quarter-hour of UTC, not 2026-11-01",
        ),
        (
            "'UTC', '2026-11-01', timestamp '2026-11-02 00:15:00.000001', 'day'",
            "to_instant must be a quarter-hour of UTC",
        ),
        ("'UTC', null, '2026-11-02', 'day'", "from_instant must be a quarter-hour of UTC, not null"),
        ("'UTC', '2026-11-01', null, 'day'", "to_instant must be a quarter-hour of UTC, not null"),
        ("'UTC', '2026-11-02', '2026-11-01', 'day'", "to_instant must not be before from_instant"),
        ("'UTC', '2009-12-31', '2026-11-01', 'month'", "must be of the years 2010 to 2037"),
        ("'UTC', '2026-11-01', '2038-01-02', 'month'", "must be of the years 2010 to 2037"),
        (
            "'UTC', '2026-11-01', '2026-11-02', 'minute'",
            "step must be 15 minutes, hour, day, week or month, not minute",
        ),
        ("'UTC', '2026-11-01', '2026-11-02', null", "step must be 15 minutes, hour, day, week or month, not null"),
        ("'UTC', '2026-11-01', '2026-11-02', 'week', week_begins := 'Mon'", "week_begins must be monday, tuesday, "),
        ("'UTC', '2026-11-01', '2026-11-02', 'week', week_begins := null", "or sunday, not null"),
        ("'UTC', '2026-11-01', '2026-11-02', 'day', day_begins := 24", "day_begins must be 0 to 23"),
        ("'UTC', '2026-11-01', '2026-11-02', 'day', day_begins := null", "day_begins must be 0 to 23"),
        # Where the clock jumped from 00:01 to 01:01, the hour after midnight is over at 00:01.
        (
            "'America/St_Johns', '2011-03-13', '2011-03-14', 'day', day_begins := 1",
            "2011-03-13 in America/St_Johns begins at 2011-03-13 03:31:00, within a quarter-hour of UTC",
        ),
    ],
)
def test_refused_windows(session: Session, arguments: str, message: str) -> None:
    """A window that cannot be answered exactly, or an argument that is none, is an error that says what is accepted."""
    with pytest.raises(QueryError) as refused:
        rows(session, f"from usage_between('{WORKSPACE}', {arguments})")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'Mars/Base', '2026-11-01'", "unknown time zone: Mars/Base"),
        ("null, '2026-11-01'", "unknown time zone: null"),
        ("'UTC', '2026-11-01', hour := 24", "hour must be 0 to 23"),
        ("'UTC', null", "day must be of the years 2010 to 2037"),
        ("'UTC', date '2038-01-01'", "day must be of the years 2010 to 2037"),
    ],
)
def test_refused_starts(session: Session, arguments: str, message: str) -> None:
    """The start of a day that is not known is an error."""
    with pytest.raises(QueryError) as refused:
        rows(session, f"select local_start({arguments})")
    assert message in str(refused.value)


def test_starts_of_days(session: Session) -> None:
    """`local_start` of hour 0 is the start in `calendar`; of another hour the first instant at it or after it."""
    zones = ("UTC", "Pacific/Apia", "Africa/Cairo", "America/Havana", "Asia/Kathmandu")
    for zone in zones:
        differs = f"time_zone = '{zone}' and starts is distinct from local_start('{zone}', day)"
        assert rows(session, f"select count(*) from calendar where {differs}") == [(0,)]
    for zone, day, hour, start in (
        ("Europe/Berlin", "2026-03-29", 2, "2026-03-29T01:00:00Z"),  # 02:00 does not exist
        ("Europe/Berlin", "2026-03-29", 3, "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-10-25", 2, "2026-10-25T00:00:00Z"),  # 02:00 comes twice
        ("Europe/Berlin", "2026-10-25", 3, "2026-10-25T02:00:00Z"),
        ("Pacific/Apia", "2011-12-30", 23, "2011-12-30T10:00:00Z"),  # the whole day does not exist
    ):
        assert rows(session, f"select local_start('{zone}', '{day}', hour := {hour})") == [(start,)]


def test_offsets_of_every_zone() -> None:
    """Every zone has its offsets without a gap, each as Python finds it on both sides of every change."""
    names = set()
    for one, other in pairwise([*offsets(), None]):
        assert one is not None
        names.add(one.time_zone)
        zone = read_zone(one.time_zone)
        if other is not None and other.time_zone == one.time_zone:
            assert (one.until, one.ahead_us != other.ahead_us) == (other.since, True)
        for moment in (one.since, one.since + (one.until - one.since) / 2, one.until - datetime.resolution):
            local = moment.replace(tzinfo=read_zone("UTC")).astimezone(zone).replace(tzinfo=None)
            assert (local - moment).total_seconds() * 1_000_000 == one.ahead_us
    assert names == zone_names()
