"""What a stranger without a credential can do to a running service: nothing that others notice."""

import http.client
import select
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Final
from urllib.parse import urlsplit

import pytest

from benchmarks.attackers import ATTACKS
from benchmarks.attacks import MOST_MB, MOST_MS, suffer
from benchmarks.serving import Process
from service.serving import supervisor
from tests.support.process import USAGE, service
from tests.support.service_folder import ServiceFolder, call, make_event

CONNECTIONS: Final = 200
SECONDS: Final = 0.7

# The service with shorter patience than it has.
HURRIED: Final = """
import sys
from service.serving import listener, supervisor
listener._UNREAD_MS = 300
supervisor._HEADERS_MS = 300
from service.commands import main
main()
"""

# The service with few places.
NARROW: Final = """
import sys
from service.serving import listener
listener._MOST_CONNECTIONS = 40
from service.commands import main
main()
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ServiceFolder:
    """Return a data folder with some events."""
    folder = ServiceFolder(tmp_path_factory.mktemp("attacked"))
    folder.publish([make_event(folder.now - number * 60_000_000, credits=1) for number in range(50)])
    return folder


@pytest.fixture(scope="module")
def attacked(data: ServiceFolder) -> Iterator[Process]:
    """Return a running service that all attacks meet in turn."""
    with service(data.root, command=USAGE) as found:
        yield Process(found.url, found.process.pid)


@pytest.mark.parametrize("name", ATTACKS)
def test_others_are_answered(data: ServiceFolder, attacked: Process, name: str) -> None:
    """During each attack others are answered in time, and the worker stays within its memory."""
    found = suffer(name, attacked, data.token, SECONDS, CONNECTIONS)
    assert found.failures == []
    assert found.percentile(0.5) < MOST_MS
    assert 0 < found.most_mb < MOST_MB


@pytest.fixture(scope="module")
def hurried(data: ServiceFolder) -> Iterator[tuple[str, int]]:
    """Return the address of a service with less patience."""
    with service(data.root, command=(sys.executable, "-c", HURRIED)) as found:
        address = urlsplit(found.url)
        yield address.hostname or "", address.port or 0


def until_closed(connection: socket.socket) -> bytes:
    """Return what is still sent until the other side closes the connection."""
    connection.settimeout(20)
    found = b""
    with suppress(ConnectionError):
        while piece := connection.recv(65_536):
            found += piece
    return found


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-A: ",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx",
    ],
    ids=["silent", "unfinished", "answered", "body"],
)
def test_patience_ends(hurried: tuple[str, int], sent: bytes) -> None:
    """A connection on which no request is completed is closed: at its start, within one, and after an answer."""
    with socket.create_connection(hurried) as connection:
        connection.sendall(sent)
        answer = until_closed(connection)
        assert answer.startswith(b"HTTP/1.1 ") == (b"\r\n\r\n" in sent)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the connections of a process")
def test_a_crowd_leaves_room(data: ServiceFolder) -> None:
    """Someone who holds more connections than there are places, and says nothing, keeps nobody waiting for long."""
    with service(data.root, command=(sys.executable, "-c", NARROW)) as found, ExitStack() as crowd:
        address = urlsplit(found.url)
        for _ in range(80):
            crowd.enter_context(socket.create_connection((address.hostname, address.port)))
        patience = supervisor._HEADERS_MS / 1000 / 2  # noqa: SLF001 - after it the crowd would be gone in any case
        connection = http.client.HTTPConnection(address.netloc, timeout=patience)
        connection.request("GET", "/health/live")
        assert connection.getresponse().status == 200
        connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux closes connections that nobody reads")
def test_unread_answers_are_dropped(hurried: tuple[str, int]) -> None:
    """A client that asks on and on and reads nothing loses its connection."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(hurried)
        connection.setblocking(False)
        with suppress(BlockingIOError):
            connection.send(b"GET /schema HTTP/1.1\r\nHost: x\r\n\r\n" * 10_000)
        closed = select.poll()
        closed.register(connection, select.POLLHUP)
        assert closed.poll(20_000)


def test_http2_is_not_spoken(attacked: Process) -> None:
    """HTTP/2 without TLS is refused: its headers unpack to any size."""
    address = urlsplit(attacked.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert not until_closed(connection).startswith(b"\0\0")  # the frame that every answer of HTTP/2 begins with


@pytest.mark.parametrize(("size", "status"), [(12_000, 200), (60_000, 200), (200_000, 431)])
def test_large_headers(attacked: Process, size: int, status: int) -> None:
    """Headers may be as large as browsers send them, and not larger."""
    connection = http.client.HTTPConnection(urlsplit(attacked.url).netloc, timeout=20)
    with suppress(ConnectionError):
        connection.request("GET", "/health/live", headers={"X-A": "a" * size})
    assert connection.getresponse().status == status
    connection.close()


def test_a_large_answer_to_a_stranger_closes(data: ServiceFolder) -> None:
    """After a large answer without a credential the connection closes, so that no second one waits in memory."""
    app = data.app()
    sizes = {}
    for path in ("/schema", "/metrics", "/schema/page", "/health/live"):
        reply = call(app, path)
        sizes[path] = len(reply.body)
        assert (reply.headers.get("connection") == "close") == (len(reply.body) > 8192), path
    assert "connection" not in data.ask("/api/v1/usage/summary", "range=90d&activity_view=weekly", app).headers
