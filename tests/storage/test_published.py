"""What a data folder's store says of published files: their names, the months of workspaces, digests, the last run."""

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from pipeline.contract.tables import PUBLISHED, Manifest, Month, Published, manifest_path
from pipeline.storage import catalog
from pipeline.storage.digests import EMPTY
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import STATE, State
from pipeline.storage.store import DamagedError

MONTHS = {"2026-11": Month("cube/x.parquet", "actors/x.parquet")}
LAST = Published(1, "r", None, 1, "2026a")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Return an empty data folder."""
    return FolderStore(tmp_path)


def put(store: FolderStore, uri: str, value: msgspec.Struct | None = None) -> None:
    """Write a file in its final place."""
    store.path(uri).parent.mkdir(parents=True, exist_ok=True)
    store.path(uri).write_bytes(b"" if value is None else msgspec.json.encode(value))


def test_nothing(store: FolderStore) -> None:
    """An empty data folder has no names, and nothing is published."""
    assert store.names("events/") == store.names("runs/") == store.partitions("events/") == store.workspaces() == []
    assert (store.months(["w"]), store.published(), store.digests([PUBLISHED])) == ({}, None, {})
    with pytest.raises(FileNotFoundError):
        store.size("x")


def test_names(store: FolderStore) -> None:
    """Names are those of everything in the place of a published file, also a folder; others and dot files are not."""
    places = [f"events/workspace_id={w}/day=2026-11-0{day}/events.parquet" for w in "ab" for day in (1, 2)]
    foreign = ["events/workspace_id=a/day=2026-11-01/notes", "events/x/y/z"]
    for uri in (*places, *foreign, "runs/2026-11-01.jsonl", "runs/2026-11-02.jsonl"):
        put(store, uri)
    for uri in ("events/x/.z", "events/file", "events/workspace_id=a/file", "events/x/y/deep/file", "runs/.tmp"):
        put(store, uri)
    assert store.names("events/") == sorted([*places, *foreign, "events/x/y/deep"])
    assert store.names("events/workspace_id=b/") == places[2:]
    assert store.names("events/workspace_id=a/day=2026-11-02/") == [places[1]]
    assert store.names("runs/") == ["runs/2026-11-01.jsonl", "runs/2026-11-02.jsonl"]
    assert store.names("events/file/") == []
    assert catalog.files(store, "events", ["b", "c"]) == places[2:]
    assert store.size(places[0]) == 0


def test_partitions(store: FolderStore) -> None:
    """Partitions are the values in the names of folders, also of empty ones, which a power cut may bring back."""
    for folder in (
        "events/workspace_id=a/day=2026-11-02",
        "events/workspace_id=a/day=x",
        "cube/workspace_id=b/month=m",
    ):
        store.path(folder).mkdir(parents=True)
    store.path("events/other=c").mkdir()
    put(store, manifest_path("d"))
    assert store.partitions("events/") == ["a"]
    assert store.partitions("events/workspace_id=a/") == ["2026-11-02", "x"]
    assert store.partitions("cube/workspace_id=b/") == ["m"]
    assert store.workspaces() == ["d"]
    assert catalog.workspaces(store) == ["a", "b", "d"]
    assert catalog.days(store, "a") == ["2026-11-02"]


def test_months(store: FolderStore) -> None:
    """The months are those of the manifests; a workspace without a manifest is left out."""
    for workspace_id in "ab":
        put(store, manifest_path(workspace_id), Manifest(workspace_id, "r", MONTHS))
    assert store.months(["b", "c"]) == {"b": MONTHS}
    put(store, manifest_path("c"), Manifest("b", "r", MONTHS))
    with pytest.raises(DamagedError, match=r"^manifests/c\.json is damaged: it belongs to workspace b$"):
        store.months("abc")


def test_as_they_were_written(store: FolderStore) -> None:
    """Where digests are known, a file that is not as it was written is damaged, even if it can be decoded."""
    put(store, manifest_path("w"), Manifest("w", "r", MONTHS))
    put(store, PUBLISHED, LAST)
    with closing(State(store.path(STATE))) as state:
        uris = [manifest_path("w"), PUBLISHED]
        recorded = {uri: EMPTY.followed_by(store.path(uri).read_bytes()) for uri in uris}
        state.add_digests(recorded)
        known = FolderStore(store.root, recorded=state.digest_reader())
        assert known.digests([*uris, "x"]) == recorded
        assert (known.months("w"), known.published()) == ({"w": MONTHS}, LAST)
        put(store, manifest_path("w"), Manifest("w", "r", {}))
        put(store, PUBLISHED, msgspec.structs.replace(LAST, sequence=2))
        assert (store.months("w"), store.published() == LAST) == ({"w": {}}, False)
        with pytest.raises(DamagedError):
            known.months("w")
        with pytest.raises(DamagedError):
            known.published()
