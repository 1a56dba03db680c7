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
from pipeline.contract.calendar import DAY_US, QUARTER_US, day_start, rfc3339, utc_day_start
from pipeline.contract.formats import instant
from tests.hostile import ZONES
from tests.support.asking import open_folder, records, rows
from tests.support.data_folder import WORKSPACE, DataFolder, record
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
    """Yield (workspace, token, zone, range, view): one of each zone, and all pairs of range and view."""
    callers = world.callers()
    for number, zone in enumerate([*ODD, *sorted(set(ZONES) - set(ODD))]):
        workspace, _, token = callers[number * 3 % len(callers)]
        yield workspace, token, zone, RANGES[number % 3], VIEWS[(number // 3 + number) % 3]


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


def test_any_window(world: World, session: Session) -> None:
    """`usage_between` counts what the oracle counts in each of its steps, and in all days as `usage_daily` does."""
    measures = ("credits", "characters", "lines", "runs", "corrected", "audio_ms")
    for number, (workspace, _, zone, range_, _) in enumerate(cases(world)):
        step, back = ("15 minutes", "hour", "day", "week", "month")[number % 5], (3, 9, 40, 100, 200)[number % 5]
        end = world.now - world.now % QUARTER_US - number * QUARTER_US
        start, hour = end - back * DAY_US, number % 7
        window = f"timestamp '{rfc3339(start)[:-1]}', timestamp '{rfc3339(end)[:-1]}'"
        found = records(
            session, f"from usage_between('{workspace.upper()}', '{zone}', {window}, '{step}', day_begins := {hour})"
        )
        for row in found:
            used = world.oracle.amounts(workspace, instant(row["starts"]), instant(row["ends"]))
            assert {name: row[name] for name in measures} == {name: used[name] for name in measures}, (zone, row)
        assert sum(row["credits"] for row in found) == world.oracle.amounts(workspace, start, end)["credits"]
        if step == "day":
            first, last = (f"local_start('{zone}', local_today('{zone}') + {days})" for days in (1 - DAYS[range_], 1))
            days = records(session, f"from usage_between('{workspace}', '{zone}', {first}, {last}, 'day')")
            daily = records(session, f"from usage_daily('{workspace}', '{zone}', {DAYS[range_]})")
            assert days == [{name: day[name] for name in days[0]} for day in daily]


def test_users_and_resources(world: World, session: Session) -> None:
    """Users and resources with the rest add up to the summary's totals, and each counts its own events."""
    measures = ("credits", "characters", "lines", "runs", "corrected", "audio_ms")
    asked = list(cases(world))[::2]
    found = answers(world, "summary", [(token, {"timezone": zone, "range": r}) for _, token, zone, r, _ in asked])
    for number, ((workspace, _, zone, range_, _), answer) in enumerate(zip(asked, found, strict=True)):
        data = answer["data"]
        totals = {
            "credits": sum(day["credits"] for day in data["daily"]),
            **{name: data[name]["total"] for name in ("characters", "lines", "runs", "corrected")},
            "audio_ms": data["audio"]["total_ms"],
        }
        start, end = (instant(data["period"][name]) for name in ("start", "end"))
        events = world.oracle.list_events(workspace, start, end)
        for macro, keys in (("user", ("user_id",)), ("resource", ("resource_type", "resource_id"))):
            most = number % 4 * 2 if number % 5 else 1000
            days = f"local_today('{zone}') - {DAYS[range_] - 1}, local_today('{zone}')"
            rows_ = records(session, f"from usage_by_{macro}('{workspace}', '{zone}', {days}, most := {most})")
            assert {name: sum(row[name] for row in rows_) for name in measures} == totals, (macro, zone)
            assert sum(row["events"] for row in rows_) == len(events)
            own = [row for row in rows_ if row["part"] == macro]
            assert len(own) <= most
            credits_ = Counter[Any]()
            for event in events:
                if macro == "resource" or event.user_id is not None:
                    credits_[tuple(getattr(event, key) for key in keys)] += event.credits
            assert [row["credits"] for row in own] == sorted(credits_.values(), reverse=True)[:most]
            assert all(credits_[tuple(row[key] for key in keys)] == row["credits"] for row in own)
            rest = [row["part"] for row in rows_ if row["part"] != macro]
            others = ["others"] if len(credits_) > most else []
            system = macro == "user" and any(event.user_id is None for event in events)
            assert rest == [*others, *(["no user"] if system else [])]


def test_names_are_the_latest(folder: DataFolder) -> None:
    """A user or resource that was renamed has its latest name; a resource without an id is one of its type."""
    user = "c0000000-0000-4000-8000-00000000000a"
    folder.drop(
        "a.jsonl",
        [
            record(
                str(number),
                timestamp=f"2026-11-2{number}T10:00:00Z",
                user={"id": user, "name": f"Name {number}"},
                resource={"type": "voice", "id": id_, "name": f"Voice {number}"},
                usage={"credits": number},
            )
            for number, id_ in enumerate(["v1", None, "v1", None])
        ],
    )
    folder.run()
    days = f"'{WORKSPACE}', 'UTC', '2026-11-20', '2026-11-24'"
    with open_folder(folder.root, folder.now) as session:
        assert rows(session, f"select user_id, user_name, events, credits from usage_by_user({days})") == [
            (user, "Name 3", 4, 6)
        ]
        named = "select resource_type, resource_id, resource_name, events, credits"
        assert rows(session, f"{named} from usage_by_resource({days})") == [
            ("voice", None, "Voice 3", 2, 4),
            ("voice", "v1", "Voice 2", 2, 2),
        ]
        for macro in ("user", "resource"):
            for wrong in ("-1", "null"):
                with pytest.raises(RuntimeError, match="most must be 0 or more"):
                    rows(session, f"from usage_by_{macro}({days}, most := {wrong})")
            with pytest.raises(RuntimeError, match="no days of a known time zone"):
                rows(session, f"from usage_by_{macro}('{WORKSPACE}', 'Mars', '2026-11-20', '2026-11-24')")


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
