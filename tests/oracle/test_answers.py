"""Worked examples of the oracle's answers: days, windows, billing periods and the three responses."""

from datetime import date

import pytest

from tests.hostile.single_lines import USER, WORKSPACE
from tests.oracle import Directory, Oracle, name_locale, read_instant, write_instant
from tests.oracle.days import day_start, find_billing_period, list_buckets, list_days
from tests.oracle.local_days import LOCAL_DAYS
from tests.support.plain_records import NOW_US, load_records, make_record

NOBODY = Directory()


@pytest.mark.parametrize(("zone", "day", "start", "hours"), LOCAL_DAYS)
def test_local_days(zone: str, day: date, start: str, hours: float) -> None:
    """A local day starts at the first instant of its date or a later one, and ends where the next day starts."""
    start_us = day_start(zone, day)
    assert write_instant(start_us) == start
    assert day_start(zone, date.fromordinal(day.toordinal() + 1)) - start_us == hours * 3_600_000_000


def test_windows() -> None:
    """Ranges include today, weeks start on Monday, and the months include the current one."""
    days = list_days("Asia/Kathmandu", "30d", NOW_US)
    assert (len(days), days[0].label, days[-1].label) == (30, "2026-10-17", "2026-11-15")
    assert (write_instant(days[0].start_us), write_instant(days[-1].end_us)) == (
        "2026-10-16T18:15:00Z",
        "2026-11-15T18:15:00Z",
    )
    assert [bucket.label for bucket in list_buckets("UTC", "daily", NOW_US)] == [
        "Mon",
        "Tue",
        "Wed",
        "Thu",
        "Fri",
        "Sat",
        "Sun",
    ]
    weeks = list_buckets("UTC", "weekly", NOW_US)  # 15 November 2026 is a Sunday
    assert [week.label for week in weeks] == [f"Week {number}" for number in range(1, 13)]
    assert (write_instant(weeks[0].start_us), write_instant(weeks[-1].end_us)) == (
        "2026-08-24T00:00:00Z",
        "2026-11-16T00:00:00Z",
    )
    months = list_buckets("Pacific/Kiritimati", "monthly", NOW_US)
    assert [month.label for month in months] == [
        "Dec",
        "Jan",
        "Feb",
        "Mar",
        "Apr",
        "May",
        "Jun",
        "Jul",
        "Aug",
        "Sep",
        "Oct",
        "Nov",
    ]
    assert (write_instant(months[0].start_us), write_instant(months[-1].end_us)) == (
        "2025-11-30T10:00:00Z",
        "2026-11-30T10:00:00Z",
    )


@pytest.mark.parametrize(
    ("anchor", "now", "start", "end"),
    [
        (None, "2026-11-15T12:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        (None, "2026-12-31T23:59:59.999999Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2026-01-31T10:00:00Z", "2026-03-30T00:00:00Z", "2026-02-28T10:00:00Z", "2026-03-31T10:00:00Z"),
        ("2026-01-31T10:00:00Z", "2026-03-31T10:00:00Z", "2026-03-31T10:00:00Z", "2026-04-30T10:00:00Z"),
        ("2026-01-31T10:00:00Z", "2026-03-31T09:59:59.999999Z", "2026-02-28T10:00:00Z", "2026-03-31T10:00:00Z"),
        ("2026-01-31T10:00:00Z", "2024-02-29T12:00:00Z", "2024-02-29T10:00:00Z", "2024-03-31T10:00:00Z"),
        ("2026-02-01T01:00:00+02:00", "2026-03-01T00:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T23:00:00Z"),
        (
            "2099-12-31T23:59:59.5Z",
            "2026-11-15T12:00:00Z",
            "2026-10-31T23:59:59.5Z",
            "2026-11-30T23:59:59.5Z",
        ),
    ],
)
def test_billing_periods(anchor: str | None, now: str, start: str, end: str) -> None:
    """Billing periods are months from the anchor in UTC. They keep its time of day and clamp its day."""
    anchor_us = None if anchor is None else read_instant(anchor)
    period = find_billing_period(anchor_us, read_instant(now) or 0)
    assert tuple(map(write_instant, period)) == (start, end)


def _small_log() -> Oracle:
    usage = {"credits": 10, "audio_ms": 500, "languages": [{"locale": "en-us", "characters": 1, "lines": 4}]}
    two = [{"locale": "KO", "characters": 2, "corrected": 3}, {"characters": 1, "lines": 4}]
    other = "7" + WORKSPACE[1:]
    return load_records(
        [
            make_record(id="a", timestamp="2026-11-15T00:00:00Z", usage=usage),
            make_record(
                id="b", timestamp="2026-11-14T23:59:59.999999Z", run={"id": "r", "status": "paused"}, usage=usage
            ),
            make_record(id="c", timestamp="2026-11-09T00:00:00Z", action="voice_generated", run=None)
            | {"usage": {"credits": 5, "audio_ms": 7, "languages": two}},
            make_record(id="d", timestamp="2026-11-15T00:00:00Z", user=None, usage=None),
            make_record(id="e", timestamp="2026-10-16T23:59:59.999999Z"),
            make_record(id="f", timestamp="2026-11-15T01:00:00Z", workspace_id=other, usage={"credits": 4}),
            make_record(id="g", timestamp="2026-11-15T01:00:00Z", workspace_id=other, user=None, usage={"credits": 50}),
            make_record(id="h", timestamp="2026-11-15T01:00:00Z", workspace_id="8" + other[1:], usage={"credits": 60}),
        ]
    )


def test_summary() -> None:
    """The summary of a small log equals the numbers worked out by hand."""
    member = {"workspace_id": WORKSPACE, "user_id": USER.upper(), "status": "active"}
    away = {"workspace_id": "7" + WORKSPACE[1:], "user_id": USER, "status": "removed"}
    accounts = [{"user_id": USER, "quota": 1}, {"user_id": USER, "quota": 87, "period_anchor": None}]
    data = _small_log().summary(WORKSPACE, USER, "UTC", "30d", "daily", NOW_US, Directory([member, away], accounts))
    daily = {day["date"]: day for day in data.pop("daily") if any(day[name] for name in ("credits", "lines", "runs"))}
    assert daily == {
        "2026-11-09": {"date": "2026-11-09", "credits": 5, "characters": 3, "lines": 4, "runs": 0},
        "2026-11-14": {"date": "2026-11-14", "credits": 10, "characters": 1, "lines": 4, "runs": 1},
        "2026-11-15": {"date": "2026-11-15", "credits": 10, "characters": 1, "lines": 4, "runs": 2},
    }
    activity = data.pop("activity")
    assert [bucket["credits"] for bucket in activity.pop("buckets")] == [5, 0, 0, 0, 0, 10, 10]
    assert activity == {
        "view": "daily",
        "bucket_unit": "day",
        "range_label": "Last 7 days",
        "total": 25,
        "avg": 3.6,  # 25 / 7 = 3.571…
        "peak": {"value": 10, "label": "Sat", "start": "2026-11-14T00:00:00Z", "end": "2026-11-15T00:00:00Z"},
    }
    assert data == {
        "range": "30d",
        "activity_view": "daily",
        "timezone": "UTC",
        "period": {"start": "2026-10-17T00:00:00Z", "end": "2026-11-16T00:00:00Z"},
        "credits": {"used": 29, "quota": 87, "percent": 33.33},
        "characters": {"total": 5},
        "corrected": {"total": 3},
        "lines": {"total": 12, "avg_chars_per_line": 0.4},  # 5 / 12 = 0.416…
        "audio": {"total_ms": 507},  # without the 500 of the paused run
        "runs": {"total": 3, "completed": 2, "failed": 0, "cancelled": 0, "running": 0, "pending": 0, "paused": 1},
    }


def test_by_language() -> None:
    """Credits are allocated per event, rows are sorted by credits, and shares are fractions of all credits."""
    data = _small_log().by_language(WORKSPACE, "UTC", "60d", "daily", NOW_US)
    assert data["period"] == {"start": "2026-11-09T00:00:00Z", "end": "2026-11-16T00:00:00Z"}
    assert (data["range"], data["activity_view"], data["total_credits"], data["untagged_credits"]) == (
        None,
        "daily",
        25,
        2,
    )
    plain = {"allocation_basis": "characters"}
    assert data["languages"] == [
        plain
        | {"locale_code": "en-us", "display_name": "English (United States)", "share": 0.8, "credits": 20}
        | {"characters": 2, "corrected": 0, "lines": 8},
        plain
        | {"locale_code": "ko", "display_name": "Korean", "share": 0.12, "credits": 3}
        | {"characters": 2, "corrected": 3, "lines": 0},
    ]


def test_shares_without_credits() -> None:
    """Without credits, shares are by characters, untagged included; without characters, they are 0.

    Rows in which every measure is 0 are left out.
    """
    languages = [{"locale": "de", "characters": 1}, {"locale": "fr", "lines": 1}, {"locale": "ja"}, {"characters": 2}]
    for used, expected in ((languages, [("de", 0.333333), ("fr", 0)]), (languages[1:3], [("fr", 0)])):
        data = load_records([make_record(usage={"languages": used})]).by_language(WORKSPACE, "UTC", None, None, NOW_US)
        assert [(row["locale_code"], row["share"]) for row in data["languages"]] == expected
        assert data["range"] == "30d"


@pytest.mark.parametrize(
    ("characters", "lines", "expected"), [(1, 4, 0.2), (3, 4, 0.8), (1, 20, 0.0), (3, 20, 0.2), (1, 0, None)]
)
def test_averages_round_half_even(characters: int, lines: int, expected: float | None) -> None:
    """Averages round half to even: 0.25 to 0.2, 0.75 to 0.8, 0.05 to 0.0, 0.15 to 0.2. Without lines there is none."""
    oracle = load_records([make_record(usage={"languages": [{"characters": characters, "lines": lines}]})])
    data = oracle.summary(WORKSPACE, USER, "UTC", "30d", "weekly", NOW_US, NOBODY)
    assert data["lines"] == {"total": lines, "avg_chars_per_line": expected}


@pytest.mark.parametrize(
    ("quota", "percent"),
    [(None, None), (0, None), (10, 100.0), (9, 100.0), (8000, 0.12), (24_000, 0.04), (80_000, 0.01), (200_000, 0.0)],
)
def test_percent_of_the_quota(quota: int | None, percent: float | None) -> None:
    """Percentages round half to even and stop at 100: 0.125 % (10 of 8000) is 0.12, 0.005 % (10 of 200,000) is 0."""
    member = {"workspace_id": WORKSPACE, "user_id": USER, "status": "active"}
    directory = Directory([member], [{"user_id": USER, "quota": quota, "period_anchor": None}])
    data = load_records([make_record()]).summary(WORKSPACE, USER, "UTC", "30d", "weekly", NOW_US, directory)
    assert data["credits"] == {"used": 10, "quota": quota, "percent": percent}


def test_empty_workspace() -> None:
    """Without events, the answers list every day and bucket with zeros."""
    oracle = load_records([])
    data = oracle.summary(WORKSPACE, USER, "Asia/Tokyo", "90d", "monthly", NOW_US, NOBODY)
    assert (len(data["daily"]), len(data["activity"]["buckets"]), data["activity"]["peak"]) == (90, 12, None)
    assert data["credits"] == {"used": 0, "quota": None, "percent": None}
    assert oracle.by_language(WORKSPACE, "UTC", "30d", None, NOW_US)["languages"] == []
    assert oracle.activity(WORKSPACE, "UTC", "30d", NOW_US) == []


def test_feed() -> None:
    """The feed is sorted newest first and by id in code points, and filtered by range, action and user."""
    same_instant = [make_record(id=identifier) for identifier in ("a", "b", "B", "\uffff", "\U00010000", "é", "ab")]
    oracle = load_records([*same_instant, make_record(id="z", timestamp="2026-11-15T10:59:59.999999Z", user=None)])
    feed = oracle.activity(WORKSPACE.upper(), "UTC", "30d", NOW_US)
    assert [item["id"] for item in feed] == ["\U00010000", "\uffff", "é", "b", "ab", "a", "B", "z"]
    assert feed[-1] == {
        "id": "z",
        "timestamp": "2026-11-15T10:59:59.999999Z",
        "action": "workflow_run",
        "kind": "workflow_execution",
        "resource": {"type": "workflow", "id": "wf_1", "name": "Intro"},
        "user": None,
        "metadata": {"key": "value"},
        "ip": "203.0.113.9",
    }
    small = _small_log()
    assert [item["id"] for item in small.activity(WORKSPACE, "UTC", "30d", NOW_US)] == ["d", "a", "b", "c"]
    assert [item["id"] for item in small.activity(WORKSPACE, "Asia/Tokyo", "30d", NOW_US)] == ["d", "a", "b", "c", "e"]
    assert [item["id"] for item in small.activity(WORKSPACE, "UTC", "30d", NOW_US, action="voice_generated")] == ["c"]
    assert [item["id"] for item in small.activity(WORKSPACE, "UTC", "30d", NOW_US, user_id=USER.upper())] == [
        "a",
        "b",
        "c",
    ]


@pytest.mark.parametrize(
    ("tag", "name"),
    [("en-us", "English (United States)"), ("fil", "Filipino"), ("es-419", "Spanish (Latin America)")]
    + [(tag, tag) for tag in ("qq", "qq-zz", "en-zzzzz", "abcdefgh")],
)
def test_locale_names(tag: str, name: str) -> None:
    """Names are English. A tag that the CLDR does not know is its own name."""
    assert name_locale(tag) == name
