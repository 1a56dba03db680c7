"""One request and its reply, as the middleware holds them while it works.

Reads the headers of an ASGI scope; writes the log line and the `Server-Timing` header of an exchange.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from service.auth.authentication import Headers
from service.telemetry.logs import RequestLine

_LOGGED_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})  # no client's own text


class Reply(msgspec.Struct):
    """The response to one request: status, headers and body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Exchange(msgspec.Struct):
    """One request, and what the checks have found out about it so far.

    `now` is in microseconds UTC. The optional fields stay None until the check that sets them has passed.
    """

    request_id: str
    now: int
    method: str
    path: str
    query_string: bytes
    headers: Headers
    route: str | None = None
    workspace_id: str | None = None
    key_id: str | None = None
    limit: int | None = None  # answers a minute
    cached: bool | None = None  # whether the data were in memory


def headers_by_name(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the values of each header under its lower-case name, in the order received."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    return found


def log_line(exchange: Exchange, reply: Reply, nanoseconds: int) -> RequestLine:
    """Return the log line of a finished exchange that took `nanoseconds`."""
    return RequestLine(
        request_id=exchange.request_id,
        route=exchange.route,
        method=exchange.method if exchange.method in _LOGGED_METHODS else None,
        status=reply.status,
        duration_ms=nanoseconds / 1e6,
        workspace=exchange.workspace_id,
        key=exchange.key_id,
    )


def server_timing(exchange: Exchange, nanoseconds: int) -> bytes:
    """Return the `Server-Timing` value: cache hit or miss, where data were looked up, and the total in milliseconds."""
    cached = {True: b"cache;desc=hit, ", False: b"cache;desc=miss, ", None: b""}[exchange.cached]
    return b"%btotal;dur=%.3f" % (cached, nanoseconds / 1e6)
