"""A JWKS in a file that appears, changes, breaks and vanishes."""

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.auth import jwks_source
from service.auth.jwks import KeyRing
from service.auth.jwks_source import key_source
from tests.support.clock import ManualClock
from tests.support.issuer import jwks
from tests.support.permissions import permissions_obeyed
from tests.support.service_folder import ServiceFolder
from tests.support.sessions import NEW, OLD, RSA, STRANGE_RSA, WHOAMI, ask, is_unavailable, jwks_app


def test_file_that_changes(folder: ServiceFolder) -> None:
    """A changed file takes effect in the next second, even for verified tokens; a broken file changes nothing."""
    path = folder.root / "jwks.json"
    path.write_bytes(jwks(first=RSA))
    app, clock = jwks_app(folder, str(path))

    def statuses() -> tuple[int, int]:
        clock.seconds += 1
        return ask(app, OLD).status, ask(app, NEW).status

    assert statuses() == (200, 401)
    path.write_bytes(jwks(second=STRANGE_RSA))
    assert ask(app, OLD).status == 200
    assert statuses() == (401, 200)
    with capture_logs() as logs:
        for broken in ("{", '{"keys": []}', " " * 300_000):
            path.write_text(broken)
            assert statuses() == (503, 200)
            assert statuses() == (503, 200)
        path.unlink()
        assert statuses() == (503, 200)
        assert statuses() == (503, 200)
    refusals = [entry for entry in logs if entry["log_level"] == "error"]
    assert [entry["event"] for entry in refusals] == ["session keys refused, the last good ones stay in force"] * 4
    path.write_bytes(jwks(first=RSA))
    statuses()
    assert statuses() == (200, 401)


def test_file_that_is_not_there_yet(folder: ServiceFolder) -> None:
    """Without any key, a session gets 503 and an API key is served; the file takes effect once it appears."""
    path = folder.root / "jwks.json"
    app, clock = jwks_app(folder, str(path))
    assert is_unavailable(ask(app, OLD))
    assert is_unavailable(ask(app, OLD, WHOAMI))
    assert ask(app, folder.token).status == 200
    path.write_bytes(jwks(first=RSA))
    clock.seconds += 1
    assert ask(app, OLD).status == 200


def test_byte_order_mark(folder: ServiceFolder) -> None:
    """A byte order mark before the keys is skipped."""
    path = folder.root / "jwks.json"
    path.write_bytes(b"\xef\xbb\xbf" + jwks(first=RSA))
    app, _ = jwks_app(folder, str(path))
    assert ask(app, OLD).status == 200


NO_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "named pipe": (os.mkfifo, "it is a named pipe, not a file"),
    "folder": (Path.mkdir, "it is a folder, not a file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a file"),
    "unreadable": (lambda path: path.touch(0o000), "Permission denied"),
    "missing": (lambda _: None, "No such file or directory"),
    "huge": (lambda path: path.write_bytes(b" " * (1 << 20)), "larger than 262144 bytes"),
    "in a file": (lambda path: path.parent.write_bytes(b""), "Not a directory"),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_key_file(folder: ServiceFolder, name: str) -> None:
    """What is no readable file gives 503 and one log line, without waiting, until the keys are there."""
    path = folder.root / "keys/jwks.json"
    if name != "in a file":
        path.parent.mkdir()
    make, reason = NO_FILES[name]
    make(path)
    with capture_logs() as logs, permissions_obeyed():
        app, clock = jwks_app(folder, str(path))
        for _ in range(3):
            assert is_unavailable(ask(app, OLD))
            clock.seconds += 1
    refusals = [entry["reason"] for entry in logs if entry["log_level"] == "error"]
    assert len(refusals) == 1
    assert reason in refusals[0]
    clock.seconds += 60
    with capture_logs() as logs, permissions_obeyed():
        assert is_unavailable(ask(app, OLD))
    assert name in {"missing", "huge"} or [entry["reason"] for entry in logs] == refusals


def test_file_that_could_not_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that could not be opened for lack of file descriptors is read the next time, though it is unchanged."""
    path = tmp_path / "jwks.json"
    path.write_bytes(jwks(first=RSA))
    source = key_source(str(path))

    def fail(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(jwks_source, "open_file", fail)
        with pytest.raises(OSError, match="open files"):
            asyncio.run(source.read())
    assert asyncio.run(source.read()) == path.read_bytes()
    assert asyncio.run(source.read()) is None


def test_the_same_keys_again(tmp_path: Path) -> None:
    """If the file is rewritten with the same keys, tokens are not verified again."""
    path, clock = tmp_path / "jwks.json", ManualClock()
    path.write_bytes(jwks(first=RSA))

    async def scenario() -> None:
        ring = KeyRing(key_source(str(path)), clock)
        assert await ring.find("first", "RS256")
        first = await ring.current()
        path.write_bytes(jwks(first=RSA))
        os.utime(path, (1, 1))
        clock.seconds += 1
        assert await ring.current() is first

    asyncio.run(scenario())
