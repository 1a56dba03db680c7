"""Ordinary runs delete what failed runs have left, once a day: by the clock of a store in memory."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from obstore.exceptions import PermissionDeniedError

from pipeline.contract.layout import LayoutError
from pipeline.contract.location import Location
from pipeline.contract.object_client import Client
from pipeline.contract.object_names import LEASE, ROOT, superseded_key
from pipeline.contract.tables import events_path
from pipeline.storage.lock import BusyError
from pipeline.storage.objects import writer as object_writer
from pipeline.storage.objects.snapshot import Snapshot
from pipeline.storage.objects.sweep import orphans
from pipeline.storage.tombstones import Tombstones, hashed
from tests.support.fake_obstore import FakeObstore
from tests.support.object_writers import V, W, load, staged

DAY = 86_400
RUNS = itertools.count(1)


class Place:
    """A store in memory, with a clock of its own."""

    def __init__(self) -> None:
        self.seconds = 10 * DAY
        self.store = FakeObstore(lambda: self.seconds)
        self.listings = 0
        listed = self.store.list
        self.refused = False

        def listing(*arguments: Any, **options: Any) -> Iterator[Any]:
            self.listings += 1
            if self.refused:
                raise PermissionDeniedError("status code: 403")
            return listed(*arguments, **options)

        self.store.list = listing  # type: ignore[method-assign]
        self.client = Client(Location("bucket"), api=self.store, pause=lambda _: None)

    def run(self, workspace_id: str = W) -> list[str]:
        """Load a day as an ordinary run, and return what the store says about it."""
        with object_writer.opened(self.client) as writer:
            writer.recover()
            return load(writer, next(RUNS), workspace_id, ["2026-11"])

    def fail(self, run: str) -> str:
        """Put an object as a run does that then fails, and return its key."""
        with object_writer.opened(self.client) as writer:
            (left,) = staged(writer, run, {events_path(V, "2026-11-05"): b"of a run that failed"})
        return f"events/workspace_id={V}/day=2026-11-05/{left.staged}"

    def named(self) -> set[str]:
        """Return the keys of all files that are published, after reading each."""
        snapshot = Snapshot.read(self.client)
        return {path for path, _ in snapshot.files() if snapshot.read_file(path)}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    """Return a store in memory."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Place()


def test_once_a_day(place: Place) -> None:
    """A run deletes orphans that are a day old, and no others; it lists everything at most once a day."""
    place.run()
    old = place.fail("FAIL1")
    place.seconds += 2 * DAY
    young = place.fail("FAIL2")
    place.run()  # what it supersedes is two days old, but readers may need it for a while
    assert old not in place.store.objects
    assert young in place.store.objects
    replaced = place.store.objects.keys() - {ROOT, LEASE, young}
    assert [key for key in replaced if key.startswith("events/")] != []
    assert len([key for key in replaced if key.startswith("events/")]) == 2
    listings = place.listings
    assert listings > 0
    place.seconds += DAY - 1
    place.run()
    assert place.listings == listings
    place.seconds += 2
    place.run()
    assert place.listings == 2 * listings
    assert young not in place.store.objects
    assert len(place.named()) == 5


def test_a_run_that_slept(place: Place) -> None:
    """A run that lost its lease and slept for days can no longer commit: its objects may go, and nothing is broken."""
    place.run()
    with object_writer.opened(place.client) as asleep:
        asleep.recover()
        (left,) = staged(asleep, "ASLEEP", {events_path(V, "2026-11-05"): b"of a run that slept"})
        key = f"events/workspace_id={V}/day=2026-11-05/{left.staged}"
        del place.store.objects[LEASE]
        place.seconds += 3 * DAY
        place.run()
        assert key not in place.store.objects
        with pytest.raises(BusyError, match="committed first"):
            load(asleep, next(RUNS), V, ["2026-11"])
    assert len(place.named()) == 5
    assert V not in str(place.named())


def test_no_permission_to_list(place: Place) -> None:
    """Without the permission to list, a run commits, says so, and tries again the next day."""
    place.run()
    place.seconds += 2 * DAY
    place.refused = True
    (said,) = place.run()
    assert said.startswith("what failed runs have left was not deleted, and is tried again in a day: access to s3://")
    assert place.run() == []
    place.seconds += DAY
    assert len(place.run()) == 1


def test_what_others_put(place: Place) -> None:
    """Objects with names that no run gives stay, even in folders of the tables: the bucket may be shared."""
    place.run()
    theirs = ["index/page.html", "runs/7/metrics.json", "ledger/2026/book.csv", "events/README.md", "superseded/x"]
    for key in theirs:
        place.client.replace(key, b"theirs", None)
    place.seconds += 2 * DAY
    assert place.run() == []
    with object_writer.opened(place.client) as writer:
        writer.carry_out(Tombstones(frozenset([hashed(W)])))
    assert place.store.objects.keys() >= set(theirs)


def test_a_damaged_list_at_an_erasure(place: Place) -> None:
    """An erasure deletes what is not current even if the list that names it is damaged: no reader has to be spared."""
    place.run()
    place.run()
    root = Snapshot.read(place.client).root
    assert root is not None
    damaged = superseded_key(root.superseded[-1].keys.name)
    place.store.objects[damaged] = place.store.objects[damaged]._replace(content=b"damaged")
    place.seconds += 1
    with object_writer.opened(place.client) as writer:
        writer.carry_out(Tombstones(frozenset([hashed(V)])))
    assert len([key for key in place.store.objects if key.startswith("events/")]) == 1
    assert len(place.named()) == 6


def test_a_damaged_list(place: Place) -> None:
    """While a list of superseded objects is damaged, no orphan goes; after the grace, the list is given up."""
    place.run()
    place.seconds += 2 * DAY
    place.run()
    root = Snapshot.read(place.client).root
    assert root is not None
    damaged = superseded_key(root.superseded[-1].keys.name)
    place.store.objects[damaged] = place.store.objects[damaged]._replace(content=b"damaged")
    with pytest.raises(LayoutError):
        next(orphans(Snapshot.read(place.client), place.seconds * 1_000_000))
    place.seconds += DAY
    assert place.run() == []
    assert len(place.named()) == 5
