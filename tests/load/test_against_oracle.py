"""The data folder and the oracle read the same raw files and answer the same questions: every field is equal."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pipeline.contract.calendar import DAY_US, add_months, rfc3339, today, zone_names
from pipeline.contract.formats import instant
from pipeline.quarantine import Quarantine
from pipeline.storage.folder import FolderStore
from pipeline.validation.records import Rejection
from pipeline.validation.validate import AHEAD_US, faults
from pipeline.workspaces import listing
from service.report.files import content
from service.report.report import Question, compute
from service.tables.opened import open_source
from service.tables.snapshots import Snapshots
from tests.hostile import ZONES
from tests.oracle import Event
from tests.oracle.days import list_compared_months, list_month
from tests.support.world import RANGES, VIEWS, World

# The second instant is just after the clock changes of St John's and Lord Howe; in Apia it is still the day before.
NOWS = ("2026-11-24T12:00:00Z", "2026-11-01T14:31:00Z", "2026-03-29T00:59:59.999999Z")


@pytest.fixture(scope="module", params=range(len(NOWS)), ids=NOWS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a world for each instant in `NOWS`."""
    return World(tmp_path_factory.mktemp("world"), request.param + 1, NOWS[request.param])


def decimal(text: str) -> tuple[str, float]:
    """Parse a JSON number with a decimal point; the result differs from every integer."""
    return "decimal", float(text)


def plain(value: Any) -> Any:
    """Return a value after a round trip through JSON."""
    return json.loads(json.dumps(value), parse_float=decimal)


def compare(world: World, path: str, asked: list[tuple[str, dict[str, Any]]], expected: list[Any]) -> None:
    """Ask one endpoint all questions and compare `data` with the oracle's."""
    answers = world.ask([(token, path, parameters) for token, parameters in asked])
    for (_, parameters), answer, data in zip(asked, answers, expected, strict=True):
        assert json.loads(answer, parse_float=decimal)["data"] == plain(data), parameters


def test_events(world: World) -> None:
    """The partitions hold exactly the current events, and every column equals the oracle's."""
    columns: Callable[[Event], dict[str, Any]] = lambda event: json.loads(event.canonical())  # noqa: E731
    expected = {event.identity: columns(event) for event in world.oracle.events}
    frame = world.folder.events().with_columns(
        timestamp=world.folder.events()["timestamp"].dt.epoch("us"),
        recorded_at=world.folder.events()["recorded_at"].dt.epoch("us"),
    )
    found = {}
    for row in frame.to_dicts():
        workspace, _ = row.pop("workspace_id"), row.pop("day")
        found[workspace, row["timestamp"] // 86_400_000_000, row["id"]] = row
    assert found == expected


def test_quarantine_and_accounting(world: World) -> None:
    """The quarantine holds the oracle's rejected lines, with equal reasons and fields. All lines are counted."""
    found = [
        (row["source_file"], row["line_number"], row["reason"], row["field"], row["line"].removesuffix(b"\r"))
        for row in world.folder.quarantine()
    ]
    assert found == sorted(
        (bad.file, bad.line_number, bad.reason, bad.field, bad.line.removesuffix(b"\r"))
        for bad in world.oracle.bad_lines
    )
    counts = sum(world.oracle.accounting.values(), type(next(iter(world.oracle.accounting.values())))())
    assert sum(report.lines for report in world.reports) == counts.lines
    assert sum(report.rejected for report in world.reports) == counts.rejected
    assert sum(report.blank for report in world.reports) == counts.blank
    assert all(
        report.lines == report.accepted + report.duplicates + report.rejected + report.blank for report in world.reports
    )


def test_faults(world: World) -> None:
    """What is recorded of a rejected line is the first of its faults, word for word."""
    quarantine = Quarantine(FolderStore(world.folder.root))
    for rejected in quarantine.lines():
        found = quarantine.faults(rejected)
        assert found[0] == Rejection(rejected.reason, rejected.field, rejected.message)  # type: ignore[arg-type]
        if rejected.reason != "line_too_long":
            torn = rejected.reason == "truncated_line"
            assert found == faults(rejected.line, rejected.loaded_at + AHEAD_US, torn=torn), rejected.text


def test_workspaces(world: World) -> None:
    """What `usage workspaces` says of each workspace follows from its events and members, one by one."""
    directory, first_day = world.delivery.directory, world.now // DAY_US - 29
    statuses = {(row["workspace_id"].lower(), row["user_id"]): row["status"] for row in directory.members}
    expected = []
    for name in sorted({*(name for name, _ in statuses), *(event.workspace_id for event in world.oracle.events)}):
        events = [event for event in world.oracle.events if event.workspace_id == name]
        times = sorted(event.timestamp for event in events)
        recent = [event for event in events if first_day <= event.timestamp // DAY_US <= first_day + 29]
        late = sorted(event.recorded_at - event.timestamp for event in recent)
        found = [status for (workspace, _), status in statuses.items() if workspace == name]
        expected.append(
            {
                "id": name,
                "members": found.count("active"),
                "removed_members": found.count("removed"),
                "events": len(events),
                "first_event": rfc3339(times[0]) if times else None,
                "last_event": rfc3339(times[-1]) if times else None,
                "silent_seconds": (world.now - times[-1]) / 1e6 if times else None,
                "credits_30d": sum(event.credits for event in recent),
                "lateness_p50_seconds": next((x / 1e6 for x in late if 2 * reached(late, x) >= len(late)), None),
                "lateness_p99_seconds": next((x / 1e6 for x in late if 100 * reached(late, x) >= 99 * len(late)), None),
            }
        )
    assert json.loads(msgspec.json.encode(listing.read(world.folder.settings, world.now))) == expected
    assert {row["events"] > 0 for row in expected} == {True, False}
    silences = {row["id"]: row["silent_seconds"] for row in expected if row["events"]}
    for span in (0, 3600, 86_400, 86_400 * 60, *silences.values()):
        silent = listing.read(world.folder.settings, world.now, round(span * 1e6))
        assert [info.id for info in silent] == [name for name, silence in silences.items() if silence > span]


def reached(values: list[int], value: int) -> int:
    """Return how many values are at most a value."""
    return sum(other <= value for other in values)


def test_summary(world: World) -> None:
    """The summary equals the oracle's for many workspaces, members, zones, ranges and views."""
    callers, asked, expected = world.callers(), [], []
    for number, zone in enumerate(sorted(ZONES)):
        for k in range(3):
            workspace, user, token = callers[(number * 3 + k) % len(callers)]
            range_, view = RANGES[k], VIEWS[(number + k) % 3]
            asked.append((token, {"timezone": zone, "range": range_, "activity_view": view}))
            expected.append(
                world.oracle.summary(workspace, user, zone, range_, view, world.now, world.delivery.directory)
            )
    compare(world, "summary", asked, expected)


def test_comparison_and_pace(world: World) -> None:
    """What a summary includes on request equals the oracle's, for every member, in many zones."""
    callers, directory, asked, expected = world.callers(), world.delivery.directory, [], []
    for number, zone in enumerate([*sorted(ZONES), *sorted(zone_names())[hash(world.now) % 21 :: 21]]):
        (workspace, user, token), range_ = callers[number % len(callers)], RANGES[number % 3]
        asked.append((token, {"timezone": zone, "range": range_, "include": "pace,comparison"}))
        data = world.oracle.summary(workspace, user, zone, range_, "daily", world.now, directory)
        data["credits"]["pace"] = world.oracle.pace(user, world.now, directory)
        data["comparison"] = world.oracle.comparison(workspace, zone, range_, world.now, world.now)
        expected.append(data)
    compare(world, "summary", asked, expected)
    assert {data["credits"]["pace"] is None for data in expected} == {True, False}


def test_months(world: World) -> None:
    """Reports of this month and of months before it equal the oracle's, in many zones."""
    snapshots = Snapshots(open_source(world.folder.settings, world.folder.root))
    for number, zone in enumerate(sorted(ZONES)):
        workspace, _, _ = world.callers()[number % len(world.callers())]
        month = add_months(today(zone, world.now).replace(day=1), -(number % 3))
        report = compute(Question(workspace, zone, None, month, None), snapshots.current(), world.folder.root)
        name = month.isoformat()[:7]
        days = list_month(zone, name, world.now)
        compared = list_compared_months(zone, name, world.now, world.now)
        expected = {
            "workspace_id": workspace,
            "timezone": zone,
            "range": None,
            "month": name,
            "timestamp": rfc3339(world.now),
            "data_as_of": rfc3339(world.now),
            "first_kept_day": None,
            "comparison": world.oracle.compare(workspace, compared),
            **world.oracle.used(workspace, days),
            **world.oracle.languages(workspace, days),
        }
        assert json.loads(content(report, "json"), parse_float=decimal) == plain(expected), (zone, name)


def test_by_language(world: World) -> None:
    """The usage by language equals the oracle's for many workspaces, zones, ranges and views."""
    callers, asked, expected = world.callers(), [], []
    for number, zone in enumerate(sorted(ZONES)):
        for k, view in enumerate((None, *VIEWS)):
            workspace, _, token = callers[(number * 4 + k) % len(callers)]
            range_ = RANGES[(number + k) % 3]
            parameters = {"timezone": zone, "range": range_} | ({"activity_view": view} if view else {})
            asked.append((token, parameters))
            expected.append(world.oracle.by_language(workspace, zone, range_, view, world.now))
    compare(world, "by-language", asked, expected)


def test_every_zone(world: World) -> None:
    """With default parameters, the answers equal the oracle's in every zone of tzdata."""
    workspace, user, token = world.callers()[0]
    zones = sorted(zone_names())[hash(world.now) % 7 :: 7]
    compare(
        world,
        "summary",
        [(token, {"timezone": zone}) for zone in zones],
        [
            world.oracle.summary(workspace, user, zone, "30d", "daily", world.now, world.delivery.directory)
            for zone in zones
        ],
    )


def test_activity(world: World) -> None:
    """Following `next` from the first page gives the oracle's feed once, and following `prev` gives it in reverse.

    Each world asks in half of the zones; the second one in those whose clocks have just changed.
    """
    callers, odd = world.callers(), world.now == instant(NOWS[1])
    for number, zone in list(enumerate(sorted(ZONES)))[odd::2]:
        workspace, user, token = callers[number % len(callers)]
        parameters: dict[str, Any] = {"timezone": zone, "range": RANGES[number % 3], "limit": 37 + number}
        filters: dict[str, str] = {}
        if number % 3 == 1:
            parameters["type"] = filters["action"] = "workflow_run"
        if number % 4 == 2:
            parameters["user_id"] = filters["user_id"] = user
        expected = world.oracle.activity(workspace, zone, parameters["range"], world.now, **filters)
        pages: list[list[Any]] = []
        cursors: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = world.page(token, parameters | ({"cursor": cursor} if cursor else {}))
            pages.append(answer["data"])
            cursors.append(answer["pagination"])
            cursor = answer["pagination"]["next"]
        assert [event for page in pages for event in page] == expected
        assert cursors[0]["prev"] is None
        for page, pagination in zip(reversed(pages[:-1]), reversed(cursors[1:]), strict=True):
            assert world.page(token, parameters | {"cursor": pagination["prev"]})["data"] == page
