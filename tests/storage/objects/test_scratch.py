"""The scratch folder: copies are verified, nobody else may read them, and nothing is left."""

import os
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.contract.layout import LayoutError, StoredFile
from pipeline.contract.object_client import Client
from pipeline.contract.object_errors import UnavailableError
from pipeline.storage.objects.scratch import Scratch, scratch
from tests.support.fault_proxy import Fault, FaultProxy

KEY = "events/workspace_id=a/day=2026-11-24/r-1.parquet"


def put(client: Client, key: str = KEY, content: bytes = b"content") -> StoredFile:
    """Create an object."""
    file = StoredFile.of(key.rpartition("/")[2], content)
    client.create(key, content, file)
    return file


def files(folder: Path) -> list[str]:
    """Return all files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_copies(client: Client, tmp_path: Path) -> None:
    """Objects are fetched once; only the owner may read them; the folder is gone at the end."""
    large = os.urandom(9_000_000)
    wanted = {KEY: put(client), "cube/x/a-b.parquet": put(client, "cube/x/a-b.parquet", large)}
    with scratch(client, tmp_path) as found:
        assert stat.S_IMODE(found.root.stat().st_mode) == 0o700
        paths = {key: found.fetch(key, file) for key, file in wanted.items()}
        assert {key: path.read_bytes() for key, path in paths.items()} == {KEY: b"content", "cube/x/a-b.parquet": large}
        client.delete(wanted)
        assert found.fetch(KEY, wanted[KEY]) == paths[KEY] == pickle.loads(pickle.dumps(found)).fetch(KEY, wanted[KEY])
        assert files(found.root) == sorted(wanted)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_for_temporary_files(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a setting, the scratch folder is among the temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch(client) as found:
        assert found.root.parent == tmp_path


def test_damaged_copies(client: Client, tmp_path: Path) -> None:
    """An object that is not as the index says, or not there, is no copy; nothing of it is left."""
    put(client)
    with scratch(client, tmp_path) as found:
        for file in (StoredFile("r-1.parquet", 7, 1), StoredFile("r-1.parquet", 8, 2)):
            with pytest.raises(LayoutError, match="its bytes are not those that were written"):
                found.fetch(KEY, file)
        with pytest.raises(LayoutError, match="absent is damaged: it does not exist"):
            found.fetch("absent", StoredFile("absent", 1, 1))
        assert files(found.root) == []


def test_interrupted_answers(faulty: Client, client: Client, proxy: FaultProxy, tmp_path: Path) -> None:
    """Half an answer is no copy: the rest is asked for, or all of it once more."""
    content = os.urandom(3_000_000)
    file = put(client, KEY, content)
    with scratch(faulty, tmp_path) as found:
        proxy.plan("GET", KEY, "cut answer")
        assert found.fetch(KEY, file).read_bytes() == content
        assert proxy.is_used_up()


def test_copies_at_the_same_time(client: Client, tmp_path: Path) -> None:
    """Several threads may ask for the same object."""
    file = put(client)
    with scratch(client, tmp_path) as found, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: found.fetch(KEY, file).read_bytes(), range(16))) == {b"content"}
        assert files(found.root) == [KEY]


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../a", "a/../../b", "..", ".", "a/./b", "a//b", "a/"])
def test_keys_that_lead_elsewhere(client: Client, tmp_path: Path, key: str) -> None:
    """No key, whatever an index holds, leads out of the folder."""
    with pytest.raises(ValueError, match="not the key of an object"):
        Scratch(client, tmp_path).path(key)


def test_leftovers(client: Client, tmp_path: Path) -> None:
    """What a killed process left is removed at the start of the next; what others are using, and other files, stay."""
    for name in ("usage-scratch-dead", "usage-scratch-live", "usage-scratch-unknown", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    for name in ("dead", "live", "never-made"):
        (tmp_path / f"usage-scratch-{name}.lock").touch()
    with FileLock(tmp_path / "usage-scratch-live.lock"), scratch(client, tmp_path) as found:
        kept = {"usage-scratch-live", "usage-scratch-live.lock", "usage-scratch-unknown", "other"}
        assert {path.name for path in tmp_path.iterdir()} == kept | {found.root.name, f"{found.root.name}.lock"}


def test_a_store_that_is_away(faulty: Client, client: Client, proxy: FaultProxy, tmp_path: Path) -> None:
    """A store that does not answer is reported as such."""
    file = put(client)
    with scratch(faulty, tmp_path) as found:
        outage: list[Fault] = ["503" for _ in range(30)]
        proxy.plan("GET", KEY, *outage)
        with pytest.raises(UnavailableError):
            found.fetch(KEY, file)
