"""The directory in the service: repeated keys, and files that change, break and come back."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pipeline.contract import directory as files
from pipeline.contract.directory import EXPORTS, Account, ApiKey, Member
from service.auth.directory import DirectoryReader, build
from tests.support.clock import ManualClock
from tests.support.invoked import invoke
from tests.support.permissions import permissions_obeyed

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

    def fail(_: Path) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(files, "open_file", fail)
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


def _latin(path: Path) -> None:
    path.write_bytes(b'{"name": "Zo\xeb"}\n')


BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no JSON": (lambda path: path.write_text("nonsense\n"), "line 1: JSON is malformed"),
    "not UTF-8": (_latin, "line 1: is not UTF-8"),
    "named pipe": (os.mkfifo, "cannot be read: it is a named pipe, not a file"),
    "folder": (Path.mkdir, "cannot be read: it is a folder, not a file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "cannot be read: it is a device, not a file"),
    "unreadable": (lambda path: path.touch(0o000), "cannot be read: Permission denied"),
    "a link to itself": (lambda path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
}


@pytest.mark.parametrize("name", ["members", "accounts", "api_keys", "api_keys.local"])
@pytest.mark.parametrize("fault", BREAKS)
def test_what_is_no_directory_file(folder: Any, fault: str, name: str) -> None:
    """Whatever takes the place of a file is refused in one log line, without waiting, until the file is back."""
    folder.account(folder.user, quota=7)
    path, clock = folder.root / f"directory/{name}.jsonl", ManualClock()
    make, reason = BREAKS[fault]
    with permissions_obeyed():
        reader = DirectoryReader(folder.root, clock)
        good = path.read_bytes() if path.exists() else b""
        path.unlink(missing_ok=True)
        make(path)
        with capture_logs() as logs:
            for _ in range(3):
                clock.seconds += 1
                directory = reader.current()
        assert [entry["log_level"] for entry in logs] == ["error"]
        assert reason in logs[0]["reason"]
        assert str(path) in logs[0]["reason"]
        assert directory.is_active(folder.workspace, folder.user)
        assert (len(directory.accounts), len(directory.keys)) == (1, 1)
        path.rmdir() if path.is_dir() else path.unlink()
        path.write_bytes(good)
        clock.seconds += 1
        with capture_logs() as logs:
            reader.current()
    assert [(entry["event"], entry["file"]) for entry in logs] == [("directory file accepted again", path.name)]


@pytest.mark.parametrize("fault", BREAKS)
def test_broken_file_at_the_start(folder: Any, fault: str) -> None:
    """At the start a broken file is an error in one line, since there are no good rows to keep."""
    make, reason = BREAKS[fault]
    make(folder.root / "directory/accounts.jsonl")
    with permissions_obeyed():
        result = invoke(["serve", "--port", "0", "--data-dir", str(folder.root)])
    assert isinstance(result.exception, SystemExit)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"error: {folder.root}/directory/accounts.jsonl")
    assert reason in result.stderr


@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize("content", [None, b"", b"\n \r\n", b"\xef\xbb\xbf"])
def test_export_that_lost_its_rows(folder: Any, name: str, content: bytes | None) -> None:
    """An export that vanishes or becomes empty is refused with a log line; its rows stay until it has rows again."""
    folder.account(folder.user, quota=7)
    path, clock = folder.root / "directory" / name, ManualClock()
    reader, good = DirectoryReader(folder.root, clock), path.read_bytes()
    path.unlink() if content is None else path.write_bytes(content)
    with capture_logs() as logs:
        for _ in range(3):
            clock.seconds += 1
            assert reader.current() is reader._directory  # noqa: SLF001 - it was not even built again
    (line,) = logs
    assert line["log_level"] == "error"
    assert line["reason"].startswith(f"{path} {'is missing' if content is None else 'has no rows'}; ")
    directory = reader.current()
    assert (len(directory.members), len(directory.accounts), len(directory.keys)) == (1, 1, 1)
    digest = folder.directory["api_keys"][0]["key_sha256"].encode()
    more = good.replace(b"000a", b"000c").replace(b"key_0", b"key_1").replace(digest, digest[::-1])
    path.write_bytes(good + more)
    clock.seconds += 1
    directory = reader.current()
    assert len(directory.members) + len(directory.accounts) + len(directory.keys) == 4


def test_local_keys_may_all_go(folder: Any) -> None:
    """Unlike an export, the file of the keys made here may become empty, as after `usage forget`, and may vanish."""
    clock, path = ManualClock(), folder.root / "directory/api_keys.local.jsonl"
    row = folder.directory["api_keys"][0]
    for empty in (lambda: path.write_text(""), path.unlink):
        _write(path, row | {"revoked_at": "now"})
        reader = DirectoryReader(folder.root, clock)
        empty()
        clock.seconds += 1
        assert reader.current().keys[row["key_sha256"]].revoked_at is None


def test_exports_without_rows_at_the_start(folder: Any) -> None:
    """At the start a missing or empty export is taken, with a warning for each; rows that come later count."""
    (folder.root / "directory/members.jsonl").write_text("\n")
    clock = ManualClock()
    with capture_logs() as logs:
        app = folder.app(monotonic=clock)
    assert [(entry["log_level"], entry["reason"]) for entry in logs] == [
        ("warning", f"{folder.root}/directory/members.jsonl has no rows"),
        ("warning", f"{folder.root}/directory/accounts.jsonl is missing"),
    ]
    assert folder.ask("/api/v1/auth/whoami", app=app).status == 403
    folder.member(folder.workspace, folder.user)
    clock.seconds += 1
    assert folder.ask("/api/v1/auth/whoami", app=app).status == 200
