"""The folder of copies: whose it is, what workers of one service share there, and what is left of it."""

import fcntl
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.settings import SettingError, Settings
from service.tables import opened
from service.tables.opened import shared_folder


def settings(cache: Path) -> Settings:
    """Return settings of data on an object store."""
    return Settings.read({"USAGE_CACHE_DIR": str(cache)}, data_dir="s3://bucket")


def test_data_folder(tmp_path: Path) -> None:
    """Workers that serve a data folder share just that, and obstore is not imported."""
    with shared_folder(Settings.read({}, data_dir=tmp_path)) as shared:
        assert shared == tmp_path
    before = set(sys.modules)
    opened.open_source(Settings.read({}, data_dir=tmp_path), tmp_path)
    assert not [name for name in set(sys.modules) - before if "obstore" in name or "object" in name]


def test_folder_of_one_service(tmp_path: Path, object_tables: Any) -> None:  # noqa: ARG001 - skips where obstore is missing
    """Each service has a folder, which nobody else may enter, and which ends with it; one of a killed service goes."""
    root = tmp_path / f"usage-cache-{os.geteuid()}"
    with shared_folder(settings(tmp_path)) as first, shared_folder(settings(tmp_path)) as second:
        assert first != second
        assert {path.stat().st_mode & 0o777 for path in (root, first, second)} == {0o700}
        killed = root / "live-killed"
        killed.mkdir()
        killed.with_suffix(".lock").touch()
        with shared_folder(settings(tmp_path)):
            assert not killed.exists()
            assert first.exists()
    assert [path.name for path in root.iterdir()] == ["objects"]


def test_killed_service_with_a_worker_left(tmp_path: Path, object_tables: Any) -> None:  # noqa: ARG001
    """As long as anybody holds its lock, a folder stays."""
    root = tmp_path / f"usage-cache-{os.geteuid()}"
    with shared_folder(settings(tmp_path)):
        (root / "live-a").mkdir()
    with (root / "live-a.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with shared_folder(settings(tmp_path)):
            assert (root / "live-a").exists()


@pytest.mark.parametrize(
    "make", [lambda path: path.mkdir(mode=0o755), lambda path: path.symlink_to(path.parent), Path.touch]
)
def test_folder_of_somebody_else(tmp_path: Path, object_tables: Any, make: Any) -> None:  # noqa: ARG001
    """A folder that others may enter, a link, or a file is refused."""
    make(tmp_path / f"usage-cache-{os.geteuid()}")
    with (
        pytest.raises(SettingError, match=r"USAGE_CACHE_DIR: .* (mode 0700|cannot be used)"),
        shared_folder(settings(tmp_path)),
    ):
        pass


def test_without_obstore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without obstore, the error says what to install."""
    monkeypatch.setattr(opened, "find_spec", lambda _: None)
    wanted = pytest.raises(SettingError, match=r"s3://bucket needs the package obstore: install workspace-usage\[s3\]")
    with wanted, shared_folder(settings(tmp_path)):
        pass
