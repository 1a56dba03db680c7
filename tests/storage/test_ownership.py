"""Whoever runs a command, and with which umask: files are 0640, folders 0750, and the data folder's owner owns them."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.contract.directory import MEMBERS, Member, read_rows
from pipeline.storage import atomic, ownership
from tests.support.command import done, interrupt_commit, usage
from tests.support.data_folder import NOW, DataFolder, record
from tests.support.invoked import invoke

IS_ROOT = os.geteuid() == 0
OWNER = (54321, 54322) if IS_ROOT else (os.geteuid(), os.getegid())  # only root may give files away


@pytest.fixture
def owned(folder: DataFolder) -> DataFolder:
    """Return an empty data folder of somebody else."""
    for path in (folder.root, folder.root / "raw"):
        path.chmod(0o750)
        os.chown(path, *OWNER)
    return folder


@pytest.fixture(params=[0o000, 0o077], ids=["open umask", "strict umask"])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    assert os.umask(before) == request.param


def others(folder: DataFolder, part: str = "") -> list[str]:
    """Return the files and folders below a part of the data folder that are another's, or of another mode."""
    found = []
    for path in (folder.root / part).rglob("*"):
        status = path.lstat()
        mode = 0o750 if path.is_dir() else 0o640
        if (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) != (*OWNER, mode):
            name = path.relative_to(folder.root)
            found.append(f"{name} {status.st_uid}:{status.st_gid} {stat.S_IMODE(status.st_mode):o}")
    return found


def give(folder: DataFolder, *arguments: str) -> None:
    """Give a command that must be done."""
    done(invoke([*arguments, "--data-dir", str(folder.root)]))


@pytest.mark.usefixtures("_umask")
def test_every_command(owned: DataFolder) -> None:
    """Whatever is written into the data folder belongs to its owner, is read by its group, and by nobody else."""
    give(owned, "sample", "--events", "300", "--workspaces", "2", "--days", "3", "--now", NOW)
    done(usage(owned))
    member = read_rows(owned.root / "directory" / MEMBERS, Member)[0]
    for _ in range(2):
        give(owned, "keys", "create", "--workspace", member.workspace_id, "--user", member.user_id)
    done(usage(owned, "forget", "--user", member.user_id, "--apply"))
    give(owned, "check", "--now", NOW)
    done(usage(owned, "--rebuild"))
    assert {path.name for path in owned.root.iterdir()} >= {
        *("events", "cube", "actors", "manifests", "runs", "quarantine", "raw", "directory"),
        *("state.sqlite", "published.json", "tombstones.jsonl", "run.lock", "usage.duckdb", "usage.duckdb.json"),
    }
    assert others(owned) == []


@pytest.mark.usefixtures("_umask")
def test_what_a_killed_run_leaves(owned: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner can finish what another began: the folders are theirs, and the files that the commit publishes."""
    path = owned.drop("a.jsonl", [record("a"), {"id": "bad"}])
    for made in (path, path.parent):
        os.chown(made, *OWNER)
        made.chmod(0o640 if made == path else 0o750)
    monkeypatch.setattr("pipeline.storage.folder.FolderStore.clear", lambda *_: None)
    interrupt_commit(owned, monkeypatch, 0)
    assert [path for path in owned.root.glob("staging/*/*") if path.is_dir()]
    assert [name for name in others(owned) if "/rows/" not in name and ".arrow " not in name] == []
    for sidecar in owned.root.glob("state.sqlite-*"):
        assert sidecar.stat().st_uid == OWNER[0]


def test_without_the_right_to_give(owned: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may not give files away keeps them: root without capabilities, or a member of no such group."""
    calls = []

    def refuse(*arguments: object, **_: object) -> None:
        calls.append(arguments)
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(os, "fchown", refuse)
    owned.drop("a.jsonl", [record("a")])
    done(usage(owned))
    assert bool(calls) is IS_ROOT
    calls.clear()
    monkeypatch.setattr(os, "geteuid", lambda: OWNER[0] + 1)
    monkeypatch.setattr(os, "getgroups", list)
    owned.drop("b.jsonl", [record("b")])
    done(usage(owned))
    assert calls == []


def test_a_group_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who is in the data folder's group gives it what they write; who owns it needs more rights."""
    root = tmp_path / "data"
    root.mkdir()
    given = []
    monkeypatch.setattr(os, "geteuid", lambda: root.stat().st_uid + 1)
    monkeypatch.setattr(os, "getegid", lambda: root.stat().st_gid + 1)
    monkeypatch.setattr(os, "getgroups", lambda: [root.stat().st_gid])
    monkeypatch.setattr(os, "chown", lambda *arguments, **_: given.append(arguments))
    ownership.make_folder(root / "a/b", root)
    assert given == [(root / name, -1, root.stat().st_gid) for name in ("a", "a/b")]


def test_links_are_not_followed(owned: DataFolder, tmp_path: Path) -> None:
    """A link that takes the place of a new file gives nothing else away."""
    target = tmp_path / "target"
    target.touch()
    before = target.stat().st_uid
    link = owned.root / "link"
    link.symlink_to(target)
    ownership.give(link, owned.root)
    assert (target.stat().st_uid, link.lstat().st_uid) == (before, OWNER[0])


def test_a_file_in_place_of_a_folder(folder: DataFolder) -> None:
    """Where a file is in the way of a folder, that is an error."""
    (folder.root / "a").touch()
    with pytest.raises(FileExistsError):
        ownership.make_folder(folder.root / "a", folder.root)
    with pytest.raises(NotADirectoryError):
        ownership.make_folder(folder.root / "a/b", folder.root)
    shutil.rmtree(folder.root)
    ownership.make_folder(folder.root / "a/b", folder.root)
    assert (folder.root / "a/b").is_dir()


def test_elsewhere(tmp_path: Path) -> None:
    """A file outside of a data folder is the caller's own, with the umask of the process."""
    before = os.umask(0o002)
    try:
        with atomic.replacing(tmp_path / "a") as file:
            file.write(b"a")
    finally:
        os.umask(before)
    status = (tmp_path / "a").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (os.geteuid(), 0o664)
