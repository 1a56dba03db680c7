"""Tables on an object store that is away, or has objects that are gone or damaged."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from pipeline.contract.calendar import rfc3339
from pipeline.contract.layout import decode_root
from pipeline.contract.object_names import index_key, object_key
from tests.support.object_site import ACTIVITY, SUMMARY, Site

Maker = Callable[..., Any]


def test_swept_objects(site: Site, event: Maker) -> None:
    """If objects are gone because of a commit not seen yet, the root is read again and the answer computed again."""
    site.folder.publish([event(site.folder.now, credits=5)])
    site.tables.upload()
    site.tables.sweep()
    reply = site.ask()
    assert sum(day["credits"] for day in reply.json()["data"]["daily"]) == 5


def test_objects_that_are_missing(site: Site, objects: Any) -> None:
    """If objects that the current root names do not exist, the answer is 503, and the log names one."""
    for key in [key for key in objects.objects if key.startswith("cube/")]:
        objects.delete_object(key)
    with capture_logs() as logs:
        assert site.ask().status == 503
    assert "cube/workspace_id=" in logs[-1]["reason"]


@pytest.mark.parametrize("table", ["index", "cube", "actors", "events"])
def test_damage(site: Site, objects: Any, table: str) -> None:
    """An object with another byte is not served: the answer is 503 and the log names it. Whole again, it is."""
    (key,) = (key for key in objects.objects if key.startswith(f"{table}/"))
    good = objects.objects[key].content
    objects.store_object(key, good[:-5] + bytes([good[-5] ^ 1]) + good[-4:])
    path = ACTIVITY if table == "events" else SUMMARY
    with capture_logs() as logs:
        assert site.ask(path).status == 503
    assert key in logs[-1]["reason"]
    assert "damaged" in logs[-1]["reason"]
    objects.store_object(key, good)
    assert site.ask(path).status == 200


def test_damaged_copy(site: Site) -> None:
    """A copy with another byte, or a part of one, is not served but fetched again, and the log names the object."""
    assert site.credits() == 1
    for name in ("index", "cube", "actors"):
        site.app._snapshots._source._shards.__init__(1 << 20)  # noqa: SLF001
        site.app._snapshots._source._workspaces.__init__(1 << 20)  # noqa: SLF001
        site.app._snapshots._blocks.__init__(1 << 20)  # noqa: SLF001
        site.app._read_path._answers.__init__()  # noqa: SLF001
        files = {key: file for key, file in objects_named(site) if key.startswith(name)}
        for key in files:
            path = site.replica.cache._path(key)  # noqa: SLF001
            content = path.read_bytes()
            path.write_bytes(content[:-3] if name == "cube" else content[:-1] + b"?")
        with capture_logs() as logs:
            assert site.credits() == 1
        assert {entry["key"] for entry in logs} == set(files)


def objects_named(site: Site) -> list[tuple[str, Any]]:
    """Return keys and files of the current root."""
    root = site.replica.mirror.folder / "published.json"
    index = [(index_key(shard, file.name), file) for shard, file in decode_root(root.read_bytes()).index.items()]
    return [*index, *((object_key(path, file.name), file) for path, file in site.tables.files.items())]


def test_store_away(site: Site, event: Maker, objects: Any, send: Maker) -> None:
    """While the store is away, what is at hand is served, the rest is 503 at once; readiness tells since when."""
    assert site.credits() == 1
    objects.fault = lambda *_: "lost request"
    with capture_logs() as logs:
        site.replica.mirror.look()
        site.replica.mirror.look()
    assert [(entry["log_level"], "cannot be reached" in entry["reason"]) for entry in logs] == [("error", True)]
    assert send(site.app, "/health/ready").json() == {"status": "ready"}
    looked = site.replica.mirror.folder / "looked"
    os.utime(looked, (1_790_000_000, 1_790_000_000))
    assert send(site.app, "/health/ready").json() == {
        "status": "ready",
        "store_away_since": rfc3339(1_790_000_000_000_000),
    }
    assert site.credits() == 1
    objects.reads.clear()
    assert site.ask(ACTIVITY).status == 503
    assert objects.reads == []
    objects.fault = lambda *_: ""
    site.folder.publish([event(site.folder.now, credits=2)])
    site.tables.upload()
    with capture_logs() as logs:
        site.replica.mirror.look()
    assert [entry["event"] for entry in logs] == ["object store readable again"]
    assert site.credits() == 2
    assert send(site.app, "/health/ready").json() == {"status": "ready"}


def test_start_while_the_store_is_away(
    folder: Any,
    event: Maker,
    uploads: Maker,
    make_replica: Maker,
    objects: Any,
    monkeypatch: pytest.MonkeyPatch,
    send: Maker,
) -> None:
    """Who starts while the store is away answers 503 and logs why, until the store is back."""
    folder.publish([event(folder.now, credits=1)])
    tables = uploads(folder.root)
    tables.upload()
    tables.upload_directory()
    objects.fault = lambda *_: "lost request"
    with capture_logs() as logs:
        site = Site(folder, tables, make_replica(), monkeypatch)
    assert [entry["log_level"] for entry in logs] == ["error"]
    assert site.ask().status == site.ask("/api/v1/auth/whoami").status == 503
    assert send(site.app, "/health/ready").status == 503
    objects.fault = lambda *_: ""
    site.replica.mirror.look()
    site.clock.seconds += 1
    assert site.credits() == 1
