"""The directory in the service: repeated keys, and files that change, break and come back."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pipeline.contract.directory import Account, ApiKey, DirectoryError, Member
from service.auth.directory import DirectoryReader, build
from tests.support.clock import ManualClock

W, U = "a0000000-0000-4000-8000-000000000001", "c0000000-0000-4000-8000-00000000000a"


def _member(**fields: Any) -> Member:
    return Member(**({"workspace_id": W, "user_id": U, "name": "Ada", "role": "admin", "status": "active"} | fields))


def _write(path: Path, *rows: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))


def test_last_row_of_a_repeated_key_counts() -> None:
    """The last row of a repeated (workspace, user), user or key id counts; UUIDs are compared in lower case."""
    directory = build(
        [_member(), _member(workspace_id=W.upper(), user_id=U.upper(), status="removed")],
        [Account(U, quota=1), Account(U.upper(), quota=2)],
        [ApiKey("k", "a" * 64, W, U, ()), ApiKey("k", "B" * 64, W, U, ())],
    )
    assert not directory.is_active(W, U)
    assert directory.accounts[U].quota == 2
    assert list(directory.keys) == ["b" * 64]


def test_workspaces_of_a_user_include_those_they_left() -> None:
    """A user's workspaces include workspaces that list the user as removed."""
    other = W.replace("1", "2")
    directory = build([_member(workspace_id=other, status="removed"), _member()], [], [])
    assert directory.workspaces_of(U) == (W, other)
    assert directory.workspaces_of("nobody") == ()


def test_change_is_picked_up_within_a_second(folder: Any) -> None:
    """A changed file is read again after a second, not before."""
    clock = ManualClock()
    reader = DirectoryReader(folder.root, clock)
    folder.member(folder.workspace, folder.other_user)
    clock.seconds += 0.9
    assert not reader.current().is_active(folder.workspace, folder.other_user)
    clock.seconds += 0.2
    assert reader.current().is_active(folder.workspace, folder.other_user)


def test_local_keys_are_merged_after_the_products(folder: Any) -> None:
    """If an id is in both key files, the row of `api_keys.local.jsonl` counts."""
    clock = ManualClock()
    reader = DirectoryReader(folder.root, clock)
    row = folder.directory["api_keys"][0]
    _write(folder.root / "directory" / "api_keys.local.jsonl", row | {"revoked_at": "2026-01-01T00:00:00Z"})
    clock.seconds += 2
    assert reader.current().keys[row["key_sha256"]].revoked_at


def test_broken_file_is_refused_while_the_others_still_count(folder: Any) -> None:
    """A broken file is logged with the line, and its last valid rows stay; a revocation in another file counts."""
    clock = ManualClock()
    reader = DirectoryReader(folder.root, clock)
    (folder.root / "directory" / "members.jsonl").write_text("{}\n")
    folder.key(revoked_at="now")
    clock.seconds += 2
    with capture_logs() as logs:
        directory = reader.current()
        clock.seconds += 2
        reader.current()
    assert len(logs) == 1
    assert "members.jsonl, line 1" in logs[0]["reason"]
    assert directory.is_active(folder.workspace, folder.user)
    assert len(directory.keys) == 2
    folder.member(folder.workspace, folder.other_user)
    clock.seconds += 2
    assert reader.current().is_active(folder.workspace, folder.other_user)


def test_file_that_could_not_be_read_is_tried_again(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that could not be opened for lack of file descriptors is read a second later, though it is unchanged."""
    clock = ManualClock()
    reader = DirectoryReader(folder.root, clock)
    row = folder.directory["api_keys"][0]
    _write(folder.root / "directory" / "api_keys.local.jsonl", row | {"revoked_at": "now"})

    def fail(_: Path) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(Path, "read_bytes", fail)
        clock.seconds += 2
        assert reader.current().keys[row["key_sha256"]].revoked_at is None
    assert len(logs) == 1
    clock.seconds += 2
    assert reader.current().keys[row["key_sha256"]].revoked_at


def test_replaced_file_with_the_same_size_and_time_is_noticed(folder: Any) -> None:
    """A file replaced by one of the same size and modification time is read again."""
    clock = ManualClock()
    path = folder.root / "directory" / "members.jsonl"
    reader = DirectoryReader(folder.root, clock)
    before = path.stat()
    fresh = path.with_suffix(".new")
    fresh.write_text(path.read_text().replace('"active"', '"removed"').replace('"Ada"', '"Al"'))
    assert fresh.stat().st_size == before.st_size
    os.utime(fresh, ns=(before.st_atime_ns, before.st_mtime_ns))
    fresh.replace(path)
    clock.seconds += 2
    assert not reader.current().is_active(folder.workspace, folder.user)


def test_broken_file_at_the_start(folder: Any) -> None:
    """At the start a broken file is an error, since there are no good rows to keep."""
    (folder.root / "directory" / "accounts.jsonl").write_text("nonsense\n")
    with pytest.raises(DirectoryError, match="line 1"):
        DirectoryReader(folder.root)
