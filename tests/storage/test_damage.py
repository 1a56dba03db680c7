"""A file is called damaged only if it is: where memory or descriptors ran out, the command fails instead."""

import errno
import os
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.quarantine import Quarantine
from pipeline.storage import commit, parquet
from pipeline.storage.damage import refuse_shortage
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import State
from pipeline.storage.store import DamagedError, Operation
from tests.support.command import refused, usage
from tests.support.data_folder import DataFolder, record

SHORTAGES = (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), MemoryError(), pa.lib.ArrowMemoryError("malloc"))
DAMAGES = (OSError(errno.EIO, os.strerror(errno.EIO)), OSError("no Parquet"), pa.ArrowInvalid("no"), ValueError("no"))


def failing(error: Exception) -> Callable[..., Any]:
    """Return a function that fails."""

    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


@pytest.mark.parametrize("error", SHORTAGES, ids=lambda error: type(error).__name__)
def test_shortage(error: Exception) -> None:
    """An error of memory or descriptors is raised again."""
    with pytest.raises(type(error)):
        refuse_shortage(error)


@pytest.mark.parametrize("error", DAMAGES, ids=str)
def test_damage(error: Exception) -> None:
    """Every other error is about the file."""
    refuse_shortage(error)


@pytest.fixture
def loaded(folder: DataFolder) -> DataFolder:
    """Return a folder with a partition, a rejected line, and a file to load into both."""
    folder.drop("a.jsonl", [record("a"), {"id": "bad"}])
    folder.run()
    folder.drop("b.jsonl", [record("b")])
    return folder


@pytest.mark.parametrize("error", SHORTAGES, ids=lambda error: type(error).__name__)
def test_no_advice_to_rebuild(loaded: DataFolder, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A run and the quarantine do not say that a file is damaged which they had no means to read."""
    with monkeypatch.context() as patch:
        patch.setattr(pq, "ParquetFile", failing(error))
        said = refused(usage(loaded))
        with pytest.raises(type(error)):
            Quarantine(FolderStore(loaded.root)).files()
    assert "damaged" not in said
    with monkeypatch.context() as patch:
        patch.setattr(pq, "ParquetFile", failing(pa.ArrowInvalid("no")))
        assert "is damaged" in refused(usage(loaded))


def test_no_commit_is_discarded(loaded: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recovery discards the commit of a file that is damaged, but not of one that it had no means to read."""
    (uri,) = (path.relative_to(loaded.root).as_posix() for path in loaded.root.glob("events/*/*/*.parquet"))
    run = pq.read_metadata(loaded.root / uri).metadata[b"run"].decode()
    state = State(loaded.root / "state.sqlite")
    operations = [Operation("replace", uri, "staging/gone", 1)]
    state.begin(run, operations, [], rebuilt=False, complete=False)
    with monkeypatch.context() as patch:
        patch.setattr(pq, "read_metadata", failing(SHORTAGES[0]))
        with pytest.raises(OSError, match="Too many open files"):
            commit.recover(FolderStore(loaded.root), state)
    assert state.journal() == (run, operations)
    commit.recover(FolderStore(loaded.root), state)
    assert state.journal() is None
    assert not state.discarded_files()
    state.close()


def test_an_absent_file_is_damage(loaded: DataFolder) -> None:
    """A partition that is gone is damage."""
    with pytest.raises(DamagedError):
        list(
            parquet.portions(
                FolderStore(loaded.root), ["events/workspace_id=w/day=d/events.parquet"], pa.schema([]), 1, 1
            )
        )
