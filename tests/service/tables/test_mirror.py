"""The local copies of the root and the directory: when they change, when they stay, and which rows are in force."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pipeline.contract.directory import FILES
from service.auth.directory import DirectoryReader
from service.errors import UnavailableError
from tests.support.clock import ManualClock

Maker = Callable[..., Any]


class Directory:
    """A reader of copied files, whose store and clock a test moves."""

    def __init__(self, folder: Any, tables: Any, replica: Any) -> None:
        self.folder, self.tables, self.replica = folder, tables, replica
        self._clock = ManualClock()
        self.reader = DirectoryReader(replica.folder, self._clock, copied_from="s3://bucket/directory")

    def after_a_change(self, change: Callable[[], object] = lambda: None) -> Any:
        """Return the directory two looks after the files of the folder were changed and exported."""
        change()
        self.tables.upload_directory()
        return self.after_looks()

    def after_looks(self) -> Any:
        """Return the directory after two looks, of which one is at the directory."""
        self.replica.mirror.look()
        self.replica.mirror.look()
        self._clock.seconds += 1
        return self.reader.current()


@pytest.fixture
def directory(folder: Any, uploads: Maker, make_replica: Maker) -> Directory:
    """Return a directory with one member and one key."""
    tables = uploads(folder.root)
    tables.upload_directory()
    return Directory(folder, tables, make_replica())


def test_change_is_picked_up(directory: Directory) -> None:
    """A row that is exported counts after at most two looks; nothing is read that did not change."""
    folder = directory.folder
    before = directory.after_a_change()
    assert before.is_active(folder.workspace, folder.user)
    assert directory.after_a_change() is before
    later = directory.after_a_change(lambda: folder.member(folder.workspace, folder.other_user))
    assert later.is_active(folder.workspace, folder.other_user)


def test_local_keys(directory: Directory, objects: Any) -> None:
    """Keys made here come and go, like any other file; they may all go."""
    key = b'{"id":"k","key_sha256":"%s","workspace_id":"%s","user_id":"%s","scopes":[]}' % (
        b"a" * 64,
        directory.folder.workspace.encode(),
        directory.folder.user.encode(),
    )
    objects.store_object("directory/api_keys.local.jsonl", key)
    assert "a" * 64 in directory.after_looks().keys
    objects.delete_object("directory/api_keys.local.jsonl")
    assert "a" * 64 not in directory.after_looks().keys


@pytest.mark.parametrize("content", [None, b"", b"nonsense\n", b'{"name":"Zo\xeb"}\n'])
def test_bad_export_is_refused(directory: Directory, objects: Any, content: bytes | None) -> None:
    """An export that is broken, empty or gone is refused with one log line; its last good rows stay in force."""
    key = "directory/members.jsonl"
    directory.after_looks()
    objects.delete_object(key) if content is None else objects.store_object(key, content)
    with capture_logs() as logs:
        for _ in range(3):
            found = directory.after_looks()
    assert found.is_active(directory.folder.workspace, directory.folder.user)
    assert [entry["event"] for entry in logs] == ["directory file refused, the last good one stays in force"]


def test_broken_file_at_the_start(folder: Any, uploads: Maker, make_replica: Maker) -> None:
    """If the first copy of a file is broken, nobody's credential can be checked, which is 503, until it is mended."""
    members = folder.root / "directory/members.jsonl"
    good = members.read_bytes()
    members.write_text("nonsense\n")
    tables = uploads(folder.root)
    tables.upload_directory()
    with capture_logs() as logs:
        directory = Directory(folder, tables, make_replica())
        for _ in range(2):
            with pytest.raises(UnavailableError):
                directory.after_looks()
    assert ["members.jsonl, line 1" in entry["reason"] for entry in logs] == [True]
    assert directory.after_a_change(lambda: members.write_bytes(good)).is_active(folder.workspace, folder.user)


def test_denied_access(directory: Directory, objects: Any) -> None:
    """S3 denies access to what does not exist, unless one may list: so it counts as missing, which is logged once."""
    denied = import_module("obstore.exceptions").PermissionDeniedError
    get = objects.get

    def deny(store: object, path: str, *, options: Any = None) -> Any:
        try:
            return get(store, path, options=options)
        except FileNotFoundError:
            raise denied("status code: 403 <Code>AccessDenied</Code>") from None

    objects.get = deny
    with capture_logs() as logs:
        for _ in range(3):
            found = directory.after_looks()
    assert found.is_active(directory.folder.workspace, directory.folder.user)
    assert {entry["key"] for entry in logs} <= {"published.json", *(f"directory/{name}" for name in FILES)}
    assert len(logs) == len({entry["key"] for entry in logs}) > 0
    # What was there before is not taken away by a policy that changed.
    objects.get = lambda *_, **__: deny(None, "directory/none.jsonl")
    assert directory.after_looks() is found


def test_no_access_at_all(folder: Any, uploads: Maker, make_replica: Maker, objects: Any) -> None:
    """If credentials or a policy are wrong, the answer is 503, not that the caller's key is not valid."""
    denied = import_module("obstore.exceptions").PermissionDeniedError

    def deny(*_: Any, **__: Any) -> Any:
        raise denied("status code: 403 <Code>AccessDenied</Code>")

    get, objects.get = objects.get, deny
    directory = Directory(folder, uploads(folder.root), make_replica())
    with pytest.raises(UnavailableError):
        directory.after_looks()
    objects.get = get
    assert directory.after_a_change().is_active(folder.workspace, folder.user)


def test_copies_that_vanish(directory: Directory, event: Maker) -> None:
    """If the system removes copies, as it does in folders for temporary files, they are fetched again."""
    directory.folder.publish([event(directory.folder.now)])
    directory.tables.upload()
    directory.after_looks()
    for name in ("published.json", "directory/members.jsonl", "etags.json"):
        path = directory.replica.folder / name
        content = path.read_bytes()
        path.unlink()
        directory.replica.mirror.look()
        directory.replica.mirror.look()
        assert path.read_bytes() == content or name == "etags.json"


def test_root_that_is_damaged_or_gone(directory: Directory, event: Maker, objects: Any) -> None:
    """A root that cannot be decoded, or is gone, changes nothing; the reason is logged once."""
    directory.folder.publish([event(directory.folder.now)])
    directory.tables.upload()
    directory.after_looks()
    copy = directory.replica.folder / "published.json"
    before = copy.stat().st_ino
    for content in (b"{", None):
        objects.store_object("published.json", content) if content else objects.delete_object("published.json")
        with capture_logs() as logs:
            directory.after_looks()
        assert [entry["log_level"] for entry in logs] == ["error"]
        assert "published.json" in logs[0]["reason"]
        assert copy.stat().st_ino == before


def test_unchanged_objects_are_not_written(directory: Directory, event: Maker) -> None:
    """As long as nothing changes, no copy is replaced, and the time of the last answer moves on."""
    directory.folder.publish([event(directory.folder.now)])
    directory.tables.upload()
    directory.after_looks()
    root = directory.replica.folder
    paths = [root / "published.json", *(root / "directory").iterdir()]
    before = [path.stat().st_ino for path in paths]
    os.utime(root / "looked", (1, 1))
    assert directory.replica.mirror.away_since() == 1_000_000
    directory.after_looks()
    assert directory.replica.mirror.away_since() is None
    assert [path.stat().st_ino for path in paths] == before


def test_others_go_on_if_the_leader_dies(directory: Directory, make_replica: Maker, tmp_path: Path) -> None:
    """A worker that starts later takes what another has read, without a look of its own."""
    reads = directory.replica.mirror._client._api.reads  # noqa: SLF001
    reads.clear()
    make_replica(shared=directory.replica.folder)
    assert reads == []
    assert sorted(path.name for path in tmp_path.glob("cache1/*")) == ["objects"]
