"""The file of `usage keys`: no key is lost, whatever fails or happens at once."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline import keys
from pipeline.contract.directory import ApiKey, read_rows
from pipeline.storage import atomic
from tests.support.key_commands import MEMBER, WORKSPACE, create, local_file, usage


def test_no_key_is_lost_when_several_are_made_at_once(data_dir: Path) -> None:
    """Concurrent commands take turns reading and replacing the file, so that no key is lost."""
    ids = {f"key_{number}" for number in range(24)}

    def make(key_id: str) -> None:
        keys.create(data_dir / "directory", key_id=key_id, workspace_id=WORKSPACE, user_id=MEMBER)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, ids))
    assert {key.id for _, key in keys.stored(data_dir / "directory")} == ids
    assert not list(data_dir.rglob("*.tmp"))


def test_a_failing_write_leaves_the_old_keys(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed write leaves the file unchanged, and leaves no temporary file."""
    create(data_dir)
    before = local_file(data_dir).read_bytes()

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pipeline.storage.atomic.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        keys.create(data_dir / "directory", key_id="key_2", workspace_id=WORKSPACE, user_id=MEMBER)
    assert local_file(data_dir).read_bytes() == before
    assert not list(data_dir.rglob("*.tmp"))


def test_a_revocation_whose_sync_failed_is_repeated(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it is unknown whether a revocation is on disk, the command fails, and its repetition writes it again."""
    create(data_dir)
    (key,) = read_rows(local_file(data_dir), ApiKey)

    def fail(_: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_sync_folder", fail)
        assert usage(data_dir, "revoke", key.id).exit_code == 1
    before = local_file(data_dir).stat().st_ino, read_rows(local_file(data_dir), ApiKey)
    assert before[1][0].revoked_at is not None
    assert usage(data_dir, "revoke", key.id).exit_code == 0
    assert read_rows(local_file(data_dir), ApiKey) == before[1]
    assert local_file(data_dir).stat().st_ino != before[0]
