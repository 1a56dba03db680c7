"""Which pages of other origins may read the API in a browser: the headers of CORS, by the Fetch standard.

The headers depend on the request's `Origin`, so they are added to each reply after all caches. A page sends its
credential itself, as any client does: cookies and `Access-Control-Allow-Credentials` have no part in this.
"""

from collections.abc import Iterable
from typing import Final

from service.api.routes import SCHEMA
from service.auth.authentication import WORKSPACE_HEADER
from service.http.exchange import Exchange, Reply

_API: Final = "/api/"
_ORIGIN: Final = (b"vary", b"Origin")
_READABLE: Final = (
    *("ETag", "Link", "Retry-After", "X-Request-Id", "X-Data-As-Of"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit", "RateLimit-Policy"),
)
_EXPOSED: Final = (b"access-control-expose-headers", ", ".join(_READABLE).encode())
_METHODS: Final = frozenset({b"GET", b"HEAD"})
_ALLOWED: Final = (
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"Authorization, %b, If-None-Match, Accept" % WORKSPACE_HEADER.encode()),
    (b"access-control-max-age", b"7200"),  # seconds; Chromium keeps it no longer
)


class Cors:
    """Adds to replies what lets the pages of some origins read them.

    Args:
        origins: as browsers send them.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)

    def extend(self, reply: Reply, exchange: Exchange) -> None:
        """Add the headers of CORS to the reply of a route that pages may read; `/metrics` and others are not."""
        if not (exchange.path.startswith(_API) or exchange.path == SCHEMA):
            return
        sent = exchange.headers.get(b"origin", ())
        asked = exchange.headers.get(b"access-control-request-method", ()) if exchange.method == "OPTIONS" else None
        if asked is not None and not (sent and asked):
            return  # no preflight, but a plain OPTIONS
        _vary(reply)
        if len(sent) != 1 or sent[0] not in self._origins:
            return
        if asked is None:
            reply.headers += ((b"access-control-allow-origin", sent[0]), _EXPOSED)
        elif len(asked) == 1 and asked[0] in _METHODS:
            reply.headers += ((b"access-control-allow-origin", sent[0]), *_ALLOWED)


def _vary(reply: Reply) -> None:
    """Name `Origin` in `Vary`, after what is there."""
    for place, (name, value) in enumerate(reply.headers):
        if name == b"vary":
            reply.headers[place] = (name, value + b", Origin")
            return
    reply.headers.append(_ORIGIN)
