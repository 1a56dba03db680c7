"""Close the connections that have gone longest without an answer, before no new ones find room.

Otherwise a stranger who holds all connections of a worker, and sends next to nothing on them, would keep everybody else
waiting for as long as incomplete headers are waited for. Clients whose idle connection is closed open another one.
Reads what the kernel knows of the connections of this process; needs Linux.
"""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

_FULL: Final = 3 / 4  # of the connections that a worker may hold: then some are closed,
_KEPT: Final = 1 / 2  # until so many are left
_YOUNG_MS: Final = 500  # a connection without an answer for less is kept: it may be about to get one
_INTERNET: Final = {socket.AF_INET, socket.AF_INET6}
_FILES: Final = Path("/proc/self/fd")
# Of Linux' `struct tcp_info`: how long ago anything was sent; at first, how long ago the connection was opened.
_LAST_SENT: Final = struct.Struct("44xI")


class _Connection(msgspec.Struct):
    file: int
    silent_ms: int  # since the last answer, or since it was opened


def shed(listener: socket.socket, most: int, young_ms: int = _YOUNG_MS) -> int:
    """Close some connections if a worker holds nearly as many as it may; return how many.

    Who connects to a Unix socket was allowed to, and is no stranger: such connections are left alone.

    Args:
        listener: the connections that it accepted are looked at; each has its address and port.
        most: how many connections the worker may hold.
        young_ms: a connection that was opened or got an answer less long ago is kept.
    """
    if listener.family not in _INTERNET:
        return 0
    try:
        files = [int(path.name) for path in _FILES.iterdir()]
    except OSError:  # not Linux, or no file can be opened
        return 0
    if len(files) < most * _FULL:
        return 0
    found = sorted(_connections(files, listener.getsockname()[1]), key=lambda connection: -connection.silent_ms)
    if len(found) < most * _FULL:
        return 0
    closed = 0
    for connection in found[: len(found) - int(most * _KEPT)]:
        if connection.silent_ms < young_ms:
            break
        with suppress(OSError), _borrowed(connection.file) as borrowed:
            borrowed.shutdown(socket.SHUT_RDWR)
            closed += 1
    return closed


def _connections(files: list[int], port: int) -> Iterator[_Connection]:
    for file in files:
        with suppress(OSError), _borrowed(file) as borrowed:  # OSError: gone by now, or not connected
            if borrowed.family in _INTERNET and borrowed.getsockname()[1] == port and borrowed.getpeername():
                told = borrowed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_SENT.size)
                yield _Connection(file, *_LAST_SENT.unpack(told))


def _borrowed(file: int) -> socket.socket:
    """Return another handle of a socket, whose owner does not notice that it is closed.

    Raises:
        OSError: it is not a socket, or gone.
    """
    copy = os.dup(file)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
