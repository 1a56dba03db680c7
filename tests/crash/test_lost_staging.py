"""If the staged files of a commit are lost, the tables become whole again, even if its raw files have changed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.storage.state import State
from tests.support.batches import OTHER
from tests.support.checked import check_passes
from tests.support.command import interrupt_commit
from tests.support.data_folder import DataFolder, record

CHANGES: dict[str, Callable[[Path], object]] = {"gone": Path.unlink, "truncated": lambda path: path.write_bytes(b"")}


@pytest.mark.parametrize(
    ("change", "step"), [*(("gone", step) for step in range(1, 13, 2)), ("truncated", 3), ("truncated", 9)]
)
def test_changed_raw_files(folder: DataFolder, monkeypatch: pytest.MonkeyPatch, change: str, step: int) -> None:
    """The next run repairs the months of a commit that was lost, although the raw file that it had read is no more."""
    folder.drop("a.jsonl", [record("a", usage={"credits": 5}), record("b", workspace_id=OTHER)])
    folder.run()
    late = [record("a", recorded_at="2026-11-24T11:00:00Z", usage={"credits": 50})]
    path = folder.drop("b.jsonl", [*late, record("c", workspace_id=OTHER, timestamp="2026-10-05T00:00:00Z")])
    interrupt_commit(folder, monkeypatch, step)
    shutil.rmtree(folder.root / "staging")
    CHANGES[change](path)
    folder.run()
    check_passes(folder)
    assert set(folder.events()["id"]) >= {"a", "b"}
    state = State(folder.root / "state.sqlite")
    assert state.torn_months() == []
    state.close()
