"""The service on a Unix socket: who may connect, what is found there before and left there afterwards."""

import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from service.serving.listener import PortError
from service.serving.unix_socket import open_unix, remove_unused
from tests.support.forked_command import command
from tests.support.invoked import invoke
from tests.support.process import Running, service, workers_of
from tests.support.project import ROOT
from tests.support.service_folder import ServiceFolder

SUMMARY: Final = "/api/v1/usage/summary"
IN_DOCS: Final = "/run/usage/http.sock"
COMMANDS: Final = re.findall(r"(?m)^curl --unix-socket .*$", (ROOT / "docs/proxy.md").read_text("utf-8"))


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield where a socket may be; the kernel takes no long paths."""
    folder = tmp_path_factory.mktemp("s")
    yield folder / "s"
    assert len(os.fsencode(folder)) < 100


def client(path: Path) -> httpx.Client:
    """Return a client of a Unix socket."""
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://usage")


def kill(running: Running) -> None:
    """Kill a service with all its workers."""
    workers = workers_of(running.process)
    for pid in (running.process.pid, *workers):
        os.kill(pid, signal.SIGKILL)
    running.process.wait(60)


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_service(folder: ServiceFolder, path: Path) -> None:
    """It lets nobody else listen there, replaces what a killed one left, and is gone when it stops.

    Meanwhile it answers, limits, counts and logs as on a port.
    """
    limited = folder.key(rate_limit_per_min=1)
    folder.publish()
    umask = os.umask(0)
    try:
        with service(folder.root, "--workers", "2", USAGE_SOCKET=str(path)) as running, client(path) as asking:
            assert running.url == f"unix:{path}"
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            ended = command(folder.root, ["serve", "--data-dir", str(folder.root), "--socket", str(path)])
            assert (ended.code, ended.stderr.count(b"\n")) == (1, 1)
            assert f"error: cannot listen on {path}: somebody listens there" in ended.stderr.decode()
            assert asking.get("/health/ready").status_code == 200
            kill(running)
        assert path.exists()

        with service(folder.root, USAGE_SOCKET=str(path), USAGE_PORT="1") as running, client(path) as asking:
            _ask(asking, folder.token, limited)
            for line in COMMANDS:
                words = shlex.split(line.replace(IN_DOCS, str(path)).replace("op_live_…", folder.token))
                done = subprocess.run([*words, "--silent", "--fail"], capture_output=True, check=True)
                assert json.loads(done.stdout)
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(60) == 0
            assert not path.exists()
        lines = [json.loads(line) for line in running.log if line.startswith('{"request_id"')]
        assert [line["key"] for line in lines if line["route"] == SUMMARY] == [
            "key_0",
            "key_0",
            "key_1",
            "key_1",
            "key_0",
        ]
    finally:
        os.umask(umask)


def _ask(asking: httpx.Client, token: str, limited: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    first = asking.get(SUMMARY, headers=headers)
    assert (first.status_code, first.json()["data"]["range"]) == (200, "30d")
    again = asking.get(SUMMARY, headers=headers | {"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    headers = {"Authorization": f"Bearer {limited}"}
    statuses = [asking.get(SUMMARY, headers=headers).status_code for _ in range(2)]
    assert statuses == [200, 429]
    assert f'route="{SUMMARY}",status="429"}} 1.0' in asking.get("/metrics").text


def test_what_is_in_the_way(path: Path) -> None:
    """Only a socket on which nobody listens is replaced or removed; other files are refused, in one line."""
    with open_unix(path):
        with pytest.raises(PortError, match="somebody listens there"):
            open_unix(path)
        remove_unused(path)
        assert path.exists()
    open_unix(path).close()
    remove_unused(path)
    assert not path.exists()
    remove_unused(path)
    path.write_text("mine")
    with pytest.raises(PortError, match="or it is another file"):
        open_unix(path)
    remove_unused(path)
    assert path.read_text() == "mine"
    for wrong in (path / "s", path.parent / "none" / "s", path.parent / ("s" * 200)):
        with pytest.raises(PortError, match=r"cannot listen on .*: [^:]+$") as refused:
            open_unix(wrong)
        assert "\n" not in str(refused.value)


def test_a_full_queue_is_somebody(path: Path) -> None:
    """A socket whose queue is full belongs to somebody who is busy: it is not replaced."""
    with (
        socket.socket(socket.AF_UNIX) as busy,
        socket.socket(socket.AF_UNIX) as waits,
        socket.socket(socket.AF_UNIX) as more,
    ):
        busy.bind(str(path))
        busy.listen(0)
        for one in (waits, more):
            one.setblocking(False)
            one.connect_ex(str(path))
        with pytest.raises(PortError, match="somebody listens there"):
            open_unix(path)


@pytest.mark.parametrize("other", [("--host", "127.0.0.1"), ("--port", "0")])
@pytest.mark.parametrize("given", [("--socket", "s"), ()])
def test_address_and_socket(tmp_path: Path, given: tuple[str, ...], other: tuple[str, ...]) -> None:
    """An address or a port beside a socket is refused, wherever the socket is set."""
    settings = {} if given else {"USAGE_SOCKET": "s"}
    ended = invoke(["serve", "--data-dir", str(tmp_path), *given, *other], env=settings)
    assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1)
    assert "--host and --port do not go with a Unix socket" in ended.stderr
