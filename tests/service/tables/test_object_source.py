"""Tables on an object store: the same answers as from a folder, each of one root, whatever happens meanwhile."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.application import create_app
from tests.support.clock import ManualClock
from tests.support.object_site import ACTIVITY, SUMMARY, Site
from tests.support.service_folder import call
from tests.support.world import RANGES, VIEWS, World

Maker = Callable[..., Any]
NOW = "2026-11-24T12:00:00Z"


def questions() -> list[tuple[str, str]]:
    """Return paths and queries of the API."""
    zones = ("UTC", "America/St_Johns", "Pacific/Apia")
    asked = [(SUMMARY, f"range={r}&activity_view={v}&timezone={z}") for r in RANGES for v in VIEWS for z in zones]
    asked += [("/api/v1/usage/by-language", f"range={r}&timezone={z}") for r in RANGES for z in zones]
    asked += [(SUMMARY, f"range={r}&include=comparison,pace&timezone={z}") for r in RANGES for z in zones]
    return [*asked, (ACTIVITY, "limit=7&range=90d"), (ACTIVITY, "limit=100"), (ACTIVITY, "type=workflow_run&limit=3")]


def body(reply: Any) -> bytes:
    """Return the body without the id of the request."""
    content = json.loads(reply.body)
    return bytes(reply.body).replace(content["meta"]["request_id"].encode(), b"")


def test_answers_are_those_of_the_folder(
    tmp_path: Path, objects: Any, uploads: Maker, make_replica: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every answer from objects equals that from the folder, byte for byte, with its headers; pages can be walked."""
    world = World(tmp_path / "world", 1, NOW)
    tables = uploads(world.folder.root)
    tables.upload()
    tables.upload_directory()
    replica = make_replica()
    apps = [
        create_app(world.folder.settings, lambda: world.now),
        replica.app(world.now, ManualClock(), monkeypatch),
    ]
    count = 0
    for workspace, _, token in world.callers()[:2]:
        headers = [("authorization", f"Bearer {token}"), ("x-workspace-id", workspace)]
        asked = questions()
        while asked:
            path, query = asked.pop()
            if count % 20 == 0:
                replica.mirror.look()
            first, second = (call(app, path, query.encode(), headers) for app in apps)
            assert first.status == second.status == 200, second.body
            assert body(first) == body(second)
            assert first.headers["etag"] == second.headers["etag"]
            following = json.loads(first.body).get("pagination", {}).get("next")
            if following:
                asked.append((path, f"{query.partition('&cursor')[0]}&cursor={following}"))
            count += 1
    assert count > 80
    assert {key.partition("/")[0] for key in objects.reads} == {
        *("published.json", "directory", "index", "cube", "actors", "events")
    }


def test_commit_is_seen_at_the_next_look(site: Site, event: Maker) -> None:
    """A new root counts from the next look at the store on; no request waits for a look."""
    assert site.credits() == 1
    site.folder.publish([event(site.folder.now, credits=5)])
    site.tables.upload()
    assert site.credits() == 1
    site.replica.mirror.look()
    assert site.credits() == 5


def test_commit_is_prepared(site: Site, event: Maker, objects: Any) -> None:
    """What a commit changed of what there are copies of is fetched before the new root counts."""
    folder = site.folder
    days = [event(folder.now, credits=1), event(folder.now, credits=1, workspace_id=folder.other_workspace)]
    assert site.credits() == 1
    assert site.ask(ACTIVITY).status == 200
    folder.publish([event(folder.now, credits=7), *days])
    site.tables.upload()
    site.replica.mirror.look()
    objects.reads.clear()
    assert site.credits() == 8
    assert len(site.ask(ACTIVITY).json()["data"]) == 2
    assert objects.reads == []


def test_hot_request_reads_nothing(site: Site, objects: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between commits, neither the store nor a copy is read, for equal questions and for other ones of known months."""
    site.ask(SUMMARY, "range=90d")
    objects.reads.clear()
    monkeypatch.setattr(site.replica.cache, "at_hand", None)
    assert site.ask(SUMMARY, "range=90d").status == 200
    assert site.ask(SUMMARY, "range=30d").status == 200
    assert objects.reads == []


def test_index_and_files_are_fetched_at_once(site: Site, event: Maker) -> None:
    """A cold summary takes a round for the shard, one for all cubes, one for the actors; days come eight at a time."""
    folder = site.folder
    folder.publish([event(folder.now - k * 86_400_000_000, credits=1) for k in range(89)])
    site.tables.upload()
    site.replica.mirror.look()
    rounds: list[set[str]] = []
    fetch = site.replica.source.fetch

    async def watch(missing: Any) -> Any:
        rounds.append({key.partition("/")[0] for key in missing})
        return await fetch(missing)

    site.replica.source.fetch = watch
    assert site.ask(SUMMARY, "range=90d").status == 200
    assert rounds == [{"index"}, {"cube"}, {"actors"}]
    rounds.clear()
    assert len(site.ask(ACTIVITY, "range=90d&limit=20").json()["data"]) == 20
    assert rounds == [{"actors"}, *[{"events"}] * 3]  # of the months before the billing period, then of the days


def test_one_answer_is_of_one_root(site: Site, event: Maker) -> None:
    """A commit that is seen while files of an answer are fetched does not mix with it."""
    folder = site.folder
    fetch = site.replica.source.fetch
    flips: list[Any] = []

    async def flip(missing: Any) -> Any:
        found = await fetch(missing)
        if len(flips) < 2:
            flips.append(missing)
            folder.publish([event(folder.now, credits=100 * len(flips))])
            site.tables.upload()
            site.replica.mirror.look()
        return found

    site.replica.source.fetch = flip
    assert site.credits() == 1
    assert len(flips) == 2
    assert site.credits() == 200


def test_one_replica_never_goes_back(
    folder: Any, event: Maker, uploads: Maker, make_replica: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While commits go on, no answer of the workers of a service is torn, and none is older than one before it."""
    others = [f"a0000000-0000-4000-8000-{k:012d}" for k in range(2, 5)]
    for workspace in others:
        folder.member(workspace, folder.user)

    def publish(number: int) -> None:
        # The user's credits are those of all workspaces: each has as many, so a torn sum is no multiple of four.
        workspaces = [folder.workspace, *others]
        folder.publish([event(folder.now - 1, credits=number, workspace_id=workspace) for workspace in workspaces])

    publish(1)
    tables = uploads(folder.root)
    tables.upload()
    tables.upload_directory()
    first = make_replica()
    workers = [first, make_replica(shared=first.folder)]
    stranger = make_replica()
    sites = [Site(folder, tables, found, monkeypatch) for found in (*workers, stranger)]
    stop = threading.Event()
    looking = [threading.Thread(target=_look, args=(site.replica.mirror, stop)) for site in sites]
    for thread in looking:
        thread.start()
    seen = [0, 0]
    try:
        for number in range(2, 16):
            publish(number)
            tables.upload()
            for turn in range(9):
                site = sites[turn % 3]
                data = site.ask(SUMMARY).json()["data"]
                days = sum(day["credits"] for day in data["daily"])
                assert data["credits"]["used"] == 4 * days
                replica = int(turn % 3 == 2)
                assert days >= seen[replica]
                seen[replica] = days
            if number % 5 == 0:
                tables.sweep()
    finally:
        stop.set()
        for thread in looking:
            thread.join()
    assert min(seen) > 8


def _look(mirror: Any, stop: threading.Event) -> None:
    while not stop.is_set():
        mirror.look()


def test_copies_are_bounded(
    folder: Any, event: Maker, uploads: Maker, make_replica: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is asked, the copies take no more than the limit, and every answer is right."""
    days = [folder.now - k * 86_400_000_000 for k in range(80)]
    folder.publish([event(day, credits=1) for day in days])
    tables = uploads(folder.root)
    tables.upload()
    tables.upload_directory()
    limit = 40_000
    site = Site(folder, tables, make_replica(cache_bytes=limit), monkeypatch)
    for length in (100, 20, 3):
        assert len(site.ask(ACTIVITY, f"range=90d&limit={length}").json()["data"]) == min(length, 80)
        copies = [path.stat().st_size for path in site.replica.copies.glob("*/*")]
        assert 0 < sum(copies) <= limit
    assert sum(file.size for file in tables.files.values()) > 3 * limit
