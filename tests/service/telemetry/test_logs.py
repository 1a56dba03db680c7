"""The log: one complete line for each request, without anything that the client sent."""

import asyncio
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.contract.settings import SettingError, Settings
from service.application import create_app
from service.telemetry.logs import RequestLine, RequestLog
from tests.support.process import start, stop

SUMMARY = "/api/v1/usage/summary"
ACTIVITY = "/api/v1/usage/activity"


class Log:
    """A request log whose lines can be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = RequestLog(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND))

    def text(self) -> str:
        """Return the log so far."""
        self.log.flush()
        return self.path.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """Return the decoded lines so far."""
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """Return an empty log."""
    return Log(tmp_path / "log")


def _make_line(number: int) -> RequestLine:
    return RequestLine(f"id{number}", SUMMARY, "GET", 200, 0.5, None, None)


def test_a_line_a_request(folder: Any, send: Any, log: Log) -> None:
    """Each request has one line: id, route, method, status, duration, workspace and key id."""
    folder.publish()
    app = folder.app(log=log.log)
    reply = folder.ask(SUMMARY, "", app)
    send(app, "/unknown")
    line, unknown = log.lines()
    assert set(line) == {
        *("timestamp", "level", "event", "request_id", "route", "method", "status", "duration_ms", "workspace", "key")
    }
    assert line["request_id"] == reply.headers["x-request-id"]
    assert (line["route"], line["status"], line["method"]) == (SUMMARY, 200, "GET")
    assert (line["workspace"], line["key"]) == (folder.workspace, "key_0")
    assert 0 < line["duration_ms"] < 10_000
    assert (unknown["route"], unknown["status"], unknown["workspace"], unknown["key"]) == (None, 404, None, None)


@pytest.mark.parametrize(
    "secret", ["op_live_0123456789", "ada@example.org", pytest.param("Ada", id="name"), "eyJhbGciOiJ.eyJzdWIi.c2ln"]
)
def test_nothing_that_was_sent(folder: Any, send: Any, log: Log, capfd: Any, secret: str) -> None:
    """No line contains anything that a client sends in path, query, method or headers, whether valid or not."""
    folder.publish()
    app, good = folder.app(log=log.log), ("authorization", f"Bearer {folder.token}")
    for path in (f"/{secret}", SUMMARY, f"{SUMMARY}/{secret}", ACTIVITY):
        for query in (f"{secret}={secret}", f"range={secret}&timezone={secret}", f"cursor={secret}&user_id={secret}"):
            for headers in (
                [good],
                [("authorization", secret)],
                [("authorization", f"Bearer {secret}")],
                [good, ("x-workspace-id", secret), ("if-none-match", secret), ("x-request-id", secret)],
                [(secret, secret), good, ("accept", secret), ("user-agent", secret), ("cookie", secret)],
            ):
                for method in ("GET", "HEAD", "OPTIONS", "POST", secret):
                    send(app, path, query.encode(), headers, method)
    text = log.text() + "".join(capfd.readouterr())
    assert len(log.lines()) == 4 * 3 * 5 * 5
    for word in (secret, folder.token, folder.user, "Ada"):
        assert word not in text


_FAIL = """
from service.telemetry import logs
import structlog
logs.configure_logs()
try:
    try:
        int("op_live_secret")
    except ValueError as error:
        raise KeyError("ada@example.org") from error
except KeyError:
    structlog.get_logger().exception("unforeseen", request_id="id")
"""


def test_exceptions_do_not_quote() -> None:
    """An exception and its causes are logged by kind and place, without their messages."""
    done = subprocess.run([sys.executable, "-c", _FAIL], capture_output=True, text=True, check=True)
    line = json.loads(done.stderr)
    assert [cause["kind"] for cause in line["exception"]] == ["KeyError", "ValueError"]
    assert line["exception"][0]["where"] == ["<string>:9 <module>"]
    assert (line["event"], line["level"], line["request_id"]) == ("unforeseen", "error", "id")
    assert "secret" not in done.stderr
    assert "ada" not in done.stderr


def _written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    pieces: list[bytes] = []
    write = os.write

    def note(descriptor: int, data: Any) -> int:
        pieces.append(bytes(data))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", note)
    return pieces


def test_lines_are_written_in_batches(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Complete lines are written in batches that a pipe accepts in one write."""
    pieces = _written(monkeypatch)

    async def write() -> None:
        for number in range(1000):
            log.log.write(_make_line(number))

    asyncio.run(write())
    assert [line["request_id"] for line in log.lines()] == [f"id{number}" for number in range(1000)]
    assert len(pieces) < 100
    assert all(piece.endswith(b"\n") and len(piece) <= 4096 for piece in pieces)


def test_lines_come_soon() -> None:
    """A line is written after a short delay, even if no other follows; after the log is closed, at once."""
    reader, writer = os.pipe()
    log = RequestLog(writer)

    async def read() -> str:
        return str(json.loads(await asyncio.to_thread(os.read, reader, 4096))["request_id"])

    async def write() -> None:
        log.write(_make_line(1))
        assert select.select([reader], [], [], 0)[0] == []
        assert await read() == "id1"
        log.write(_make_line(2))
        log.close()
        assert await read() == "id2"
        log.write(_make_line(3))
        assert select.select([reader], [], [], 0)[0] == [reader]
        assert await read() == "id3"

    asyncio.run(write())


def test_full_disk(folder: Any) -> None:
    """Requests are answered even if lines cannot be written."""
    log = RequestLog(os.open("/dev/full", os.O_WRONLY))
    app = folder.app(log=log)
    log.close()
    assert folder.ask("/api/v1/auth/whoami", app=app).status == 200


def test_server_timing(folder: Any, send: Callable[..., Any]) -> None:
    """Only in debug mode do answers have `Server-Timing`: the duration, and whether the data were in memory."""
    folder.publish()
    assert "server-timing" not in folder.ask(SUMMARY).headers
    app = create_app(Settings.read({"USAGE_DEBUG": "true"}, data_dir=folder.root), lambda: folder.now)
    timings = [folder.ask(SUMMARY, app=app).headers["server-timing"] for _ in range(2)]
    assert [timing.rsplit("=", 1)[0] for timing in timings] == [
        "cache;desc=miss, total;dur",
        "cache;desc=hit, total;dur",
    ]
    assert float(timings[0].rsplit("=", 1)[1]) > 0
    assert send(app, "/health/live").headers["server-timing"].startswith("total;dur=")


@pytest.mark.parametrize(("text", "value"), [("1", True), ("True", True), ("0", False), ("false", False), ("", False)])
def test_debug_setting(text: str, value: bool) -> None:
    """USAGE_DEBUG is true or false, and nothing else."""
    assert Settings.read({"USAGE_DEBUG": text}).debug is value
    assert Settings.read({"USAGE_DEBUG": "false"}, debug=True).debug
    with pytest.raises(SettingError, match="USAGE_DEBUG='maybe'"):
        Settings.read({"USAGE_DEBUG": "maybe"})


def test_debug_option(folder: Any) -> None:
    """`usage serve --debug` has the same effect."""
    process, url = start(folder.root, "--debug")
    assert "server-timing" in httpx.get(f"{url}/health/live").headers
    stop(process)
