"""The files of the tables alone: staged, published, deleted with their empty folders, and read if they are whole."""

import itertools
import os
import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.storage.folder import FolderStore
from pipeline.storage.store import DamagedError, Operation


class Value(msgspec.Struct):
    """A small file."""

    n: int
    s: str = ""


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Return an empty data folder."""
    return FolderStore(tmp_path)


def test_stage_and_publish(store: FolderStore) -> None:
    """A file has its final name only once it is published, and then the staged one is gone."""
    operation = store.stage("staging/r/x", "cube/a=1/x", b"12345")
    assert operation == Operation("replace", "cube/a=1/x", "staging/r/x", 5, 0xCBF53A1C)
    assert store.exists("staging/r/x")
    assert not store.exists("cube/a=1/x")
    store.make_folders([operation, Operation("delete", "actors/y"), Operation("sync")])
    assert sorted(path.name for path in store.root.iterdir()) == ["cube", "staging"]
    store.apply(operation)
    assert store.read("cube/a=1/x") == b"12345"
    assert not store.exists("staging/r/x")
    with pytest.raises(FileNotFoundError):
        store.apply(operation)
    assert store.read("cube/a=1/x") == b"12345"


def test_stores_of_one_folder_are_equal(store: FolderStore) -> None:
    """A store is a value: it stays that of its folder, and is equal to every other store of the folder."""
    assert len({store, FolderStore(store.root), FolderStore(store.path("x"))}) == 2
    with pytest.raises(AttributeError):
        setattr(store, "root", Path("/"))  # noqa: B010 - mypy knows that it cannot be set


def test_nothing_is_staged(store: FolderStore) -> None:
    """A file that is not there cannot be published."""
    with pytest.raises(FileNotFoundError):
        store.staged("staging/x", "cube/x")


def test_fields_of_an_operation() -> None:
    """A sync has no files; only a staged file has a size."""
    assert Operation("sync") == Operation("sync", "", "", 0)


def test_read(store: FolderStore) -> None:
    """An absent file is None. A file that is not JSON of its type is damaged: the error names it and the cause."""
    assert (store.read("x"), store.load("x", Value)) == (None, None)
    store.stage("x", "y", b'{"n": 5}')
    assert (store.read("x"), store.load("x", Value)) == (b'{"n": 5}', Value(5))
    for content in (b"", b"{", b'{"n": "5"}', b'{"n": 1, "s": "\xff"}', b"null", b'{"m": ' + b"[" * 100_000):
        store.path("x").write_bytes(content)
        with pytest.raises(DamagedError) as error:
            store.load("x", Value)
        assert error.value.uri == "x"
        assert error.value.cause
        assert str(error.value) == f"x is damaged: {error.value.cause}"
        assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)  # it crosses processes


def test_delete(store: FolderStore) -> None:
    """A deleted file takes the empty folders of its partition along: their names hold ids that may be forgotten."""
    for name in ("cube/w=1/m=1/a", "cube/w=1/m=1/b", "cube/w=1/m=2/a", "cube/w=2/m=1/a"):
        store.stage(name, "", b"x")
    store.apply(Operation("delete", "cube/w=1/m=1/a"))
    assert store.exists("cube/w=1/m=1/b")
    store.apply(Operation("delete", "cube/w=1/m=1/b"))
    assert not store.exists("cube/w=1/m=1")
    assert store.exists("cube/w=1/m=2/a")
    store.apply(Operation("delete", "cube/w=1/m=2/a"))
    assert not store.exists("cube/w=1")
    store.apply(Operation("delete", "cube/w=2/m=1/a"))
    assert list(store.path("cube").iterdir()) == []


def test_delete_again(store: FolderStore) -> None:
    """A delete can be repeated, and removes the folders that a power cut brought back."""
    store.folder("cube/w=1")
    for _ in range(2):
        store.apply(Operation("delete", "cube/w=1/m=1/a"))
        assert list(store.path("cube").iterdir()) == []


def test_owner(store: FolderStore) -> None:
    """A staged file and a new folder belong to the owner of the data folder, whoever runs the command."""
    if os.geteuid():
        pytest.skip("only root may give files away")
    os.chown(store.root, 1234, 1234)
    store.stage("staging/r/x", "x", b"x")
    store.path("staging/r/y").write_bytes(b"y")
    store.staged("staging/r/y", "y")
    store.folder("cube/w=1")
    for name in ("staging", "staging/r", "staging/r/x", "staging/r/y", "cube", "cube/w=1"):
        assert (store.path(name).stat().st_uid, store.path(name).stat().st_gid) == (1234, 1234), name


def test_sync(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync waits for the disk of the data folder, alone or as an operation."""
    calls = []
    monkeypatch.setattr("pipeline.storage.folder.sync_file_system", lambda _, root: calls.append(root))
    store.sync()
    store.apply(Operation("sync"))
    assert calls == [store.root, store.root]


def test_clear(store: FolderStore) -> None:
    """A staging folder goes with everything in it; it need not exist."""
    store.stage("staging/r/deep/x", "", b"x")
    store.stage("staging/s/x", "", b"x")
    for _ in range(2):
        store.clear("staging/r")
        assert [path.name for path in store.path("staging").iterdir()] == ["s"]


@pytest.mark.parametrize("late", [1, 9])
def test_clear_while_a_worker_writes(store: FolderStore, monkeypatch: pytest.MonkeyPatch, late: int) -> None:
    """A worker may write to a staging folder that is cleared: the rest of the folder goes, and it is no error."""
    store.stage("staging/r/deep/x", "", b"x")
    names, rmdir = iter(range(late)), os.rmdir

    def busy(*arguments: Any, **named: Any) -> None:
        for name in itertools.islice(names, 1):
            store.path(f"staging/r/{name}").touch()
        rmdir(*arguments, **named)

    monkeypatch.setattr(os, "rmdir", busy)
    store.clear("staging/r")
    assert store.exists("staging/r") is (late > 2)
    assert not store.exists("staging/r/deep")


def test_opened(store: FolderStore) -> None:
    """Only a folder is opened as a data folder."""
    store.path("x").touch()
    with pytest.raises(NotADirectoryError), FolderStore.opened(store.path("x")):
        pass


def test_folder(store: FolderStore) -> None:
    """A folder is created where it is absent, with those above it."""
    for _ in range(2):
        assert store.folder("a/b/c") == store.root / "a/b/c"
        assert store.path("a/b/c").is_dir()
