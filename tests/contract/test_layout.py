"""The layout on an object store: names and paths, shards, changes of the index, and what is refused as damaged."""

import pickle
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract import object_names
from pipeline.contract.layout import (
    IndexShard,
    LayoutError,
    Root,
    StoredFile,
    Superseded,
    SupersededKeys,
    decode_packed,
    decode_root,
    encode_packed,
    encode_root,
)
from pipeline.contract.object_names import logical_path, object_key, object_name, shard_of, shard_of_path
from pipeline.contract.tables import (
    Published,
    actors_path,
    cube_path,
    events_path,
    manifest_path,
    quarantine_path,
    runs_path,
)

RUN, NEXT = "01KB0000000000000000000000", "01KB0000000000000000000001"
WORKSPACE, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"

tokens = st.sampled_from([RUN, NEXT, "Z", "00"])
workspaces = st.sampled_from([WORKSPACE, OTHER, "w.parquet", "day=1"])
days = st.sampled_from(["0001-01-01", "2026-10-31", "2026-11-01", "2026-11-24"])
months = days.map(lambda day: day[:7])
others = st.sampled_from([quarantine_path("a.jsonl"), quarantine_path("b\udcff/.jsonl"), runs_path("2026-11-24")])


@st.composite
def files(draw: st.DrawFn) -> tuple[str, StoredFile]:
    """Return a logical path and the file of an attempt."""
    run, attempt = draw(tokens), draw(tokens)
    path = draw(
        st.builds(events_path, workspaces, days)
        | st.builds(cube_path, workspaces, months, st.just(run))
        | st.builds(actors_path, workspaces, months, st.just(run))
        | others
    )
    name = object_name(path, run, attempt)
    return path, StoredFile(name, draw(st.sampled_from([0, 2**40])), 2**32 - 1)


changes = st.lists(files(), max_size=8).map(dict)


def root(**fields: object) -> Root:
    """Return a root with some fields."""
    first = Root(sequence=1, run=RUN, data_as_of=5, schema_version=1, zone_data="2026.6", nonce="n")
    return msgspec.structs.replace(first, **fields)


def keys(found: Mapping[str, StoredFile]) -> set[str]:
    """Return the keys of the objects of some logical paths."""
    return {object_key(path, file.name) for path, file in found.items()}


@given(files())
def test_paths_and_keys(file: tuple[str, StoredFile]) -> None:
    """The key of an object leads back to its logical path, and no key is the logical path itself."""
    path, stored = file
    key = object_key(path, stored.name)
    assert logical_path(key) == path != key


@pytest.mark.parametrize(
    "key",
    [
        *(object_names.ROOT, object_names.LEASE, "index/00/a-b.json.zst", "superseded/a-b.json.zst", ""),
        *("quarantine/a.parquet", "runs/a/b", "staging/a/b-c.parquet", "events/workspace_id=a/day=2026-11/a-b.parquet"),
        *("cube/workspace_id=a/month=2026-11-01/a-b.parquet", "cube/workspace_id=a/a-b.parquet"),
    ],
)
def test_keys_of_no_published_file(key: str) -> None:
    """Whatever else lies in the bucket has no logical path."""
    assert logical_path(key) is None


@pytest.mark.parametrize("path", [manifest_path(WORKSPACE), object_names.ROOT, "raw/a.jsonl", "runs/a/b.jsonl"])
def test_paths_of_no_object(path: str) -> None:
    """What is published on an object store in another way, or not at all, has no key."""
    with pytest.raises(ValueError, match="not the path of a published file"):
        object_key(path, "a-b.json")


def test_tombstones_have_names_too() -> None:
    """The files that the root names itself are objects as all others."""
    for path in (object_names.TOMBSTONES, object_names.CARRIED_OUT):
        assert logical_path(object_key(path, object_name(path, RUN, "b"))) == path


def test_shards() -> None:
    """All files of a workspace are in its shard; other files and raw objects are spread by name, whatever it holds."""
    paths = [events_path(WORKSPACE, "2026-11-24"), cube_path(WORKSPACE, "2026-11", RUN)]
    assert {shard_of_path(path) for path in paths} == {shard_of(WORKSPACE)}
    assert shard_of_path(runs_path("2026-11-24")) == shard_of(runs_path("2026-11-24"))
    assert {shard_of(f"{number}.jsonl\udcff") for number in range(5_000)} == {f"{k:02x}" for k in range(256)}


@settings(max_examples=40)
@given(changes, changes)
def test_changes(before: dict[str, StoredFile], after: dict[str, StoredFile]) -> None:
    """A shard finds what was put into it last; what it no longer holds is superseded, and nothing else."""
    old = IndexShard().changed(before)
    new = old.changed(after)
    assert old.superseded_by(after).isdisjoint(keys(dict(new.files())))
    assert keys(dict(old.files())) - keys(dict(new.files())) == old.superseded_by(after)
    for path, file in new.files():
        assert new.find(path) == file
    assert new.changed(dict.fromkeys(dict(new.files()))) == IndexShard()


@settings(max_examples=30)
@given(changes)
def test_shards_come_back(found: dict[str, StoredFile]) -> None:
    """A shard is decoded as it was encoded."""
    shard = IndexShard().changed(found)
    content = encode_packed(shard)
    stored = StoredFile.of("a-b.json.zst", content)
    assert decode_packed("index/00/a-b.json.zst", stored, content, IndexShard) == shard


def test_a_month_has_one_cube() -> None:
    """A later run's cube of a month takes the earlier one's place, also where the earlier one is removed explicitly."""
    old, new = cube_path(WORKSPACE, "2026-11", RUN), cube_path(WORKSPACE, "2026-11", NEXT)
    first, second = StoredFile(f"{RUN}-a.parquet", 1, 2), StoredFile(f"{NEXT}-a.parquet", 3, 4)
    shard = IndexShard().changed({old: first})
    for change in ({new: second}, {new: second, old: None}, {old: None, new: second}):
        after = shard.changed(change)
        assert dict(after.files()) == {new: second}
        assert after.find(old) is None
        assert shard.superseded_by(change) == {object_key(old, first.name)}
    assert shard.changed({new: None}) == shard
    assert shard.superseded_by({new: None, runs_path("2026-11-24"): None}) == set()


@given(st.builds(Root, st.integers(), st.text(), st.none() | st.integers(), st.integers(), st.text(), nonce=st.text()))
def test_readers_of_folders_read_roots(found: Root) -> None:
    """A root is decoded as it was encoded, and as `Published` by whoever knows no object store."""
    content = encode_root(found)
    assert decode_root(content) == found
    published = msgspec.json.decode(content, type=Published)
    assert published == Published(found.sequence, found.run, found.data_as_of, found.schema_version, found.zone_data)


def test_a_full_root_comes_back() -> None:
    """Every field of a root survives, and the root names all objects that no shard names."""
    stored = StoredFile("a-b.json.zst", 1, 2)
    found = root(
        extra_actions=("archive",),
        recent=(RUN, NEXT),
        index={"0a": stored},
        ledger={"ff": stored},
        tombstones=StoredFile("a-b.jsonl", 3, 4),
        carried_out=StoredFile("a-b.json", 5, 6),
        is_complete=True,
        superseded=(Superseded(stored, 7), Superseded(stored)),
    )
    assert decode_root(encode_root(found)) == found
    assert found.keys() == {
        *("index/0a/a-b.json.zst", "ledger/ff/a-b.json.zst", "superseded/a-b.json.zst"),
        *("tombstones/a-b.jsonl", "carried_out/a-b.json"),
    }
    assert root().keys() == set()
    assert found.actions[-1] == "archive"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"sequence": 1}', b"[" * 100_000])
def test_damaged_roots(content: bytes) -> None:
    """A root that is none is refused by name."""
    with pytest.raises(LayoutError, match=r"published\.json is damaged: "):
        decode_root(content)


def test_damaged_shards() -> None:
    """A shard is refused if it is not as it was written, no zstd, cut off, or not what it should be."""
    good = encode_packed(SupersededKeys(["a", "b"]))

    def decoded(content: bytes, recorded: bytes) -> SupersededKeys:
        return decode_packed("superseded/a", StoredFile.of("a", recorded), content, SupersededKeys)

    assert decoded(good, good).keys == ["a", "b"]
    for content, recorded, why in [
        (good[:-1] + b"\0", good, "its bytes are not those that were written"),
        (good[:-1], good, "its bytes are not those that were written"),
        (b"plain text", b"plain text", ""),
        (good[:-2], good[:-2], ""),
        (encode_packed(root()), encode_packed(root()), "keys"),
    ]:
        with pytest.raises(LayoutError, match=f"superseded/a is damaged: .*{why}"):
            decoded(content, recorded)


def test_errors_travel_between_processes() -> None:
    """An error that a piece of work raises says the same elsewhere."""
    error = LayoutError("index/00/a", "why")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "index/00/a is damaged: why"
