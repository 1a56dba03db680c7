"""`/usage/activity`: order, filters, and walks in both directions, compared to a plain list."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.contract.calendar import DAY_US
from pipeline.contract.formats import instant
from service.api import cursors

Maker = Callable[..., dict[str, Any]]
ACTIVITY = "/api/v1/usage/activity"
ACTIONS = ("workflow_run", "voice_generated", "member_invited")


def _ids(events: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in sorted(events, key=lambda row: (row["timestamp"], row["id"]), reverse=True)]


def _page(folder: Any, app: Any, query: str) -> tuple[list[str], Any]:
    reply = folder.ask(ACTIVITY, query, app)
    assert reply.status == 200, reply.body
    body = reply.json()
    return [row["id"] for row in body["data"]], body["pagination"]


def _walk(folder: Any, app: Any, query: str, direction: str, cursor: str | None = None) -> list[list[str]]:
    pages = []
    while True:
        ids, pagination = _page(folder, app, query + (f"&cursor={cursor}" if cursor else ""))
        pages.append(ids)
        cursor = pagination[direction]
        if cursor is None:
            return pages


def _crowd(folder: Any, event: Maker, count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return events in bursts of equal timestamps over the last days, by several users and the system."""
    draw = random.Random(seed)
    moments = [folder.now - draw.randint(0, 20 * DAY_US) for _ in range(max(count // 4, 1))]
    ids = draw.sample(["a", "B", "é", "z\U0001f600", "z\uffff", "Z", "_"] + [f"e{k}" for k in range(count)], count)
    return [
        event(
            draw.choice(moments),
            id=ids[k],
            action=draw.choice(ACTIONS),
            run_status="completed",
            user_id=draw.choice([folder.user, folder.other_user, None]),
            user_name=None,
        )
        for k in range(count)
    ]


def test_row(folder: Any, event: Maker) -> None:
    """A row has the documented keys; user is null for the system; zero fractions of a second are left out."""
    folder.publish(
        [
            event("2026-11-24T11:00:00Z", id="1", ip="::1", metadata="{}"),
            event(
                "2026-11-24T10:00:00.120Z",
                id="2",
                user_id=None,
                user_name=None,
                resource_id=None,
                resource_name=None,
            ),
        ]
    )
    first, second = folder.data("activity")
    assert first == {
        "id": "1",
        "timestamp": "2026-11-24T11:00:00Z",
        "action": "voice_generated",
        "kind": "preview",
        "resource": {"type": "voice", "id": "v1", "name": "Vera"},
        "user": {"id": folder.user, "name": "Ada"},
        "metadata": {},
        "ip": "::1",
    }
    assert second["timestamp"] == "2026-11-24T10:00:00.12Z"
    assert second["user"] is None
    assert second["metadata"] is None
    assert second["resource"] == {"type": "voice", "id": None, "name": None}


@pytest.mark.parametrize(
    "metadata",
    ['{"b":1.00,"a":1e400,"b2":-0}', '{"z":"\\u00e9é","a":[1,{"n":null}]}', '{"a":' + "[" * 100 + "]" * 100 + "}"],
)
def test_metadata_is_kept_to_the_letter(folder: Any, event: Maker, metadata: str) -> None:
    """Metadata keeps the table's spelling of numbers, order of keys and nesting."""
    folder.publish([event("2026-11-24T11:00:00Z", metadata=metadata)])
    assert f'"metadata":{metadata},"ip"'.encode() in folder.ask(ACTIVITY).body


def test_empty_feed(folder: Any) -> None:
    """Without events the page is empty and has no cursors."""
    folder.publish()
    body = folder.ask(ACTIVITY, "limit=7").json()
    assert (body["data"], body["pagination"]) == ([], {"limit": 7, "next": None, "prev": None})


def test_window(folder: Any, event: Maker) -> None:
    """The range's window is half-open and in the caller's zone."""
    start, end = instant("2026-10-25T18:15:00Z"), instant("2026-11-24T18:15:00Z")
    folder.publish([event(moment, id=str(k)) for k, moment in enumerate((start - 1, start, end - 1, end))])
    app = folder.app()
    zone = "timezone=Asia/Kathmandu"
    assert _page(folder, app, zone)[0] == ["2", "1"]
    newest, pagination = _page(folder, app, f"{zone}&limit=1")
    oldest, last = _page(folder, app, f"{zone}&limit=1&cursor={pagination['next']}")
    again, first = _page(folder, app, f"{zone}&limit=1&cursor={last['prev']}")
    assert (newest, oldest, last["next"], again, first["prev"]) == (["2"], ["1"], None, ["2"], None)


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
@pytest.mark.parametrize("row_group_rows", [4, 10_000])
@pytest.mark.parametrize("query", ["", "type=workflow_run", "user_id={user}", "type=member_invited&user_id={user}"])
def test_walk_both_ways(folder: Any, event: Maker, limit: int, row_group_rows: int, query: str) -> None:
    """Following next from the first page yields every match once, newest first; prev leads back from the last page."""
    folder.member(folder.workspace, folder.other_user)
    events = _crowd(folder, event, 60)
    folder.publish(events, row_group_rows)
    wanted = query.format(user=folder.user)
    matches = [
        row
        for row in events
        if ("type" not in wanted or row["action"] in wanted)
        and ("user_id" not in wanted or row["user_id"] == folder.user)
    ]
    expected, app = _ids(matches), folder.app()
    asked = f"limit={limit}&{wanted}"
    pages = _walk(folder, app, asked, "next")
    assert [i for page in pages for i in page] == expected
    assert all(len(page) == limit for page in pages[:-1])
    if len(pages) > 1:
        cursor = None
        for _ in pages:
            _, pagination = _page(folder, app, asked + (f"&cursor={cursor}" if cursor else ""))
            cursor, last_prev = pagination["next"], pagination["prev"]
        back = _walk(folder, app, asked, "prev", last_prev)
        before_last = expected[: (len(pages) - 1) * limit]
        assert [i for page in reversed(back) for i in page] == before_last
        assert back[0] == before_last[-limit:]


def test_prev_and_next_of_each_page(folder: Any, event: Maker) -> None:
    """The first page has no prev; prev of a page leads to the page before it, and next of that one leads back."""
    events = _crowd(folder, event, 30)
    folder.publish(events)
    app = folder.app()
    first, pagination = _page(folder, app, "limit=10")
    assert pagination["prev"] is None
    second, after_second = _page(folder, app, f"limit=10&cursor={pagination['next']}")
    again, after_again = _page(folder, app, f"limit=10&cursor={after_second['prev']}")
    assert again == first
    assert after_again["prev"] is None
    assert _page(folder, app, f"limit=10&cursor={after_again['next']}")[0] == second


def test_limit_may_change(folder: Any, event: Maker) -> None:
    """A cursor works with any limit: prev yields the `limit` matches directly newer than the page."""
    events = _crowd(folder, event, 30)
    folder.publish(events)
    app, expected = folder.app(), _ids(events)
    _, pagination = _page(folder, app, "limit=10")
    ids, pagination = _page(folder, app, f"limit=5&cursor={pagination['next']}")
    assert ids == expected[10:15]
    assert _page(folder, app, f"limit=3&cursor={pagination['prev']}")[0] == expected[7:10]


def test_new_events_do_not_disturb_a_walk(folder: Any, event: Maker) -> None:
    """Events published during a walk, even a local day later, neither repeat nor skip a match from its beginning."""
    events = _crowd(folder, event, 40)
    folder.publish(events)
    app = folder.app()
    ids, pagination = _page(folder, app, "limit=10")
    newer = [event(folder.now + k, id=f"new{k}") for k in range(15)]
    folder.publish(events + newer)
    late = folder.app(folder.now + 2 * DAY_US)
    rest = _walk(folder, late, "limit=10", "next", pagination["next"])
    assert ids + [i for page in rest for i in page] == _ids(events)
    _, second = _page(folder, late, f"limit=10&cursor={pagination['next']}")
    back = _walk(folder, late, "limit=10", "prev", second["prev"])
    assert [i for page in reversed(back) for i in page] == _ids(newer) + ids


def test_cursors_beyond_the_events(folder: Any, event: Maker) -> None:
    """A page that has become empty still leads to all events that are left, in either direction."""
    events = _crowd(folder, event, 10)
    folder.publish(events)
    app, expected = folder.app(), _ids(events)
    _, pagination = _page(folder, app, "limit=5")
    origin = cursors.decode(pagination["next"])
    oldest, newest = min(row["timestamp"] for row in events), max(row["timestamp"] for row in events)
    ids, beyond = _page(folder, app, f"cursor={cursors.encode(cursors.at(origin, 'next', oldest, chr(1)))}")
    assert (ids, beyond["next"]) == ([], None)
    assert _page(folder, app, f"cursor={beyond['prev']}&limit=4")[0] == expected[-4:]
    top = cursors.encode(cursors.at(origin, "prev", newest, "\U0010ffff"))
    ids, beyond = _page(folder, app, f"cursor={top}")
    assert (ids, beyond["prev"]) == ([], None)
    assert _page(folder, app, f"cursor={beyond['next']}&limit=4")[0] == expected[:4]


@pytest.mark.parametrize(
    "other", ["range=60d", "type=workflow_run", "user_id={user}", "timezone=Etc/UTC", "range=60d&limit=5"]
)
def test_cursor_belongs_to_its_parameters(folder: Any, event: Maker, other: str) -> None:
    """With another range, type, user_id or timezone a cursor is 422."""
    folder.publish(_crowd(folder, event, 30))
    app = folder.app()
    _, pagination = _page(folder, app, "limit=10&range=30d&timezone=UTC")
    reply = folder.ask(ACTIVITY, f"cursor={pagination['next']}&{other.format(user=folder.user)}", app)
    assert reply.status == 422
    assert [detail["field"] for detail in reply.json()["error"]["details"]] == ["cursor"]
    assert folder.ask(ACTIVITY, f"cursor={pagination['next']}", app).status == 200


def test_only_days_with_matches_are_read(folder: Any, event: Maker) -> None:
    """A user's events are found without reading the partitions of days on which the user did nothing."""
    events = [event(folder.now - k * DAY_US, id=str(k), user_id=None, user_name=None) for k in range(90)]
    mine = [event(folder.now - k * DAY_US, id=f"mine{k}") for k in (3, 40, 80)]
    folder.publish(events + mine)
    kept = {f"day={day}" for day in ("2026-11-21", "2026-10-15", "2026-09-05")}
    for path in folder.root.glob("events/*/*/events.parquet"):
        if path.parent.name not in kept:
            path.write_bytes(b"not to be read")
    assert _page(folder, folder.app(), f"range=90d&user_id={folder.user}")[0] == ["mine3", "mine40", "mine80"]


def test_vanished_partition_is_an_empty_day(folder: Any, event: Maker) -> None:
    """A day that retention has just removed has no events."""
    folder.publish([event(folder.now - k * DAY_US, id=str(k)) for k in range(3)])
    (folder.root / f"events/workspace_id={folder.workspace}/day=2026-11-23/events.parquet").unlink()
    assert _page(folder, folder.app(), "")[0] == ["0", "2"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moments=st.lists(st.tuples(st.integers(0, 3), st.text("aB~é\U0001f600", min_size=1, max_size=2)), unique=True),
    limit=st.integers(1, 4),
    rows=st.integers(1, 3),
)
def test_any_order_of_ids(folder: Any, event: Maker, moments: list[tuple[int, str]], limit: int, rows: int) -> None:
    """Events of one microsecond are ordered by the code points of their ids, across row groups and pages."""
    folder.publish([], rows)
    for path in folder.root.glob("manifests/*"):
        path.unlink()
    events = [event(folder.now - k, id=name) for k, name in moments]
    folder.publish(events, rows)
    pages = _walk(folder, folder.app(), f"limit={limit}", "next")
    assert [i for page in pages for i in page] == _ids(events)
