"""`/usage/summary`: totals, days, buckets, rounding and the caller's credits, on tables made by hand."""

import random
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from pipeline.contract.calendar import QUARTER_US, day_start, range_days, today, utc_day, view_buckets
from pipeline.contract.formats import instant

Maker = Callable[..., dict[str, Any]]

ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Kiritimati", "America/Santiago")


def test_shape(folder: Any) -> None:
    """A workspace without events is all zeros, with every documented key, and every day and bucket, oldest first."""
    folder.publish()
    data = folder.data("summary")
    assert list(data) == [
        *("range", "activity_view", "timezone", "period", "credits", "characters", "corrected", "lines"),
        *("audio", "runs", "activity", "daily"),
    ]
    assert data["period"] == {"start": "2026-10-26T00:00:00Z", "end": "2026-11-25T00:00:00Z"}
    assert data["credits"] == {"used": 0, "quota": None, "percent": None}
    assert data["lines"] == {"total": 0, "avg_chars_per_line": None}
    assert data["audio"] == {"total_ms": 0}
    statuses = ("completed", "failed", "cancelled", "running", "pending", "paused")
    assert data["runs"] == dict.fromkeys(("total", *statuses), 0)
    activity = data["activity"]
    assert (activity["total"], activity["avg"], activity["peak"]) == (0, 0.0, None)
    assert (activity["view"], activity["bucket_unit"], activity["range_label"]) == ("daily", "day", "Last 7 days")
    assert [row["date"] for row in data["daily"]][::29] == ["2026-10-26", "2026-11-24"]
    assert data["daily"][0] == {"date": "2026-10-26", "credits": 0, "characters": 0, "lines": 0, "runs": 0}


@pytest.mark.parametrize(
    ("view", "unit", "label", "labels"),
    [
        ("daily", "day", "Last 7 days", ["Wed", "Thu", "Fri", "Sat", "Sun", "Mon", "Tue"]),
        ("weekly", "week", "Last 12 weeks", [f"Week {k}" for k in range(1, 13)]),
        (
            "monthly",
            "month",
            "Last 12 months",
            ["Dec", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov"],
        ),
    ],
)
def test_views(folder: Any, view: str, unit: str, label: str, labels: list[str]) -> None:
    """Each view has its own buckets, unit and labels; the buckets touch."""
    folder.publish()
    activity = folder.data("summary", f"activity_view={view}")["activity"]
    assert (activity["view"], activity["bucket_unit"], activity["range_label"]) == (view, unit, label)
    buckets = activity["buckets"]
    assert [bucket["label"] for bucket in buckets] == labels
    assert all(a["end"] == b["start"] for a, b in pairwise(buckets))


def test_microsecond_neighbours_of_local_midnight(folder: Any, event: Maker) -> None:
    """An event one microsecond before local midnight is yesterday's; one at midnight is today's."""
    midnight = day_start("Asia/Kathmandu", today("Asia/Kathmandu", folder.now))
    folder.publish([event(midnight - 1, credits=1), event(midnight, credits=10)])
    days = folder.data("summary", "timezone=Asia/Kathmandu")["daily"]
    assert [day["credits"] for day in days[-2:]] == [1, 10]


def test_ends_of_the_range(folder: Any, event: Maker) -> None:
    """A range counts exactly `[start of its first day, start of tomorrow)`, including later events of today."""
    start, end = instant("2026-10-26T00:00:00Z"), instant("2026-11-25T00:00:00Z")
    folder.publish([event(moment, credits=1) for moment in (start - 1, start, end - 1, end)])
    assert sum(day["credits"] for day in folder.data("summary")["daily"]) == 2


def test_runs_and_audio(folder: Any, event: Maker) -> None:
    """Runs are counted by status; the audio of open runs is 0; other events are not runs."""
    when = "2026-11-24T01:00:00Z"
    statuses = ("pending", "running", "paused", "completed", "completed", "failed", "cancelled")
    events = [
        event(when, id=str(k), action="workflow_run", run_id="r", run_status=status, audio_ms=10**k)
        for k, status in enumerate(statuses)
    ]
    events.append(event(when, audio_ms=5 * 10**9))
    events.append(event(when, id="part", run_id="r", run_status="running", audio_ms=10**10))
    folder.publish(events)
    data = folder.data("summary")
    assert data["runs"] == {
        **dict.fromkeys(("failed", "cancelled", "running", "pending", "paused"), 1),
        "total": 7,
        "completed": 2,
    }
    assert data["audio"] == {"total_ms": 5_001_111_000}
    assert data["daily"][-1]["runs"] == data["activity"]["buckets"][-1]["runs"] == 7


def test_peak(folder: Any, event: Maker) -> None:
    """The peak is the bucket with the most credits, on a tie the earliest."""
    folder.publish([event(f"2026-11-{day}T05:00:00Z", credits=used) for day, used in ((19, 3), (21, 8), (23, 8))])
    activity = folder.data("summary")["activity"]
    assert activity["peak"] == {
        "value": 8,
        "label": "Sat",
        "start": "2026-11-21T00:00:00Z",
        "end": "2026-11-22T00:00:00Z",
    }
    assert (activity["total"], activity["avg"]) == (19, 2.7)


@pytest.mark.parametrize(("characters", "lines", "average"), [(5, 20, 0.2), (7, 20, 0.4), (3, 20, 0.2), (9, 20, 0.4)])
def test_average_is_rounded_half_to_even(
    folder: Any, event: Maker, characters: int, lines: int, average: float
) -> None:
    """Averages round half to even on the exact quotient, not its nearest float: 0.25 → 0.2, 0.35 → 0.4, 0.15 → 0.2."""
    row = {"locale": "de", "characters": characters, "lines": lines, "corrected": 4}
    folder.publish([event("2026-11-24T01:00:00Z", languages=[row])])
    data = folder.data("summary")
    assert data["lines"] == {"total": lines, "avg_chars_per_line": average}
    assert data["corrected"] == {"total": 4}


def test_sums_near_the_end_of_64_bits(folder: Any, event: Maker) -> None:
    """A day whose sum fits into 64 bits is exact although the running totals before it wrap around."""
    huge = 2**62
    events = [event(f"2026-11-{day:02}T05:00:00Z", credits=huge + day) for day in (3, 5, 7, 9, 24)]
    folder.publish(events)
    data = folder.data("summary")
    assert [day["credits"] for day in data["daily"] if day["credits"]] == [huge + day for day in (3, 5, 7, 9, 24)]
    assert data["activity"]["total"] == huge + 24


@pytest.mark.parametrize("zone", ZONES)
def test_any_window_equals_the_sum_of_its_events(folder: Any, event: Maker, zone: str) -> None:
    """Every day and bucket of every range and view equals the sum of its events."""
    draw = random.Random(zone)
    first = folder.now - 400 * 96 * QUARTER_US
    events = _random_events(event, draw, first, folder.now)
    folder.publish(events)
    app = folder.app()
    for range_ in ("30d", "60d", "90d"):
        for view in ("daily", "weekly", "monthly"):
            data = folder.data("summary", f"range={range_}&activity_view={view}&timezone={zone}", app)
            local_today = today(zone, folder.now)
            boundaries = range_days(zone, range_, local_today)
            for day, start, end in zip(data["daily"], boundaries[:-1], boundaries[1:], strict=True):
                assert _used(day) == _sums(events, start, end)
            buckets = view_buckets(zone, view, local_today)
            for row, bucket in zip(data["activity"]["buckets"], buckets, strict=True):
                assert _used(row) == _sums(events, bucket.start, bucket.end)
            assert data["daily"][-1]["date"] == local_today.isoformat()
            inside = [row for row in events if boundaries[0] <= row["timestamp"] < boundaries[-1]]
            assert data["audio"]["total_ms"] == sum(row["audio_ms"] for row in inside)


def _random_events(event: Maker, draw: random.Random, first: int, now: int) -> list[dict[str, Any]]:
    return [
        event(
            draw.randint(first, now + 96 * QUARTER_US),
            id=str(k),
            credits=draw.randint(0, 50),
            action="workflow_run" if k % 3 else "voice_generated",
            run_id="r",
            run_status="completed",
            audio_ms=k,
            languages=[{"locale": draw.choice(["de", "en-us", None]), "characters": k, "lines": k % 5}],
        )
        for k in range(600)
    ]


def _used(row: dict[str, Any]) -> tuple[int, ...]:
    return row["credits"], row["characters"], row["lines"], row["runs"]


def _sums(events: list[dict[str, Any]], start: int, end: int) -> tuple[int, ...]:
    inside = [row for row in events if start <= row["timestamp"] < end]
    languages = [language for row in inside for language in row["languages"]]
    return (
        sum(row["credits"] for row in inside),
        sum(language["characters"] for language in languages),
        sum(language["lines"] for language in languages),
        sum(row["action"] == "workflow_run" for row in inside),
    )


def test_own_credits(folder: Any, event: Maker) -> None:
    """credits.used counts the caller's events in all workspaces that list them, active or removed, and no others."""
    folder.member(folder.other_workspace, folder.user, status="removed")
    folder.account(folder.user, quota=3000)
    unlisted = "f0000000-0000-4000-8000-00000000000f"
    when = "2026-11-05T05:00:00Z"
    folder.publish(
        [
            event(when, credits=1),
            event(when, id="o", credits=20, workspace_id=folder.other_workspace),
            event(when, id="u", credits=300, workspace_id=unlisted),
            event(when, id="x", credits=4000, user_id=folder.other_user),
            event(when, id="s", credits=50000, user_id=None),
            event("2026-10-31T23:59:59.999999Z", credits=600000),
        ]
    )
    assert folder.data("summary")["credits"] == {"used": 21, "quota": 3000, "percent": 0.7}


@pytest.mark.parametrize(
    ("quota", "percent"), [(None, None), (0, None), (1, 100.0), (21, 100.0), (63, 33.33), (100_000, 0.02), (3200, 0.66)]
)
def test_percent(folder: Any, event: Maker, quota: int | None, percent: float | None) -> None:
    """The percentage is 100 * used / quota to 2 decimals, at most 100, and null if the quota is null or 0."""
    folder.account(folder.user, quota=quota)
    folder.publish([event("2026-11-05T05:00:00Z", credits=21)])
    assert folder.data("summary")["credits"] == {"used": 21, "quota": quota, "percent": percent}


@pytest.mark.parametrize(
    ("account", "used"),
    [
        ({"period_anchor": None}, 111_111),
        ({"period_anchor": "2025-06-15T12:00:00Z"}, 1_111),
        ({"period_anchor": "2025-06-15T14:00:00.000001+02:00"}, 111),
        ({"period_anchor": "2026-11-24T12:00:00Z"}, 1),
        ({"period_anchor": "2027-01-01T00:00:00Z"}, 0),
        ({"period_anchor": "9999-12-31T23:59:59Z"}, 0),
        ({"period_anchor": "0001-01-01T00:00:00Z"}, 111_111),
        ({"period_anchor": None, "credits_renewal": "monthly"}, 11),
    ],
)
def test_credits_that_are_not_renewed(folder: Any, event: Maker, account: dict[str, Any], used: int) -> None:
    """With `one_time` the period is from the anchor on without an end, without an anchor all that is kept."""
    folder.account(folder.user, quota=200_000, **({"credits_renewal": "one_time"} | account))
    moments = ("2011-01-01", "2025-06-14", "2025-06-15", "2026-10-31", "2026-11-01", "2026-11-24")
    folder.publish(
        [
            event(f"{day}T12:00:00Z", id=day, credits=10 ** (5 - number), workspace_id=folder.workspace)
            for number, day in enumerate(moments)
        ]
    )
    quota = {"quota": 200_000, "percent": float(round(used / 2_000, 2))}
    assert folder.data("summary")["credits"] == {"used": used, **quota}


def test_billing_period_cuts_days(folder: Any, event: Maker) -> None:
    """A period that starts at 10:30 counts its first day from that microsecond and its last day up to it."""
    folder.account(folder.user, quota=None, period_anchor="2026-01-20T12:30:00.5+02:00")
    start, end = instant("2026-11-20T10:30:00.5Z"), instant("2026-12-20T10:30:00.5Z")
    moments = (start - 1, start, start + 86_400_000_000, end - 1, end)
    folder.publish([event(moment, credits=10**k) for k, moment in enumerate(moments)])
    assert folder.data("summary")["credits"]["used"] == 1110


def test_changed_account_counts_at_once_in_a_fresh_directory(folder: Any, event: Maker) -> None:
    """With the same tables, another quota or anchor gives another answer and another ETag."""
    folder.publish([event("2026-11-05T05:00:00Z", credits=21)])
    before = folder.ask("/api/v1/usage/summary")
    folder.account(folder.user, quota=42, period_anchor="2026-11-06T00:00:00Z")
    after = folder.ask("/api/v1/usage/summary")
    assert after.json()["data"]["credits"] == {"used": 0, "quota": 42, "percent": 0.0}
    assert before.headers["etag"] != after.headers["etag"]


def test_today_follows_the_zone(folder: Any) -> None:
    """At noon UTC it is already tomorrow on Kiritimati."""
    folder.publish()
    days = folder.data("summary", "timezone=Pacific/Kiritimati")["daily"]
    assert days[-1]["date"] == (utc_day(folder.now) + timedelta(days=1)).isoformat()
