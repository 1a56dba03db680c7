"""One request and its reply, as the parts of the front pass them on; also its log line and its `Server-Timing`."""

from collections.abc import Iterable
from typing import Final

import msgspec
from litestar.types import HTTPScope
from ulid_transform import ulid_now

from pipeline.contract.calendar import rfc3339
from service.auth.authentication import Headers
from service.errors import ApiError
from service.telemetry.logs import RequestLine

JSON: Final = (b"content-type", b"application/json")

# Any other method is not logged, because it would be text of the client's own.
_LOGGED_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class Reply(msgspec.Struct):
    """What is sent back: status, headers without `Content-Length`, and body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Exchange(msgspec.Struct):
    """One request, with its id and instant, and what was found out about it on the way."""

    scope: HTTPScope
    request_id: str
    now: int  # the request's instant, in microseconds UTC
    method: str
    path: str
    query_string: bytes
    headers: Headers
    route: str | None = None
    workspace_id: str | None = None
    key_id: str | None = None
    limit: int | None = None  # answers a minute; None: the key is not limited
    cached: bool | None = None  # whether the data were in memory; None: no data were needed

    @classmethod
    def begin(cls, scope: HTTPScope, now: int) -> "Exchange":
        """Return the exchange of a request that has just arrived."""
        return cls(
            scope=scope,
            request_id=ulid_now(),
            now=now,
            method=scope["method"],
            path=scope["path"],
            query_string=scope["query_string"],
            headers=_by_name(scope["headers"]),
        )

    def refuse(self, error: ApiError) -> Reply:
        """Return the reply of a request that ended with an error."""
        return Reply(error.status, [JSON, *error.headers], error.body(self.request_id, rfc3339(self.now)))


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
    """Return the value of `Server-Timing`: cache hit or miss, if data were needed, and the total in milliseconds."""
    cached = {True: b"cache;desc=hit, ", False: b"cache;desc=miss, ", None: b""}[exchange.cached]
    return b"%btotal;dur=%.3f" % (cached, nanoseconds / 1e6)


def _by_name(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the values of each header by its lower-case name, in the order received."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    return found
