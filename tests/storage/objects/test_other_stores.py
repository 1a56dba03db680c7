"""Stores of other authors: the same commits, refusals and sweeps as on SeaweedFS."""

from pathlib import Path

import pytest

from pipeline.contract.layout import StoredFile
from pipeline.contract.location import Location
from pipeline.contract.object_client import Client
from pipeline.contract.object_errors import NoBucketError, OvertakenError
from pipeline.contract.object_names import object_key, object_name
from pipeline.contract.tables import Published, events_path
from pipeline.storage.objects.commit import Changes, commit
from pipeline.storage.objects.lease import leased
from pipeline.storage.objects.probe import refuse_unsuitable
from pipeline.storage.objects.scratch import scratch
from pipeline.storage.objects.snapshot import Snapshot
from pipeline.storage.objects.sweep import store_time, sweep, sweep_orphans
from tests.support.object_servers import BUCKET, moto

PATH = events_path("a", "2026-11-24")


def changes(client: Client, run: str) -> Changes:
    """Put the events of a run, and return its changes."""
    content = run.encode()
    file = StoredFile.of(object_name(PATH, run, "a"), content)
    client.create(object_key(PATH, file.name), content, file)
    return Changes(run=run, attempt="a", published=Published(1, run, None, 1, "z"), files={PATH: file})


def test_moto(tmp_path: Path) -> None:
    """A whole life of a location on another server."""
    with moto() as endpoint:
        client = Client(Location(BUCKET, "data", endpoint))
        refuse_unsuitable(client)
        with leased(client, "one"), scratch(client, tmp_path) as copies:
            for run in ("one", "two"):
                before = Snapshot.read(client)
                commit(before, changes(client, run))
            with pytest.raises(OvertakenError):
                commit(before, changes(client, "three"))
            snapshot = Snapshot.read(client)
            file = snapshot.file(PATH)
            assert file is not None
            assert copies.fetch(object_key(PATH, file.name), file).read_bytes() == b"two"
            assert client.get("published.json", unless=snapshot.etag or "") is None
            sweep(snapshot, store_time(client), grace=0)
            later = Snapshot(client, snapshot.root, snapshot.etag, store_time(client) + 2_000_000)
            assert sweep_orphans(later, later.stored, age=0) == 3  # events, shard and list of superseded of the third
            assert Snapshot.read(client).read_file(PATH) == b"two"
        with pytest.raises(NoBucketError):
            Client(Location("absent", "", endpoint)).get("published.json")
