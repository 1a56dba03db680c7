"""The macros return the API's numbers for the same raw files and questions, in any zone."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from pipeline.analysis.session import Session
from pipeline.analysis.spans import LAST, spans
from pipeline.contract.calendar import day_start, utc_day_start
from tests.hostile import ZONES
from tests.support.asking import open_folder, records, rows
from tests.support.world import RANGES, VIEWS, World
from tests.support.zone_walk import EPOCH_DAY, FIRST, read_zone_file, walk_day_starts

DAYS = {"30d": 30, "60d": 60, "90d": 90}
ODD = (
    *("Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana", "Asia/Beirut"),
    *("Pacific/Chatham", "America/St_Johns", "Africa/Casablanca", "America/Scoresbysund", "Asia/Gaza"),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a loaded and served data folder of hostile logs; today has 25 hours in some zones."""
    return World(tmp_path_factory.mktemp("world"), 2, "2026-11-01T14:31:00Z")


@pytest.fixture(scope="module")
def session(world: World) -> Iterator[Session]:
    """Return a session over the same folder at the same instant."""
    with open_folder(world.folder.root, world.now) as session:
        yield session


def answers(world: World, path: str, asked: list[tuple[str, dict[str, Any]]]) -> Iterator[Any]:
    """Yield the API's answers to (token, parameters) pairs, decoded."""
    yield from map(json.loads, world.ask([(token, path, parameters) for token, parameters in asked]))


def cases(world: World) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield (workspace, token, zone, range, view): two of each zone, and all pairs of range and view."""
    callers = world.callers()
    for number, zone in enumerate([*ODD, *sorted(set(ZONES) - set(ODD))]):
        for k in (number % 3, (number + 1) % 3):
            workspace, _, token = callers[(number * 3 + k) % len(callers)]
            yield workspace, token, zone, RANGES[k], VIEWS[(number // 3 + k) % 3]


def test_days_and_buckets(world: World, session: Session) -> None:
    """`usage_daily` and `usage_buckets` return the summary's days, totals and buckets."""
    asked = list(cases(world))
    found = answers(
        world,
        "summary",
        [(token, {"timezone": zone, "range": range_, "activity_view": view}) for _, token, zone, range_, view in asked],
    )
    for (workspace, _, zone, range_, view), answer in zip(asked, found, strict=True):
        data = answer["data"]
        daily = records(session, f"from usage_daily('{workspace}', '{zone}', {DAYS[range_]})")
        expected = [
            {("day" if name == "date" else name): value for name, value in day.items()} for day in data["daily"]
        ]
        assert [{name: day[name] for name in expected[0]} for day in daily] == expected, (zone, range_)
        assert {"start": daily[0]["starts"], "end": daily[-1]["ends"]} == data["period"]
        totals: Counter[str] = Counter()
        for day in daily:
            totals.update({name: value for name, value in day.items() if isinstance(value, int)})
        assert totals["corrected"] == data["corrected"]["total"]
        assert totals["audio_ms"] == data["audio"]["total_ms"]
        assert {name: totals[f"runs_{name}"] for name in data["runs"] if name != "total"} | {
            "total": totals["runs"]
        } == data["runs"]
        buckets = records(session, f"from usage_buckets('{workspace}', '{zone}', '{view}')")
        expected = [
            {{"start": "starts", "end": "ends"}.get(name, name): value for name, value in bucket.items()}
            for bucket in data["activity"]["buckets"]
        ]
        assert buckets == expected, (zone, view)


def test_languages(world: World, session: Session) -> None:
    """`usage_by_language` returns the API's languages, and a last row for untagged usage."""
    asked = list(cases(world))
    found = answers(
        world, "by-language", [(token, {"timezone": zone, "range": range_}) for _, token, zone, range_, _ in asked]
    )
    for (workspace, _, zone, range_, _), answer in zip(asked, found, strict=True):
        data = answer["data"]
        theirs = records(
            session,
            f"from usage_by_language('{workspace}', '{zone}',"
            f" local_today('{zone}') - {DAYS[range_] - 1}, local_today('{zone}'))",
        )
        untagged = [row for row in theirs if row["locale"] is None]
        assert untagged == theirs[len(theirs) - len(untagged) :]
        assert sum(row["credits"] for row in untagged) == data["untagged_credits"]
        assert sum(row["credits"] for row in theirs) == data["total_credits"]
        names = ("share", "credits", "characters", "corrected", "lines")
        assert [
            {"locale_code": row["locale"], **{name: row[name] for name in names}} for row in theirs if row["locale"]
        ] == [{name: row[name] for name in ("locale_code", *names)} for row in data["languages"]], (zone, range_)


def test_activity(world: World, session: Session) -> None:
    """`usage_activity` returns the whole feed, with and without a filter."""
    for number, (workspace, user, token) in enumerate(world.callers()[:6]):
        zone, range_ = ODD[number], RANGES[number % 3]
        filters = ({}, {"type": "workflow_run"}, {"user_id": user.upper()})[number % 3]
        expected: list[Any] = []
        cursor = None
        while cursor or not expected:
            parameters = {"timezone": zone, "range": range_, "limit": 100, **filters}
            page = world.page(token, parameters | ({"cursor": cursor} if cursor else {}))
            expected += page["data"]
            cursor = page["pagination"]["next"]
            if not cursor:
                break
        named = "".join(f", {'action' if name == 'type' else name} := '{value}'" for name, value in filters.items())
        theirs = records(session, f"from usage_activity('{workspace}', '{zone}', {DAYS[range_]}{named})")
        assert len(theirs) == len(expected)
        for row, event in zip(theirs, expected, strict=True):
            resource, who = event.pop("resource"), event.pop("user") or {"id": None, "name": None}
            metadata = row.pop("metadata")
            assert (metadata and json.loads(metadata)) == event.pop("metadata")
            assert row.pop("user_name") in {who["name"], None}
            assert row == event | {
                "resource_type": resource["type"],
                "resource_id": resource["id"],
                "resource_name": resource["name"],
                "user_id": who["id"],
            }


def test_event_languages(session: Session) -> None:
    """An event's rows add up to its credits, repeat no locale, and together equal the cube."""
    assert rows(
        session,
        "select count(*) from (select workspace_id, day, id, sum(credits) as shared, count(*) as many,"
        " count(distinct coalesce(locale, '')) as different from event_languages group by all) as theirs"
        " full join events using (workspace_id, day, id)"
        " where shared is distinct from credits or many is distinct from different",
    ) == [(0,)]
    by_locale = (
        "select locale, sum(credits), sum(characters), sum(lines), sum(corrected) from {} group by all order by all"
    )
    assert rows(session, by_locale.format("event_languages")) == rows(session, by_locale.format("cube"))


def test_every_day_of_every_zone() -> None:
    """The spans contain every local day of every zone, with the start that brute force finds."""
    starts: dict[str, list[np.ndarray]] = {}
    for span in spans():
        days = np.arange(span.first_day.toordinal(), span.last_day.toordinal() + 1)
        starts.setdefault(span.time_zone, []).append((days - EPOCH_DAY) * 86_400 - span.ahead_us // 1_000_000)
    before = (FIRST - date(2010, 1, 1)).days
    for zone, found in starts.items():
        assert np.array_equal(np.concatenate(found)[before:], walk_day_starts(read_zone_file(zone))[:-1]), zone
    assert len(starts) == 598
    assert utc_day_start(LAST) - 7_200_000_000 < day_start("Europe/Berlin", LAST)


def test_shares_are_half_even(session: Session) -> None:
    """A share is rounded on the exact quotient, half to even."""
    parts = [(1, 2_000_000), (3, 2_000_000), (1, 3), (2, 3), (0, 5), (0, 0), (10**18, 10**18 + 1), (5, 16_000_000)]
    for part, whole in parts:
        exact = Fraction(part, whole) if whole else Fraction(0)
        assert rows(session, f"select internal.share({part}::bigint, {whole}::bigint)") == [
            (float(round(exact * 10**6)) / 10**6,)
        ]
