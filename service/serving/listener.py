"""The sockets that workers accept connections from, one for each, and how many connections a worker holds.

The main process opens the sockets before the first worker starts, and workers inherit them. So waiting connections
are lost neither when a worker dies nor while a new one starts. The kernel distributes connections among the sockets;
with a single socket, one worker would often take all connections that arrive together.

    PortError  the address cannot be listened on
"""

import ctypes
import resource
import socket
import struct
from contextlib import suppress
from typing import Final

BACKLOG: Final = 1024  # connections that wait until a worker accepts them

# A client that reads nothing for this long is cut off; otherwise a stranger could hold an answer in memory for ever.
_UNREAD_MS: Final = 20_000
# The kernel's buffers for each connection. The kernel doubles these sizes; without them, each buffer could grow to
# several megabytes, which costs memory, and answers would be computed for somebody who reads none.
_SEND_BYTES: Final = 64 * 1024
_RECEIVE_BYTES: Final = 64 * 1024

_MOST_CONNECTIONS: Final = 2048  # with full buffers, all of them take 200 MB
_OTHER_FILES: Final = 256  # files that a worker needs for anything but connections
_SO_ATTACH_FILTER: Final = 26  # Linux, asm-generic; the module `socket` does not name it
_DROP: Final = struct.pack("HBBI", 6, 0, 0, 0)  # of the packet filter: keep 0 bytes of every packet


class PortError(Exception):
    """Raised when the address cannot be listened on; the message says why."""


def open_listeners(host: str, port: int, count: int) -> list[socket.socket]:
    """Return sockets that listen on one address, which nobody else listens on.

    Args:
        host: an address, or a name such as `localhost`; of several addresses of a name, an IPv4 one comes first.
        port: 0 means any free port.
        count: number of sockets.

    Raises:
        PortError: the address cannot be listened on.
    """
    if count == 1:
        return [open_listener(host, port)]
    with open_listener(host, port, listens=False) as first:  # sharing would let somebody else have a part
        port = first.getsockname()[1]
    return [open_listener(host, port, shares=True) for _ in range(count)]


def open_listener(host: str, port: int, *, shares: bool = False, listens: bool = True) -> socket.socket:
    """Return a socket on an address.

    Args:
        host: see `open_listeners`.
        port: 0 means any free port.
        shares: whether other sockets of this user may listen there too.
        listens: whether it does already; until then no connection comes to it.

    Raises:
        PortError: the address cannot be listened on.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError) as error:  # UnicodeError: Python's answer to a name that is too long
        raise PortError(f"cannot listen on {host}:{port}: {error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections may linger
        # Connections inherit these.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(AttributeError, OSError):  # only Linux has it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
        if shares:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        if listens:
            listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortError(f"cannot listen on {host}:{port}: {error}") from None
    return listener


def address(host: str, listener: socket.socket) -> str:
    """Return where a socket listens: a URL with `host`, or `unix:` and the path of a Unix socket."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"


def refuse_new(listener: socket.socket) -> None:
    """Let the kernel drop new connection attempts; connections that wait already can still be accepted.

    Closing the socket would break off connections that wait. Clients whose packets are dropped try again a second
    later, when the next service listens; a Unix socket refuses them at once.
    """
    if listener.family == socket.AF_UNIX:
        listener.shutdown(socket.SHUT_RD)
        return
    program = ctypes.create_string_buffer(_DROP, len(_DROP))
    with suppress(OSError):  # elsewhere than on Linux a connection may be broken off
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HxxxxxxP", 1, ctypes.addressof(program)))


def most_connections() -> int:
    """Raise the limit on open files as far as allowed, and return how many connections a worker may hold at once.

    At the limit of open files, granian would try to accept the next connection again and again without a pause.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    return _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft) - _OTHER_FILES)
