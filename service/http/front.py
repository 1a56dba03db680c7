"""An ASGI middleware around the Litestar application: it does what all requests share.

The checks come in the order of the contract: route (404, 405) → credential (401) → rate limit (429) → workspace and
scope (403) → parameters (422) → `user_id` (404) → tables (503). Then come the data, from memory or from the wrapped
application, the `ETag` (304), and the representation that the client prefers. Each request has one id and one instant,
and writes one log line. It is a single middleware because a stack of several serves half as many requests.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog
from litestar.types import ASGIApp, HTTPScope, Receive, Send
from ulid_transform import ulid_now

from pipeline.contract.calendar import rfc3339
from service.api.envelope import Meta, Question
from service.api.parameters import read
from service.api.routes import ENDPOINTS, OPEN_ROUTES, Endpoint
from service.auth.authentication import (
    authenticate,
    authorise,
    missing_workspace,
    read_workspace_header,
)
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
from service.http import representations
from service.http.cache import AnswerCache, CachedAnswer, Request, RequestMemory, etag, matches, question_digest
from service.http.exchange import Exchange, Reply, headers_by_name, log_line, server_timing
from service.http.handlers import QUESTION
from service.http.rate_limit import RateLimiter
from service.tables.snapshots import Identity, Snapshot, Snapshots, StoreError
from service.telemetry.logs import RequestLog
from service.telemetry.metrics import Metrics

_CACHING: Final = (
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Authorization, X-Workspace-Id, Accept, Accept-Encoding"),
)
_WITHOUT_LENGTH: Final = frozenset({204, 304})  # no body to measure
_FREE: Final = frozenset({304, RateLimitedError.status})  # count against no limit
_ROUTES: Final[dict[str, Endpoint | None]] = {
    **{endpoint.path: endpoint for endpoint in ENDPOINTS},
    **dict.fromkeys(OPEN_ROUTES),
}
_log: Final = structlog.stdlib.get_logger("service.http.front")


class Front:
    """The middleware that the server calls; the application inside it only computes data."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        directory: DirectoryReader,
        tokens: TokenVerifier,
        snapshots: Snapshots,
        clock: Callable[[], int],
        limiter: RateLimiter,
        metrics: Metrics,
        log: RequestLog,
        debug: bool,
    ) -> None:
        """Wrap an application.

        Args:
            app: computes the data of a question, which it finds in the scope's state.
            directory: API keys, members and rate limits.
            tokens: verifies the tokens of sessions.
            snapshots: the published tables.
            clock: returns the time in microseconds UTC; called once a request.
            limiter: counts the answers of each API key.
            metrics: counts requests.
            log: takes one line a request.
            debug: whether answers carry `Server-Timing`.
        """
        self._app = app
        self._directory = directory
        self._tokens = tokens
        self._snapshots = snapshots
        self._clock = clock
        self._limiter = limiter
        self._metrics = metrics
        self._log = log
        self._debug = debug
        self._answers = AnswerCache()
        self._requests = RequestMemory()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request, or run from the server's start to its end; close a WebSocket at once.

        `scope` is untyped because the `Scope` of Litestar leaves out `lifespan`.
        """
        if scope["type"] == "lifespan":
            await _live(receive, send, self._tokens, self._log)
        elif scope["type"] == "http":
            await self._exchange(scope, send)
        else:
            await send({"type": "websocket.close", "code": 1000, "reason": None})

    async def _exchange(self, scope: HTTPScope, send: Send) -> None:
        started = time.perf_counter_ns()
        exchange = Exchange(
            request_id=ulid_now(),
            now=self._clock(),
            method=scope["method"],
            path=scope["path"],
            query_string=scope["query_string"],
            headers=headers_by_name(scope["headers"]),
        )
        reply = await self._reply(exchange, scope)
        if exchange.key_id is not None and exchange.limit is not None:
            reply = await self._settle(exchange, exchange.key_id, exchange.limit, reply)
        reply.headers.append((b"x-request-id", exchange.request_id.encode()))
        if reply.status not in _WITHOUT_LENGTH:
            reply.headers.append((b"content-length", str(len(reply.body)).encode()))
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

    async def _reply(self, exchange: Exchange, scope: HTTPScope) -> Reply:
        try:
            return await self._answer(exchange, scope)
        except ApiError as error:
            refusal = error
        except StoreError as error:
            _log.warning("tables unavailable", request_id=exchange.request_id, reason=str(error))
            refusal = UnavailableError()
        except Exception:  # noqa: BLE001 - the last place where anything can become an answer
            _log.exception("unforeseen", request_id=exchange.request_id)
            refusal = InternalError()
        return _refuse(exchange, refusal)

    async def _settle(self, exchange: Exchange, key_id: str, limit: int, reply: Reply) -> Reply:
        """Return the answer that a limited key gets in the end."""
        standing = await self._limiter.settle(key_id, limit, exchange.now, free=reply.status in _FREE)
        if standing.refused and reply.status != RateLimitedError.status:
            reply = _refuse(exchange, RateLimitedError())
        reply.headers += standing.fields(refused=reply.status == RateLimitedError.status)
        return reply

    async def _answer(self, exchange: Exchange, scope: HTTPScope) -> Reply:
        if exchange.path not in _ROUTES:
            raise NotFoundError
        exchange.route = exchange.path
        if exchange.method == "OPTIONS":
            return Reply(204, [(b"allow", ALLOWED_METHODS)], b"")
        if exchange.method not in {"GET", "HEAD"}:
            raise MethodNotAllowedError
        endpoint = _ROUTES[exchange.path]
        return await (self._ask(scope, None) if endpoint is None else self._read(endpoint, exchange, scope))

    async def _read(self, endpoint: Endpoint, exchange: Exchange, scope: HTTPScope) -> Reply:
        directory = self._directory.current()
        caller = await authenticate(exchange.headers, directory, self._tokens, exchange.now)
        exchange.key_id = caller.api_key_id
        exchange.limit = directory.rate_limits.get(caller.api_key_id)
        if caller.api_key_id is not None and exchange.limit is not None:
            self._limiter.check(caller.api_key_id, exchange.limit, exchange.now)
        workspace_id, problems = read_workspace_header(exchange.headers)
        caller = authorise(caller, workspace_id, directory, endpoint.scope)
        exchange.workspace_id = caller.workspace_id
        problems = problems or missing_workspace(caller, endpoint.scope)
        snapshot, failure = self._tables()
        tables = snapshot and snapshot.identity
        request = Request(endpoint.path, exchange.query_string, caller)
        answer = None if problems else self._requests.get(request, directory, tables, exchange.now)
        exchange.cached = True if answer else None
        if answer is None:
            parameters = read(endpoint.parameters, exchange.query_string, problems)
            question = endpoint.ask(parameters, caller, directory, exchange.now)
            if failure and endpoint.needs_tables:
                raise failure
            answer = await self._find(question, tables, exchange, scope)
            self._requests.put(request, directory, tables, exchange.now, question.until, answer)
        form = representations.choose(answer, endpoint.csv_tables, exchange.headers, exchange.query_string)
        tag = etag(form.digest, caller)
        headers = [(b"etag", tag), *_CACHING]
        if matches(tag, exchange.headers.get(b"if-none-match", ())):
            return Reply(304, headers, b"")
        meta = Meta(exchange.request_id, rfc3339(exchange.now), snapshot.as_of if snapshot else None)
        fields, body = representations.write(form, meta, exchange.path, exchange.query_string, self._answers)
        return Reply(200, [*fields, *headers], body)

    def _tables(self) -> tuple[Snapshot | None, StoreError | None]:
        """Return what is published, or why nothing is."""
        try:
            return self._snapshots.current(), None
        except StoreError as error:
            return None, error

    async def _find(
        self, question: Question, tables: Identity | None, exchange: Exchange, scope: HTTPScope
    ) -> CachedAnswer:
        """Return the answer to a question, from memory or from the handler."""
        answer = self._answers.get((tables, question))
        exchange.cached = answer is not None
        if answer is None:
            data = (await self._ask(scope, question)).body
            answer = self._answers.put((tables, question), data, question_digest(exchange.path, question, data))
        return answer

    async def _ask(self, scope: HTTPScope, question: msgspec.Struct | None) -> Reply:
        """Return what the handler of a route makes of a question."""
        reply = Reply(500, [], b"")

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = [(name, value) for name, value in message["headers"] if name != b"content-length"]
            else:
                reply.body += message["body"]

        inner: Any = {**scope, "method": "GET", "state": {QUESTION: question}}
        await self._app(inner, receive, send)
        return reply


def _refuse(exchange: Exchange, error: ApiError) -> Reply:
    body = error.body(exchange.request_id, rfc3339(exchange.now))
    return Reply(error.status, [representations.JSON, *error.headers], body)


async def _live(
    receive: Receive, send: Callable[[Any], Awaitable[None]], tokens: TokenVerifier, log: RequestLog
) -> None:
    await receive()
    async with tokens:
        await send({"type": "lifespan.startup.complete"})
        await receive()
    log.close()
    await send({"type": "lifespan.shutdown.complete"})
