"""Raw objects have the names that files have, whatever is in them."""

from pathlib import Path

import pytest

pytest.importorskip("obstore")

from pipeline.contract.location import Location
from pipeline.contract.object_client import Client
from pipeline.load import checksums
from pipeline.load.object_raw import ObjectRaw
from pipeline.load.raw_source import FolderRaw
from tests.support.fake_obstore import FakeObstore, Stored

NAMES = (
    *("a\\b.jsonl", "a\\\\b.jsonl", "a%5Cb.jsonl", "a b.jsonl", "a%20b.jsonl", "é.jsonl", "e\u0301.jsonl"),
    *('"<>{}|^`~#?*[]&+=:;,!@$.jsonl', "x/y (1).NDJSON", "\\x41.jsonl", ".hidden.jsonl", "x/.y/z.jsonl", "t.jsonl.tmp"),
)


def test_names(tmp_path: Path) -> None:
    """A key counts as the path of a file does: one name each in the ledger, by which the object is found again."""
    store = FakeObstore(lambda: 1)
    for name in NAMES:
        store.objects[name] = Stored(name.encode(), 1)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    folder, objects = FolderRaw(tmp_path), ObjectRaw(Client(Location("bucket"), api=store))
    there, here = objects.listed(), folder.listed()
    assert there.names() == here.names()
    assert len(there.names()) == len(NAMES) - 3
    assert there.ignored == here.ignored
    for file in there.files:
        state = objects.state(file.name)
        assert state is not None
        assert state[:2] == (file.inode, file.size)
        assert objects.checksum(file.name, 3) == folder.checksum(file.name, 3) != checksums.EMPTY
