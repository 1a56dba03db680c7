"""A sync reports what could not be brought to the disk, and no failed sync counts as done later."""

import ctypes
import errno
import os
import pickle
import sys
from pathlib import Path

import pytest

from pipeline.storage import atomic, folder, ownership, syncs
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import State
from pipeline.storage.store import Operation

REPLACE = Operation("replace", "b", "staging/b", 1)
SYNC = Operation("sync")
DELETE = Operation("delete", "a")


class Library:
    """A C library whose `syncfs` fails."""

    def syncfs(self, _: int) -> int:
        """Fail as for a broken disk."""
        ctypes.set_errno(errno.EIO)
        return -1


def test_the_data_folder_stays_open(tmp_path: Path) -> None:
    """All syncs of a run use the descriptor that was opened first; other processes do not inherit it."""
    with FolderStore.opened(tmp_path) as opened:
        assert opened.descriptor is not None
        assert os.path.samestat(os.fstat(opened.descriptor), tmp_path.stat())
        opened.sync()
        assert pickle.loads(pickle.dumps(opened)) == FolderStore(tmp_path)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened.descriptor)
    FolderStore(tmp_path).sync()
    with pytest.raises(FileNotFoundError), FolderStore.opened(tmp_path / "absent"):
        pass


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no syncfs")
def test_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system reports a failure, that is an error that names the data folder."""
    monkeypatch.setattr(folder, "sync_file_system", syncs.sync_file_system)  # which tests skip
    FolderStore(tmp_path).sync()
    monkeypatch.setattr(syncs, "_LIBRARY", Library())
    with pytest.raises(OSError, match="Input/output error") as caught:
        FolderStore(tmp_path).sync()
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(tmp_path))


def test_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no `syncfs`, all disks are synced."""
    synced: list[bool] = []
    monkeypatch.setattr(syncs, "_LIBRARY", object())
    monkeypatch.setattr(os, "sync", lambda: synced.append(True))
    syncs.sync_file_system(0, Path())
    assert synced == [True]


def test_a_failed_addition_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If an addition cannot be synced or written, the file has all its old bytes and no new one."""
    atomic.append(tmp_path / "a", b"one\n", tmp_path)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            atomic.append(tmp_path / "a", b"two\n", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"one\n"}
    atomic.append(tmp_path / "a", b"two\n", tmp_path)
    assert (tmp_path / "a").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("operations", "left"),
    [
        ([REPLACE, SYNC, DELETE], [DELETE]),
        ([DELETE, SYNC, REPLACE, SYNC], []),
        ([DELETE, REPLACE, SYNC, DELETE, SYNC], []),
        ([DELETE], [DELETE]),
    ],
)
def test_deletes_wait_for_a_sync(tmp_path: Path, operations: list[Operation], left: list[Operation]) -> None:
    """After a commit, the journal keeps the deletes that no sync has followed, and nothing else."""
    state = State(tmp_path / "state.sqlite")
    state.begin("r", operations, [], rebuilt=False, complete=False)
    state.end()
    found = state.journal()
    state.close()
    assert (found[1] if found else []) == left


def test_a_folder_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a partition or staging cannot be removed, that is an error, except where others still use the folder."""
    folder = tmp_path / "events/workspace_id=w/day=d"
    ownership.make_folder(folder, tmp_path)
    (folder / "a").touch()
    (folder / "b").touch()
    found = FolderStore(tmp_path)
    found.apply(Operation("delete", "events/workspace_id=w/day=d/a"))  # the folder is not empty yet

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "rmdir", fail)
        with pytest.raises(OSError, match="Input/output error"):
            found.apply(Operation("delete", "events/workspace_id=w/day=d/b"))
        with pytest.raises(OSError, match="Input/output error"):
            found.clear("events")
    found.clear("events")
    found.clear("events")
    assert not list(tmp_path.iterdir())
