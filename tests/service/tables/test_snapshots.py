"""Snapshots: which table files are read, when they are read again, and what happens while they change."""

import mmap
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.contract.calendar import DAY_US
from service.tables import folder_source
from service.tables.event_scan import Filter, Matches, Position
from service.tables.folder_source import FolderSource
from service.tables.snapshots import Snapshots, Workspace
from service.tables.source import StoreError
from tests.support.service_folder import ServiceFolder

Maker = Callable[..., dict[str, Any]]


def _credits(folder: Any, store: Snapshots) -> int:
    end = folder.now + DAY_US
    return sum(
        store.current().read(
            folder.workspace,
            lambda workspace: [int(month.sums[-1, 0]) for month in workspace.totals(folder.now - 90 * DAY_US, end)],
        )
    )


def test_new_commit_is_seen(folder: Any, event: Maker) -> None:
    """The next answer includes what a commit published."""
    store = Snapshots(FolderSource(folder.root))
    folder.publish([event(folder.now, credits=1)])
    assert _credits(folder, store) == 1
    folder.publish([event(folder.now, credits=1), event(folder.now - 40 * DAY_US, credits=20)])
    assert _credits(folder, store) == 21


def test_hot_request_reads_nothing(folder: Any, event: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between commits no file is opened; after a commit, only the changed files are read again."""
    store = Snapshots(FolderSource(folder.root))
    folder.publish([event(folder.now, credits=1)])
    _credits(folder, store)
    reads: list[str] = []

    def watch(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def opened(path: Path, *arguments: Any, **options: Any) -> Any:
            reads.append(path.name)
            return real(path, *arguments, **options)

        monkeypatch.setattr(owner, name, opened)

    watch(Path, "open")
    watch(folder_source, "open_file")
    watch(pq, "ParquetFile")
    assert _credits(folder, store) == 1
    assert reads == []
    folder.publish([event(folder.now, credits=5, workspace_id=folder.other_workspace)])
    reads.clear()  # forget the files that publishing itself opened
    assert _credits(folder, store) == 1
    assert reads == ["published.json"]


def test_file_that_vanished(folder: Any, event: Maker) -> None:
    """If a commit has replaced a month file but not yet published.json, the manifest is read once more."""
    store = Snapshots(FolderSource(folder.root))
    folder.publish([event(folder.now, credits=1)])
    store.current().read(folder.workspace, lambda _: None)
    old = (folder.root / "published.json").read_bytes()
    stat = (folder.root / "published.json").stat()
    folder.publish([event(folder.now, credits=7)])
    (folder.root / "published.json").write_bytes(old)
    assert stat.st_size == len(old)
    for path in folder.root.glob("cube/*/*/run0001.parquet"):
        path.unlink()
    end = folder.now + DAY_US
    rows = store.current().read(
        folder.workspace, lambda w: [int(m.sums[-1, 0]) for m in w.totals(folder.now - DAY_US, end)]
    )
    assert rows == [7]


def test_file_that_stays_away(folder: Any, event: Maker) -> None:
    """If a month file that the manifest names stays missing, the answer is 503 and shows no path."""
    folder.publish([event(folder.now, credits=1)])
    for path in folder.root.glob("cube/*/*/*.parquet"):
        path.unlink()
    with pytest.raises(StoreError):
        _credits(folder, Snapshots(FolderSource(folder.root)))
    reply = folder.ask("/api/v1/usage/summary")
    assert (reply.status, reply.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert int(reply.headers["retry-after"]) > 0
    assert str(folder.root) not in reply.body.decode()


@pytest.mark.parametrize("path", ["published.json", "manifests/*.json", "cube/*/*/*.parquet"])
def test_broken_file(folder: Any, event: Maker, path: str) -> None:
    """A file that cannot be decoded is 503, not 500."""
    folder.publish([event(folder.now, credits=1)])
    for file in folder.root.glob(path):
        file.write_bytes(b"\xff{broken")
    assert folder.ask("/api/v1/usage/summary").status == 503


@pytest.mark.parametrize(
    ("path", "text", "byte"),
    [
        ("manifests/*.json", b"run0001", b"\xff"),
        ("actors/*/*/*.parquet", b"action", b"\xff"),
        ("actors/*/*/*.parquet", b"voice_generated", b"X"),
        ("events/*/*/*.parquet", b"user_name", b"\xff"),
        ("events/*/*/*.parquet", b"timestamp", b"X"),
    ],
)
def test_damaged_byte(folder: Any, event: Maker, path: str, text: bytes, byte: bytes) -> None:
    """One wrong byte in a text or a column name is 503 too."""
    folder.publish([event(folder.now, credits=1)])
    for file in folder.root.glob(path):
        content = file.read_bytes()
        assert text in content
        file.write_bytes(content.replace(text, byte + text[1:]))
    assert folder.ask("/api/v1/usage/activity").status == 503


def test_other_schema_version(folder: Any) -> None:
    """Tables of an unknown schema version are not read."""
    folder.publish()
    path = folder.root / "published.json"
    path.write_bytes(path.read_bytes().replace(b'"schema_version":1', b'"schema_version":99'))
    with pytest.raises(StoreError, match="99"):
        Snapshots(FolderSource(folder.root)).current()


def test_memory_is_bounded(folder: Any, event: Maker) -> None:
    """Even if the cache has no room, every answer is right."""
    folder.publish([event(folder.now - k * DAY_US, credits=1) for k in range(80)])
    store = Snapshots(FolderSource(folder.root), block_bytes=1)
    assert _credits(folder, store) == _credits(folder, store) == 80


def test_memory_is_counted(folder: Any, event: Maker) -> None:
    """Small days, which are mostly Arrow's own objects, take at most 1.75 times the memory counted for them.

    They take 1.0 to 1.3 times as much, and where obstore was imported before, 1.5 to 1.6 times.
    """
    days = [folder.now - k * DAY_US for k in range(80)]
    workspaces = [f"a0000000-0000-4000-8000-{k:012d}" for k in range(6)]
    folder.publish([event(day, credits=1, workspace_id=workspace) for workspace in workspaces for day in days])
    store = Snapshots(FolderSource(folder.root))
    snapshot = store.current()
    wanted = Filter(days[-1], folder.now + 1, None, None)

    def read(workspace: Workspace) -> None:
        with closing(Matches(workspace, wanted)) as matches:
            matches.contents(list(matches.older(Position(folder.now + 1, "-"))))

    snapshot.read(workspaces[0], read)
    before, counted_before = _resident_bytes(), store.block_bytes
    for workspace in workspaces[1:]:
        snapshot.read(workspace, read)
    taken, counted = _resident_bytes() - before, store.block_bytes - counted_before
    assert taken < 1.75 * counted


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * mmap.PAGESIZE


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
@pytest.mark.parametrize("name", ["published.json", f"manifests/{ServiceFolder.workspace}.json"])
def test_what_is_no_file(folder: Any, event: Maker, name: str, make: Callable[[Path], object]) -> None:
    """A pipe, a folder or a device in the place of a file is unavailability, without waiting."""
    folder.publish([event(folder.now)])
    (folder.root / name).unlink()
    make(folder.root / name)
    assert folder.ask("/api/v1/usage/summary").status == 503
