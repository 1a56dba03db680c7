"""Actions that `USAGE_EXTRA_ACTIONS` names are loaded, shown, and stay; the service needs no setting of its own."""

import asyncio
import json
from functools import partial
from typing import Any

import httpx
import onepin
import pytest

from pipeline.contract.tables import PUBLISHED
from pipeline.load import shuffle
from pipeline.validation.bulk import new_validator
from tests.support.checked import checked
from tests.support.command import done, usage
from tests.support.data_folder import DataFolder, record
from tests.support.service_folder import WORKSPACE, ServiceFolder

USER = {"id": "00000000-0000-4000-8000-00000000000a", "name": "Ada"}
SPECIAL = "a" + "9_" * 31 + "z"  # of the greatest length
LINES = [
    record("made", workspace_id=WORKSPACE, action="clip_made", user=USER, usage={"credits": 5}),
    record("special", workspace_id=WORKSPACE, action=SPECIAL, run={"id": "r", "status": "failed"}),
    record("plain", workspace_id=WORKSPACE, usage={"credits": 2}),
    record("other", workspace_id=WORKSPACE, action="clip_lost"),
]


def load(folder: DataFolder, monkeypatch: pytest.MonkeyPatch, actions: str, *options: str) -> str:
    """Run with a list of further actions, and return what the run printed."""
    monkeypatch.setenv("USAGE_EXTRA_ACTIONS", actions)
    result = usage(folder, *options)
    done(result)
    return result.stdout


def actions_of(folder: DataFolder) -> dict[str, str]:
    """Return the action of each event."""
    return dict(folder.events().select("id", "action").iter_rows())


@pytest.mark.parametrize("compiled", [True, False])
def test_load(folder: DataFolder, monkeypatch: pytest.MonkeyPatch, compiled: bool) -> None:
    """Lines with a named action are loaded like any other, with and without the library; others are rejected."""
    if not compiled:
        monkeypatch.setattr(shuffle, "new_validator", partial(new_validator, library=None))
    folder.drop("a.jsonl", LINES)
    assert "4 lines = 3 accepted + 0 duplicates + 1 rejected" in load(folder, monkeypatch, f"clip_made,{SPECIAL}")
    assert actions_of(folder) == {"made": "clip_made", "special": SPECIAL, "plain": "voice_generated"}
    (rejected,) = folder.quarantine()
    assert (rejected["reason"], rejected["field"]) == ("invalid_value", "action")
    assert f'settings_changed, clip_made, {SPECIAL}, not "clip_lost"' in rejected["message"]
    assert folder.actors().select("action", "credits").rows() == [
        (SPECIAL, 0),
        ("voice_generated", 2),
        ("clip_made", 5),
    ]
    assert folder.cube()["credits"].sum() == 7
    assert json.loads((folder.root / PUBLISHED).read_bytes())["extra_actions"] == ["clip_made", SPECIAL]
    assert checked(folder).notes == []


def test_a_list_that_changes(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry loads what is named by now; what is no longer named stays, whatever else is loaded."""
    folder.drop("a.jsonl", LINES)
    load(folder, monkeypatch, "")
    assert actions_of(folder) == {"plain": "voice_generated"}
    load(folder, monkeypatch, "clip_made", "quarantine", "--retry")
    assert actions_of(folder) == {"plain": "voice_generated", "made": "clip_made"}
    folder.drop("b.jsonl", [record("later", workspace_id=WORKSPACE, user=USER)])
    load(folder, monkeypatch, "clip_lost")
    assert actions_of(folder) == {"plain": "voice_generated", "made": "clip_made", "later": "voice_generated"}
    report = checked(folder)
    assert report.agrees
    assert report.notes == ["events have actions that the last run did not accept: clip_made"]


def test_erasures_leave_the_list(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is that of the last run: a command that erases loads nothing, and may not know of it."""
    folder.drop("a.jsonl", LINES)
    load(folder, monkeypatch, "clip_made")
    load(folder, monkeypatch, "", "forget", "--user", USER["id"], "--apply")
    assert json.loads((folder.root / PUBLISHED).read_bytes())["extra_actions"] == ["clip_made"]


def types_of(service: ServiceFolder) -> list[str]:
    """Return the values of `type` in the OpenAPI document."""
    document = json.loads(service.ask("/schema/openapi.json").body)
    (found,) = [
        parameter["schema"]["enum"]
        for parameter in document["paths"]["/api/v1/usage/activity"]["get"]["parameters"]
        if parameter["name"] == "type"
    ]
    return list(found)


def test_service(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """`type` takes the actions of the last run, from one request to the next, and the feed has those of all runs."""
    folder.drop("a.jsonl", LINES)
    load(folder, monkeypatch, f"clip_made,{SPECIAL}")
    service = ServiceFolder(folder.root)
    app = service.app()
    assert types_of(service)[6:] == ["clip_made", SPECIAL]
    ids: Any = lambda query: [row["id"] for row in service.data("activity", query, app)]  # noqa: E731
    assert ids("") == ["special", "plain", "made"]
    assert (ids("type=clip_made"), ids(f"type={SPECIAL}")) == (["made"], ["special"])
    assert service.ask("/api/v1/usage/activity", "type=clip_lost", app).status == 422
    page = service.ask("/api/v1/usage/activity", f"limit=1&type={SPECIAL}", app).json()
    assert page["pagination"]["next"] is None
    first = service.ask("/api/v1/usage/activity", "limit=1", app).json()["pagination"]["next"]
    assert ids(f"limit=1&cursor={first}") == ["plain"]
    load(folder, monkeypatch, "clip_lost", "--rebuild", "--since", "2030-01")
    assert ids("") == ["special", "plain", "made"]
    assert (ids("type=clip_lost"), types_of(service)[6:]) == ([], ["clip_lost"])
    refused = service.ask("/api/v1/usage/activity", "type=clip_made", app)
    assert (refused.status, refused.json()["error"]["details"][0]["field"]) == (422, "type")
    assert b"clip_lost" in service.ask("/schema", app=app).body


def test_published_client(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published client reads a feed with such actions, asks for one of them, and follows its cursors."""
    folder.drop("a.jsonl", [LINES[0] | {"id": str(number)} for number in range(3)] + LINES[1:3])
    load(folder, monkeypatch, f"clip_made,{SPECIAL}")
    service = ServiceFolder(folder.root)

    async def read() -> list[str]:
        transport = httpx.ASGITransport(app=service.app())  # type: ignore[arg-type]  # two names for the same protocol
        async with httpx.AsyncClient(transport=transport) as connection:
            client = onepin.AsyncOnePinClient(base_url="http://t", token=service.token, httpx_client=connection)
            assert [row.action for row in (await client.usage.usage_activity()).data].count(SPECIAL) == 1
            page = await client.usage.usage_activity(type="clip_made", limit=2)
            rest = await client.usage.usage_activity(type="clip_made", limit=2, cursor=page.pagination.next)
            return [row.id for row in (*page.data, *rest.data)]

    assert asyncio.run(read()) == ["2", "1", "0"]
