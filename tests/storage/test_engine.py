"""Engines of one process: each has its own limits and its own folder to spill to, whatever engines came before it."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.storage import engine
from pipeline.storage.engine import Engine, EngineError

SETTINGS = "select current_setting('temp_directory'), current_setting('threads'), current_setting('memory_limit')"
SPILLING = "select count(*) from (select range as a, repeat('x', 90) || range as b from range(1000000) order by b, a)"


@pytest.fixture(autouse=True)
def _statements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_statement", lambda _, name: {"settings": SETTINGS, "spilling": SPILLING}[name])
    monkeypatch.setattr(engine, "_idle", [])


def opened(folder: Path, **limits: Any) -> Engine:
    """Return an engine that spills to a new folder."""
    folder.mkdir()
    return Engine("", folder, **limits)


def test_one_after_the_other(tmp_path: Path) -> None:
    """An engine that follows another has its own settings, and no second instance is opened for it."""
    with opened(tmp_path / "a", threads=2, memory="200MB") as first:
        assert first.fetch("settings") == [(str(tmp_path / "a"), 2, "190.7 MiB")]
    (idle,) = engine._idle  # noqa: SLF001 - whether it is used again shows nowhere else
    with opened(tmp_path / "b", threads=1, memory="100MB") as second:
        assert second.fetch("settings") == [(str(tmp_path / "b"), 1, "95.3 MiB")]
        assert engine._idle == []  # noqa: SLF001
    assert engine._idle == [idle]  # noqa: SLF001


def test_at_once(tmp_path: Path) -> None:
    """Engines at the same time share nothing."""
    with (
        opened(tmp_path / "a", threads=2, memory="200MB") as first,
        opened(tmp_path / "b", threads=1, memory="100MB") as second,
    ):
        assert first.fetch("settings") == [(str(tmp_path / "a"), 2, "190.7 MiB")]
        assert second.fetch("settings") == [(str(tmp_path / "b"), 1, "95.3 MiB")]
    assert len(engine._idle) == 1  # noqa: SLF001


def test_after_one_that_has_spilled(tmp_path: Path) -> None:
    """An engine never spills to the folder of an earlier one, which may be gone."""
    with opened(tmp_path / "a", threads=1, memory="60MB") as first:
        assert first.fetch("spilling") == [(1_000_000,)]
        assert list((tmp_path / "a").iterdir())
    with opened(tmp_path / "b", threads=1, memory="60MB") as second:
        before = sorted((tmp_path / "a").iterdir())
        assert second.fetch("settings")[0][0] == str(tmp_path / "b")
        assert second.fetch("spilling") == [(1_000_000,)]
        assert sorted((tmp_path / "a").iterdir()) == before


def test_after_one_that_failed(tmp_path: Path) -> None:
    """A statement that needs too much memory leaves nothing behind for the next engine."""
    with opened(tmp_path / "a", threads=1, memory="5MB") as first, pytest.raises(EngineError):
        first.fetch("spilling")
    with opened(tmp_path / "b", threads=1, memory="200MB") as second:
        assert second.fetch("spilling") == [(1_000_000,)]
