"""The front: an ASGI middleware that does what every request needs, around the Litestar application with the handlers.

Each request gets one id and one instant, has its route and method checked (404, 405), is answered by the read path or,
on an open route, by the wrapped application directly, and leaves one log line. Errors become replies here. It is
written in plain ASGI because the usual middlewares of a framework halve the number of requests that are served
(docs/decisions/0008-asgi-front.md).
"""

import time
from collections.abc import Callable
from typing import Final

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from service.api.routes import ENDPOINTS, OPEN_ROUTES, SCHEMA, SCHEMA_PAGE, Endpoint
from service.auth.directory import DirectoryReader
from service.auth.session_tokens import TokenVerifier
from service.errors import (
    ALLOWED_METHODS,
    ApiError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from service.http import path_prefix, static_files, subrequest
from service.http.cors import Cors
from service.http.exchange import Exchange, Reply, log_line, server_timing
from service.http.rate_limit import RateLimiter
from service.http.read_path import ReadPath
from service.http.stopping import Stopping
from service.lru import LruCache
from service.page.site import Site
from service.tables.snapshots import Snapshots
from service.tables.source import StoreError
from service.telemetry.logs import RequestLog
from service.telemetry.metrics import Metrics

_WITHOUT_LENGTH: Final = frozenset({204, 304})  # statuses without a body
# After a larger answer to a stranger the connection closes: otherwise one who asks on and reads nothing would leave
# several of them in memory.
_MOST_UNCLOSED_BYTES: Final = 8192
_FREE: Final = frozenset({304, RateLimitedError.status})  # statuses that count against no limit
_KEPT: Final = frozenset({SCHEMA, SCHEMA_PAGE})  # open routes whose replies change only with the accepted actions
_KEPT_BYTES: Final = 1 << 20  # of their bodies
_ROUTES: Final[dict[str, Endpoint | None]] = {  # None: an open route
    **{endpoint.path: endpoint for endpoint in ENDPOINTS},
    **dict.fromkeys(OPEN_ROUTES),
}
_log: Final = structlog.stdlib.get_logger("service.http.front")


class Front:
    """The middleware around `app`, and the application that the server calls.

    Args:
        app: the application with the handlers.
        directory: the members, accounts and API keys.
        tokens: verifies session tokens.
        snapshots: the published tables.
        site: the files of the pages.
        clock: returns the time in microseconds UTC; called once a request.
        limiter: counts the answers of limited API keys.
        metrics: count every request.
        log: gets one line per request.
        cors: adds what lets pages of other origins read answers; None if there are none.
        prefix: the path below which a proxy shows the service; may be empty.
        debug: whether answers carry `Server-Timing`.
        stopping: set when this worker is about to end.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        directory: DirectoryReader,
        tokens: TokenVerifier,
        snapshots: Snapshots,
        site: Site,
        clock: Callable[[], int],
        limiter: RateLimiter,
        metrics: Metrics,
        log: RequestLog,
        cors: Cors | None,
        prefix: str,
        debug: bool,
        stopping: Stopping,
    ) -> None:
        self._app = app
        self._read_path = ReadPath(app, directory, tokens, snapshots, limiter, prefix)
        self._snapshots = snapshots
        self._site = site
        self._kept: LruCache[Reply] = LruCache(_KEPT_BYTES)
        self._clock = clock
        self._limiter = limiter
        self._metrics = metrics
        self._log = log
        self._cors = cors
        self._prefix = prefix
        self._debug = debug
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; pass everything else on, such as the start and the end of the server."""
        if scope["type"] == ScopeType.HTTP:
            await self._serve(scope, send)
        else:  # also of type `lifespan`, which Litestar's `Scope` leaves out
            await self._app(scope, receive, send)

    async def _serve(self, scope: HTTPScope, send: Send) -> None:
        started = time.perf_counter_ns()
        if self._prefix:
            scope = path_prefix.without(scope, self._prefix)
        exchange = Exchange.begin(scope, self._clock())
        reply = await self._reply(exchange)
        if exchange.key_id is not None and exchange.limit is not None:
            reply = await self._settle(exchange, exchange.key_id, exchange.limit, reply)
        if self._cors:
            self._cors.extend(reply, exchange)
        reply.headers.append((b"x-request-id", exchange.request_id.encode()))
        if reply.status not in _WITHOUT_LENGTH:
            reply.headers.append((b"content-length", str(len(reply.body)).encode()))
        if self._stopping.begun or (exchange.workspace_id is None and len(reply.body) > _MOST_UNCLOSED_BYTES):
            reply.headers.append((b"connection", b"close"))
        body = b"" if exchange.method == "HEAD" else reply.body
        nanoseconds = time.perf_counter_ns() - started
        self._metrics.count(exchange.route, exchange.method, reply.status, nanoseconds, exchange.cached)
        self._log.write(log_line(exchange, reply, nanoseconds))
        if self._debug:
            reply.headers.append((b"server-timing", server_timing(exchange, nanoseconds)))
        try:
            await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
            await send({"type": "http.response.body", "body": body, "more_body": False})
        except OSError:
            _log.info("client went away", request_id=exchange.request_id)

    async def _reply(self, exchange: Exchange) -> Reply:
        """Return the reply to a request, whatever happens."""
        try:
            return await self._route(exchange)
        except ApiError as error:
            return exchange.refuse(error)
        except StoreError as error:
            _log.warning("tables unavailable", request_id=exchange.request_id, reason=str(error))
            return exchange.refuse(UnavailableError())
        except Exception:  # noqa: BLE001 - the last place where an error can become a reply
            _log.exception("unforeseen", request_id=exchange.request_id)
            return exchange.refuse(InternalError())

    async def _route(self, exchange: Exchange) -> Reply:
        if exchange.path not in _ROUTES:
            if exchange.path in self._site.paths:
                return await static_files.answer(self._site, exchange)
            raise NotFoundError(self._prefix)
        exchange.route = exchange.path
        if exchange.method == "OPTIONS":
            return Reply(204, [(b"allow", ALLOWED_METHODS)], b"")
        if exchange.method not in {"GET", "HEAD"}:
            raise MethodNotAllowedError
        endpoint = _ROUTES[exchange.path]
        if endpoint is None:
            return await self._open(exchange)
        return await self._read_path.reply(endpoint, exchange)

    async def _open(self, exchange: Exchange) -> Reply:
        """Return the reply of an open route. The large ones are kept, since anyone can ask for them at any rate."""
        if exchange.path not in _KEPT:
            return await subrequest.ask(self._app, exchange.scope)
        key = (exchange.path, self._snapshots.actions())
        kept = self._kept.get(key)
        if kept is None:
            kept = await subrequest.ask(self._app, exchange.scope)
            kept.headers += self._site.headers
            self._kept.put(key, kept, len(kept.body))
        return Reply(kept.status, [*kept.headers], kept.body)

    async def _settle(self, exchange: Exchange, key_id: str, limit: int, reply: Reply) -> Reply:
        """Count a reply against the limit of its key; return it, or a refusal if the limit is spent by now."""
        state = await self._limiter.settle(key_id, limit, exchange.now, free=reply.status in _FREE)
        if state.refused and reply.status != RateLimitedError.status:
            reply = exchange.refuse(RateLimitedError())
        reply.headers += state.fields(refused=reply.status == RateLimitedError.status)
        return reply
