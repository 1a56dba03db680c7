"""After a power cut at any moment, readers find whole commits and the next run loses nothing."""

import hashlib
import random
from functools import cache
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.contract.tables import Manifest, Published
from tests.support.batches import batches, drop, state_of, undisturbed_after
from tests.support.data_folder import DataFolder
from tests.support.disk import Disk, Tree, possible_trees, write_folder


def credits_by_workspace(root: Path) -> dict[str, int]:
    """Return the credits of each workspace, read from the files that its manifest names."""
    found = {}
    for path in sorted(root.glob("manifests/*.json")):
        months = msgspec.json.decode(path.read_bytes(), type=Manifest).months.values()
        cube = sum(credits_in((root / month.cube).read_bytes()) for month in months)
        actors = sum(credits_in((root / month.actors).read_bytes()) for month in months)
        assert cube == actors
        found[path.stem] = cube
    return found


@cache
def credits_in(content: bytes) -> int:
    """Return the credits in a Parquet file."""
    return sum(pq.read_table(pa.BufferReader(content))["credits"].to_pylist())


def fingerprint(tree: Tree) -> bytes:
    """Return a hash of the paths and contents of a tree."""
    digest = hashlib.sha256()
    for path, content in sorted(tree.items()):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.digest()


@pytest.mark.parametrize("number", range(len(batches())))
def test_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A power cut leaves whole commits in every workspace. The next run then gives the undisturbed tables."""
    folder = DataFolder(tmp_path / "data")
    for earlier in range(number):
        drop(folder, earlier)
        folder.run()
    before = credits_by_workspace(folder.root)
    drop(folder, number)
    disk = Disk(folder.root)
    with monkeypatch.context() as patch:
        disk.watch(patch)
        folder.run()
        disk.end()
    after = credits_by_workspace(folder.root)
    expected = undisturbed_after(tmp_path / "undisturbed", number)
    rng = random.Random(number)
    seen: set[bytes] = set()
    for moment in disk.moments:
        for tree in possible_trees(moment, rng):
            if fingerprint(tree) in seen:
                continue
            seen.add(fingerprint(tree))
            cut = DataFolder(tmp_path / f"cut-{len(seen)}")
            write_folder(tree, folder.root / "raw", cut.root)
            for workspace_id, found in credits_by_workspace(cut.root).items():
                assert found in {before.get(workspace_id), after[workspace_id]}, moment.before
            if (cut.root / "published.json").exists():
                msgspec.json.decode((cut.root / "published.json").read_bytes(), type=Published)
            cut.run()
            assert state_of(cut) == expected, moment.before
            assert not list(cut.root.glob("staging/*"))
    assert len(seen) > 30
