"""The socket of the service: which addresses it takes, how many connections, and how it closes without a loss."""

import resource
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from service.serving.listener import PortError, address, open_listener, open_listeners, refuse_new
from tests.support.process import ENVIRONMENT


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "::", "0.0.0.0"])
def test_addresses(host: str) -> None:
    """Addresses of both families and names are listened on; the URL that is shown can be asked."""
    with open_listener(host, 0) as listener:
        port = listener.getsockname()[1]
        assert address(host, listener) == f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        socket.create_connection((host, port), timeout=5).close()


def test_a_name_means_its_ipv4_address() -> None:
    """`localhost` answers those who ask 127.0.0.1, whatever comes first in the hosts file."""
    with open_listener("localhost", 0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70 + ".example", "203.0.113.1", "::1::", "-"])
def test_addresses_of_others(host: str) -> None:
    """What is no address of this machine is refused with one line that names it."""
    with pytest.raises(PortError, match="cannot listen on") as refused:
        open_listener(host, 0)
    assert "\n" not in str(refused.value)
    assert host in str(refused.value)


def test_taken_port() -> None:
    """A port that somebody listens on is refused, not shared."""
    for count in (1, 2):
        listeners = open_listeners("127.0.0.1", 0, count)
        for other in (1, 2):
            with pytest.raises(PortError, match="in use"):
                open_listeners("127.0.0.1", listeners[0].getsockname()[1], other)
        for listener in listeners:
            listener.close()


def test_connections_are_shared_out() -> None:
    """Each of several sockets gets its part of the connections that come at once."""
    listeners = open_listeners("127.0.0.1", 0, 2)
    clients = [socket.create_connection(listeners[0].getsockname()) for _ in range(64)]
    got = []
    for listener in listeners:
        listener.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                got.append(listener)
                listener.accept()[0].close()
        listener.close()
    for client in clients:
        client.close()
    assert min(map(got.count, listeners)) > 8


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux filters packets of a socket")
def test_last_connections() -> None:
    """Once new connections are refused, one that waits is still accepted and answered; a later one finds nobody."""
    with open_listener("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()) as early:
        refuse_new(listener)
        with socket.socket() as late:
            late.settimeout(0.1)
            with pytest.raises(TimeoutError):
                late.connect(listener.getsockname())
        accepted, _ = listener.accept()
        early.sendall(b"asked")
        assert accepted.recv(5) == b"asked"
        accepted.sendall(b"answered")
        accepted.close()
        assert early.recv(8) == b"answered"


@pytest.mark.parametrize(
    ("soft", "hard", "most"), [(512, 1024, 768), (256, 100_000, 2048), (300, 300, 44), (64, 64, 1)]
)
def test_open_files(soft: int, hard: int, most: int) -> None:
    """The limit of open files is raised as far as is allowed; connections leave room in it for other files."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit != resource.RLIM_INFINITY and limit < hard:
        hard, most = limit, min(most, limit - 256)
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from service.serving.listener import most_connections; print(most_connections())"
    )
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert int(done.stdout) == most
