"""The three models of file systems lose what they may lose, and nothing else."""

import random
from itertools import islice
from pathlib import Path

import pytest

from tests.faults.crash_states.contents import Kept, content
from tests.faults.crash_states.history import Node, Recorder, Write
from tests.faults.crash_states.models import MODELS, delayed, ordered, unordered
from tests.faults.crash_states.moments import Moment
from tests.faults.trace import (
    Create,
    Event,
    MakeFolder,
    Rename,
    Stream,
    SyncAll,
    SyncFile,
    Truncate,
    Unlink,
)
from tests.faults.trace import Write as Written

OLD, NEW = b"old", b"new, and longer"
FOLDER, FILE = 1_000_001, 1_000_002  # inodes


def disks(folder: Path, model: object, *events: Event) -> list[dict[str, bytes]]:
    """Return the disks that a crash after some events may leave in a folder that has one file, `a`."""
    assert callable(model)
    (folder / "a").write_bytes(OLD)
    recorder = Recorder(folder)
    recorder.add(events)
    moment = Moment(recorder.history, len(recorder.history.steps))
    found = islice(model(moment, random.Random(1)), 200)
    unique = {disk.digest: {path: file.data for path, file in disk.files.items()} for disk in found}
    return list(unique.values())


def create(path: str = "b") -> Create:
    """Return the creation of a file."""
    return Create(path=path, inode=FILE)


def write(offset: int = 0, data: bytes = NEW) -> Written:
    """Return a write to the created file."""
    return Written(path="b", inode=FILE, offset=offset, data=data)


def sync(inode: int = FILE) -> SyncFile:
    """Return the fsync of a file or a folder."""
    return SyncFile(path="", inode=inode, only_data=False)


def sync_all() -> SyncAll:
    """Return a sync."""
    return SyncAll(path="", inode=0)


def replace() -> Rename:
    """Return the rename of the created file to `a`."""
    return Rename(path="b", inode=FILE, to="a")


@pytest.mark.parametrize("model", MODELS)
def test_sync_keeps_all(tmp_path: Path, model: object) -> None:
    """After a sync there is one disk."""
    assert disks(tmp_path, model, create(), write(), replace(), sync_all()) == [{"a": NEW}]


@pytest.mark.parametrize("model", MODELS)
def test_synced_replacement(tmp_path: Path, model: object) -> None:
    """A file that is synced and then renamed is the old or the new one; the folder's fsync makes it the new one."""
    steps = (create(), write(), sync(), replace())
    found = disks(tmp_path, model, *steps)
    assert {disk["a"] for disk in found} == {OLD, NEW}
    assert disks(tmp_path, model, *steps, sync(tmp_path.stat().st_ino)) == [{"a": NEW}]


def test_unsynced_replacement(tmp_path: Path) -> None:
    """A file that is renamed without a sync is whole where content comes first, else it may be empty or torn."""
    steps = (create(), write(data=NEW * 1000), replace())
    assert {disk["a"] for disk in disks(tmp_path, ordered, *steps)} == {OLD, NEW * 1000}
    for model in (delayed, unordered):
        found = {disk["a"] for disk in disks(tmp_path, model, *steps)}
        assert {OLD, b"", NEW * 1000} < found
        assert any(data and set(data) == {0} for data in found)


def test_fsync_of_a_file_alone(tmp_path: Path) -> None:
    """The fsync of a new file keeps its name where names come in order, but POSIX does not promise that."""
    steps = (create(), write(), sync())
    for model in (ordered, delayed):
        assert disks(tmp_path, model, *steps) == [{"a": OLD, "b": NEW}]
    assert {"a": OLD} in disks(tmp_path, unordered, *steps)


def test_names_in_order(tmp_path: Path) -> None:
    """Names change in order, in all folders or in each."""
    (tmp_path / "a").write_bytes(OLD)
    renamed = Rename(path="a", inode=(tmp_path / "a").stat().st_ino, to="c")
    steps = (MakeFolder(path="f", inode=FOLDER), Create(path="f/x", inode=FILE), renamed)
    found = disks(tmp_path, ordered, *steps)
    assert {tuple(sorted(disk)) for disk in found} == {("a",), ("a", "f/x"), ("c", "f/x")}
    assert {"c": OLD} in disks(tmp_path, unordered, *steps)


def test_halves_of_a_rename(tmp_path: Path) -> None:
    """Of a rename into another folder, either half may be lost where folders have no order."""
    steps = (MakeFolder(path="f", inode=FOLDER), create(), write(), sync_all(), Rename(path="b", inode=FILE, to="f/b"))
    both, none = {"a": OLD, "b": NEW, "f/b": NEW}, {"a": OLD}
    found = disks(tmp_path, unordered, *steps)
    assert both in found
    assert none in found
    found = disks(tmp_path, ordered, *steps)
    assert both not in found
    assert none not in found


def test_overwritten(tmp_path: Path) -> None:
    """Content that was overwritten without a sync is old or new, sector by sector."""
    steps = (create(), write(data=b"o" * 8192), sync_all(), write(512, b"n" * 4096))
    for model in MODELS:
        found = {disk["b"] for disk in disks(tmp_path, model, *steps)}
        assert {b"o" * 8192, b"o" * 512 + b"n" * 4096 + b"o" * 3584} < found
        assert all(len(data) == 8192 and set(data[:512]) == set(data[4608:]) == {ord("o")} for data in found)


def test_cut_and_deleted(tmp_path: Path) -> None:
    """A file that was cut has one of its sizes; a deleted one may be back."""
    cut = (create(), write(), sync_all(), Truncate(path="b", inode=FILE, size=3))
    for model in MODELS:
        assert {disk["b"] for disk in disks(tmp_path, model, *cut)} == {NEW, NEW[:3]}
        assert {"b" in disk for disk in disks(tmp_path, model, *cut, Unlink(path="b", inode=FILE))} == {True, False}


def test_not_modelled(tmp_path: Path) -> None:
    """A change of unknown content is no history."""
    with pytest.raises(ValueError, match="not modelled"):
        disks(tmp_path, ordered, Stream(path="b", inode=FILE))


def test_torn_write() -> None:
    """A torn write keeps whole sectors, and what lies between is zeros or garbage."""
    write = Write(Node(is_folder=False), 0, b"n" * 10_000)
    torn = {content(b"", [write], Kept(torn=frozenset({0}), seed=seed)) for seed in range(50)}
    assert len(torn) > 10
    for data in torn:
        assert all(set(data[start : start + 512]) in ({ord("n")}, {0}) for start in range(0, len(data), 512))
    garbage = content(b"", [write], Kept(size=10_000, garbage=True))
    assert len(garbage) == 10_000
    assert not set(garbage) <= {0, ord("n")}
