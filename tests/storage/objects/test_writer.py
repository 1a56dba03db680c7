"""A folder and an object store answer alike after the same commits, through the same two interfaces."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.contract.object_client import Client
from pipeline.contract.tables import Published, events_path, quarantine_path
from pipeline.storage import folder_writer
from pipeline.storage.changes import Changes
from pipeline.storage.entries import Counts, Entry
from pipeline.storage.lock import BusyError
from pipeline.storage.objects import commit as commits
from pipeline.storage.objects import writer as object_writer
from pipeline.storage.objects.commit import commit
from pipeline.storage.objects.snapshot import Snapshot
from pipeline.storage.store import Operation, Store
from pipeline.storage.tombstones import Tombstone, Tombstones, hashed
from pipeline.storage.unread import Unread
from pipeline.storage.writer import Writer
from tests.support.object_writers import V, W, load, staged


@pytest.fixture
def both(tmp_path: Path, client: Client) -> Iterator[list[Writer]]:
    """Return a writer of an empty folder, and one of an empty location."""
    (tmp_path / "data").mkdir()
    with folder_writer.opened(tmp_path / "data") as folder, object_writer.opened(client) as objects:
        yield [folder, objects]


def said(store: Store) -> dict[str, object]:
    """Return everything that a store says."""
    names = [name for folder in ("events/", "cube/", "actors/", "quarantine/", "runs/") for name in store.names(folder)]
    return {
        "contents": {name: (store.size(name), store.local(name).read_bytes(), store.read(name)) for name in names},
        "digests": store.digests([*names, "events/none"]),
        "of a workspace": store.names(f"cube/workspace_id={W}/"),
        "partitions": [store.partitions("events/"), store.partitions(f"events/workspace_id={W}/")],
        "months": store.months([W, V, "none"]),
        "workspaces": store.workspaces(),
        "published": store.published() and [store.published().sequence, store.published().run],  # type: ignore[union-attr]
        "tombstones": store.tombstones(),
        "exists": [store.exists(name) for name in (*names, events_path(W, "2001-01-01"))],
    }


def test_alike(both: list[Writer]) -> None:
    """Whatever is committed, both say the same: at first, after loads, corrections, deletes, and another process."""
    answers: list[list[dict[str, object]]] = []
    for writer in both:
        seen = [said(writer.store)]
        load(writer, 1, W, ["2026-10", "2026-11"])
        seen.append(said(writer.store))
        load(writer, 2, W, ["2026-11"])
        load(writer, 3, V, ["2026-11"])
        seen.append(said(pickle.loads(pickle.dumps(writer.store))))
        before = writer.store.months([W])[W]["2026-10"]
        gone = [Operation("delete", events_path(W, "2026-10-05"))]
        writer.commit(
            Changes(
                run="RUN4",
                staging="staging/RUN4",
                published=Published(4, "RUN4", 7, 1, "2026f"),
                record=b"RUN4\n",
                record_uri="runs/2026-11-24.jsonl",
                tables={W: gone},
                months={W: {"2026-10": None}},
                others=[Operation("delete", quarantine_path("a.jsonl"))],
                orphans=[],
            )
        )
        assert not writer.store.exists(before.cube)
        seen.append(said(writer.store))
        answers.append(seen)
    assert answers[0] == answers[1]
    assert answers[1][-1]["workspaces"] == [V, W]


def test_what_is_remembered(both: list[Writer]) -> None:
    """Ledger, unread files and tombstones are those of the last commit that changed them."""
    entry = Entry("a.jsonl", 1, 2, 3, "RUN1", Counts(lines=4), Counts())
    other = Entry("b.jsonl", 5, 6, 7, "RUN2", Counts(lines=1), Counts())
    lost = Unread("c.jsonl", "no", 1)
    stone = Tombstone("user", "2026-11-24T00:00:00Z", hashed("x"))
    found = []
    for writer in both:
        load(writer, 1, W, ["2026-11"], entries=[entry], unread={"c.jsonl": lost}, complete=True)
        first = (writer.state.entries(), writer.state.unread(), writer.state.carried_out())
        load(writer, 2, W, ["2026-11"], entries=[other])
        second = (writer.state.entries(), writer.state.unread())
        writer.add_tombstones([stone])
        stones = writer.tombstones()
        load(writer, 3, W, ["2026-11"], unread={}, carried_out=stones)
        third = (writer.state.unread(), writer.state.carried_out())
        load(writer, 4, W, ["2026-11"], entries=[entry], forget_others=True)
        found.append((first, second, stones, third, writer.state.entries()))
    assert found[0] == found[1]
    assert found[1][1] == ({"a.jsonl": entry, "b.jsonl": other}, {"c.jsonl": lost})
    assert found[1][2] == Tombstones(frozenset([hashed("x")]))
    assert found[1][4] == {"a.jsonl": entry}


def test_erased_at_once(client: Client) -> None:
    """What an erasure superseded is gone from the store when its commit returns, before any grace."""
    with object_writer.opened(client) as writer:
        load(writer, 1, W, ["2026-11"])
        before = {found.key for found in client.list("events")}
        load(writer, 2, W, ["2026-11"], carried_out=Tombstones(frozenset([hashed("x")])))
        after = {found.key for found in client.list("events")}
        assert len(before) == len(after) == 1
        assert before != after


def test_orphans_of_an_erasure(client: Client) -> None:
    """What a failed run has left goes with an erasure, even if nothing that is published has to be erased."""
    with object_writer.opened(client) as failed:
        load(failed, 1, W, ["2026-11"])
        (left,) = staged(failed, "RUN2", {events_path(V, "2026-11-05"): b"of a run that failed"})
    (orphan,) = (found for found in client.list("events") if found.key.endswith(left.staged))
    while client.replace("clock", b"", _etag(client)) and client.head("clock").stored == orphan.stored:  # type: ignore[union-attr]
        pass  # the store's clock shows whole seconds, and an orphan is older than the lease
    with object_writer.opened(client) as writer:
        writer.carry_out(Tombstones(frozenset([hashed("x")])))
        assert orphan.key not in {found.key for found in client.list("events")}
        assert writer.store.local(events_path(W, "2026-11-05")).read_bytes()


def _etag(client: Client) -> str | None:
    found = client.head("clock")
    return found.etag if found else None


def test_one_at_a_time(client: Client) -> None:
    """A second writer is refused."""
    with object_writer.opened(client), pytest.raises(BusyError), object_writer.opened(client):
        pass


def test_overtaken(client: Client) -> None:
    """If another commit came first in spite of the lease, nothing is published: it counts as another run at work."""
    with object_writer.opened(client) as writer:
        load(writer, 1, W, ["2026-11"])
        before = Snapshot.read(client)
        commit(before, commits.RootChanges(run="OTHER", attempt="a", published=Published(2, "OTHER", 7, 1, "2026f")))
        with pytest.raises(BusyError, match="committed first"):
            load(writer, 3, V, ["2026-11"])
    assert Snapshot.read(client).root.run == "OTHER"  # type: ignore[union-attr]  # there is one


def test_other_machine(client: Client) -> None:
    """A piece of work on another machine reads what others handed over, and hands over what it staged."""
    with object_writer.opened(client, shared=False) as writer:
        store = writer.store
        store.folder("staging/RUN1/a")
        contents = {f"staging/RUN1/a/{name}": name.encode() * 1000 for name in ("rows", "", "more")}
        for uri, content in contents.items():
            store.scratch(uri + "-").write_bytes(content)
        names = store.hand_over([uri + "-" for uri in contents])
        (pack,) = client.list("staging")
        assert {name.rpartition("/")[0] for name in names} == {pack.key}
        with pickle.loads(pickle.dumps(store)).moved(None) as there:
            assert there.scratch("x") != store.scratch("x")
            there.gather(names[:2])
            assert [there.local(name).read_bytes() for name in names] == [*contents.values()]
            (operation,) = there.deliver([there.stage("staging/RUN1/b/0", events_path(W, "2026-11-05"), b"events")])
        writer.clear("staging/RUN1")
        assert [found.key for found in client.list("staging")] == []
        assert operation.size == len(b"events")
