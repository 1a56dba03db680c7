"""If the disk is full at any step, the run fails with one clear message and does not change the tables."""

import errno
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.load.rejects import QuarantineWriter
from pipeline.storage.engine import Engine
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import State
from pipeline.storage.store import Operation
from tests.support.command import contents, done, ledger, published, refused, total, usage
from tests.support.data_folder import DataFolder, Once, record

DISK_KB = 6000
SPACES_KB = (0, 40, 100, 300, 500, *range(550, 2000, 50))


def drop_first(folder: DataFolder) -> None:
    """Add a first raw file, with a bad line."""
    folder.drop("a.jsonl", [record("a", usage={"credits": 5}), {"id": "bad"}])


def drop_more(folder: DataFolder) -> None:
    """Add a second raw file: other days and months, a newer version, and many bad lines."""
    folder.drop(
        "b.jsonl",
        [
            record("a", recorded_at="2026-11-24T11:00:00Z", usage={"credits": 50}),
            *(record(f"b{k}", timestamp=f"2026-{k % 9 + 1:02}-{k % 27 + 1:02}T00:00:00Z") for k in range(400)),
            *({"id": "bad", "noise": os.urandom(2000).hex()} for _ in range(150)),
        ],
    )


def load_first(folder: DataFolder) -> None:
    """Load the first file, and leave the second one to load."""
    drop_first(folder)
    folder.run()
    drop_more(folder)


@pytest.fixture
def loaded(once: Once) -> DataFolder:
    """Return a folder with the first file loaded and the second one still to load."""
    return once(load_first)


def fails(folder: DataFolder, *words: str) -> None:
    """Assert that a run fails and changes nothing."""
    before, entries = contents(folder), ledger(folder)
    refused(usage(folder), *words)
    assert contents(folder) == before
    assert ledger(folder) == entries
    assert not list(folder.root.glob("staging/*"))


def succeeds(folder: DataFolder) -> None:
    """Assert that the next run loads every line once."""
    done(usage(folder))
    assert folder.events().height == 401
    assert folder.cube()["credits"].sum() == 50
    assert folder.actors()["events"].sum() == 401
    assert (total(folder).lines, total(folder).rejected) == (553, 151)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[DataFolder]:
    """Return a data folder on its own small disk."""
    temporary = tmp_path / "small"
    temporary.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_KB}k", "tmpfs", str(temporary)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield DataFolder(temporary / "data")
    finally:
        subprocess.run(["umount", "-l", str(temporary)], check=True)


def fill(temporary: Path, left_kb: int = 0) -> Path:
    """Fill a disk except for `left_kb` KiB, and return the file that fills it."""
    ballast = temporary / "ballast"
    status = os.statvfs(temporary)
    with suppress(OSError):
        ballast.write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - (left_kb << 10))))
    return ballast


def test_too_little_space(small: DataFolder) -> None:
    """A run changes nothing if the space is too small, however small it is. With enough space it loads everything."""
    drop_first(small)
    small.run()
    drop_more(small)
    failed = 0
    for left_kb in SPACES_KB:
        before, entries = contents(small), ledger(small)
        ballast = fill(small.root, left_kb)
        result = usage(small)
        ballast.unlink()
        if result.exit_code == 0:
            break
        said = refused(result)
        assert any(words in said for words in ("No space left", "disk is full", "state.sqlite: disk I/O error"))
        failed += 1
        assert contents(small) == before, left_kb
        assert ledger(small) == entries
        assert not list(small.root.glob("staging/*"))
    assert failed > 4
    succeeds(small)


def test_no_space_for_the_transaction(small: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the journal does not fit, no file is renamed."""
    drop_first(small)
    small.run()
    drop_more(small)
    before = published(small)
    begin = State.begin
    ballast: list[Path] = []

    def full(state: State, *arguments: Any, **named: Any) -> None:
        ballast.append(fill(small.root))
        begin(state, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(State, "begin", full)
        refused(usage(small), "full")
    ballast[0].unlink()
    assert published(small) == before
    assert not list(small.root.glob("staging/*"))
    succeeds(small)


def no_space(*_: object, **__: object) -> Any:
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


POINTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "rows of a bucket": (pa.ipc, "new_stream", no_space),
    "rejected lines": (QuarantineWriter, "_flush", no_space),
    "a partition": (pq.ParquetWriter, "write_table", no_space),
    "the end of a partition": (pq.ParquetWriter, "close", no_space),
    "folders": (FolderStore, "make_folders", no_space),
    "a manifest": (FolderStore, "stage", no_space),
    "the disk": (FolderStore, "sync", no_space),
}


@pytest.mark.parametrize("point", POINTS)
def test_no_space_for(loaded: DataFolder, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """A run on a full disk exits with 1, names the reason and changes nothing. The next run loads everything."""
    owner, name, failure = POINTS[point]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failure)
        fails(loaded, "No space left on device")
    succeeds(loaded)


def test_no_space_for_the_engine(loaded: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run fails cleanly if the engine has no space to spill to."""

    def full(*_: object, **__: object) -> Any:
        raise duckdb.IOException("Could not write file: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_execute", full)
        fails(loaded, "No space left on device")
    succeeds(loaded)


def test_no_space_for_the_journal(loaded: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the transaction fails, the commit has not begun."""

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(State, "begin", full)
        fails(loaded, "database or disk is full")
    succeeds(loaded)


@pytest.mark.parametrize("done_before", [0, 1, 40])
def test_no_space_for_a_rename(loaded: DataFolder, monkeypatch: pytest.MonkeyPatch, done_before: int) -> None:
    """If a rename fails after the transaction, the run fails and the next run finishes the commit."""
    apply = FolderStore.apply
    left = [done_before]

    def failing(store: FolderStore, operation: Operation) -> None:
        if not left[0]:
            no_space()
        left[0] -= 1
        apply(store, operation)

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "apply", failing)
        refused(usage(loaded), "No space left on device")
    succeeds(loaded)
    assert loaded.run().files == 0
