"""Workers of a running service: replaced when they die, gone with their main process, and gentle when they stop."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from service.serving.listener import PortError, open_listener
from tests.support.process import ENVIRONMENT, Service, service, workers_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")

READY: Final = "/health/ready"
WAIT_SECONDS: Final = 20


def eventually(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; an error of the connection means that it does not yet."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        with suppress(httpx.TransportError, PortError):
            if condition():
                return
        time.sleep(0.01)
    raise AssertionError("it did not come true")


@pytest.fixture(autouse=True)
def _published(folder: Any) -> None:
    folder.publish()


def alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text("latin-1")
    except OSError:
        return False


def _closed(listener: socket.socket) -> bool:
    listener.close()
    return True


def _others(process: Service, before: set[int]) -> bool:
    return len(workers_of(process) - before) == 2


def test_a_killed_worker_is_replaced(folder: Any) -> None:
    """A killed worker is replaced, again and again, and the service goes on under its address and in its counts."""
    with service(folder.root, "--workers", "2") as (process, url, _):
        httpx.get(url + READY)
        for _ in range(2):
            before = workers_of(process)
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            eventually(partial(_others, process, before))
            eventually(lambda: httpx.get(url + READY).status_code == 200)
        metrics = httpx.get(url + "/metrics").text
        assert 'route="/health/ready",status="200"} 3' in metrics
        assert "usage_worker_restarts_total 4.0\n" in metrics
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_SECONDS) == 0


def test_connections_that_wait_survive_a_worker(folder: Any) -> None:
    """Who connected before the only worker died, and was not accepted yet, is answered by the next one."""
    with service(folder.root) as (process, url, _):
        address = urlsplit(url)
        (pid,) = workers_of(process)
        os.kill(pid, signal.SIGSTOP)  # so that it accepts nobody
        eventually(lambda: ") T " in Path(f"/proc/{pid}/stat").read_text("latin-1"))
        waiting = http.client.HTTPConnection(address.hostname or "", address.port, timeout=WAIT_SECONDS)
        waiting.request("GET", READY)
        os.kill(pid, signal.SIGKILL)
        assert waiting.getresponse().status == 200
        waiting.close()


def test_workers_end_with_their_main_process(folder: Any) -> None:
    """When the main process is killed, its workers follow, and the address is free for the next service."""
    with service(folder.root, "--workers", "2") as (process, url, _):
        pids = workers_of(process)
        assert len(pids) == 2
        process.kill()
        eventually(lambda: not any(map(alive, pids)))
        eventually(lambda: _closed(open_listener("127.0.0.1", urlsplit(url).port or 0)))


def test_a_stop_is_announced(folder: Any) -> None:
    """After SIGTERM new connections are accepted for a while; answers close them, and the service is not ready."""
    with service(folder.root) as (process, url, _):
        assert "connection" not in httpx.get(url + READY).headers
        process.send_signal(signal.SIGTERM)
        eventually(lambda: httpx.get(url + READY).status_code == 503)
        refused, live = httpx.get(url + READY), httpx.get(url + "/health/live")
        assert (refused.headers["connection"], refused.headers["retry-after"]) == ("close", "5")
        assert refused.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
        assert (live.status_code, live.headers["connection"]) == (200, "close")
        assert process.wait(WAIT_SECONDS) == 0


def test_a_stop_right_after_the_start(folder: Any) -> None:
    """A worker that is told to end before it listens to signals ends all the same, and in time."""
    with service(folder.root, "--workers", "2") as (process, _, log):
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_SECONDS) == 0
    assert not [line for line in log if "Killing" in line]


def test_one_worker_stops_alone(folder: Any) -> None:
    """A worker that is asked to end ends gently and is replaced; the service goes on."""
    with service(folder.root) as (process, url, _):
        (pid,) = workers_of(process)
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: workers_of(process) - {pid} and not alive(pid))
        eventually(lambda: httpx.get(url + READY).status_code == 200)


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET /schema HTTP/1.1\r\nHost: x\r\n\r\n" * 3000])
def test_strangers_do_not_delay_a_stop(folder: Any, sent: bytes) -> None:
    """Neither an unfinished request nor answers that nobody reads keep a service from its end."""
    with service(folder.root) as (process, url, log):
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port)) as stranger:
            stranger.setblocking(False)
            with suppress(BlockingIOError):
                stranger.send(sent)
            httpx.get(url + READY)
            process.send_signal(signal.SIGTERM)
            started = time.monotonic()
            assert process.wait(WAIT_SECONDS) == 0
            assert time.monotonic() - started < 4
    assert any(READY in line for line in log)  # nothing of the log is lost


def test_a_service_that_cannot_start_ends(tmp_path: Path) -> None:
    """Where no worker can start at all, the service ends with exit code 1, and does not try for ever."""
    code = "from service.server import listen; listen('127.0.0.1', 0, 2, lambda: 1 / 0)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "listening on" not in done.stderr


def test_a_worker_that_cannot_start_again(folder: Any) -> None:
    """While the directory is broken a worker cannot start: the log says why; once it is mended the service is back.

    Connections go to the other worker meanwhile.
    """
    with service(folder.root, "--workers", "2") as (process, url, log):
        members = folder.root / "directory" / "members.jsonl"
        good = members.read_text("utf-8")
        members.write_text("oops\n", "utf-8")
        first, second = workers_of(process)
        os.kill(first, signal.SIGKILL)
        eventually(lambda: any(line.startswith("error: ") and "members.jsonl, line 1" in line for line in log))
        eventually(lambda: sum(line.startswith("error: ") for line in log) > 1)
        assert {httpx.get(url + READY, timeout=WAIT_SECONDS).status_code for _ in range(20)} == {200}
        members.write_text(good, "utf-8")
        eventually(lambda: len(workers_of(process) - {first, second}) == 1)
        os.kill(second, signal.SIGKILL)
        eventually(lambda: httpx.get(url + READY).status_code == 200)
        assert not [line for line in log if line.startswith("Traceback")]
