"""The ASGI front: everything that all requests have in common, in the order of the contract's checks.

Route (404, 405) → credential (401) → rate limit (429) → workspace and scope (403) → parameters (422) → `user_id` (404)
→ tables (503) → data, from memory or from the handlers → `ETag` (304) → the form asked for. Each request has one id and
one instant, and leaves one log line. A raw application because the same through middlewares serves half as many
requests.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog
from ulid_transform import ulid_now

from pipeline.contract.calendar import rfc3339
from service.api.envelope import Meta, Question
from service.api.parameters import read
from service.api.routes import ENDPOINTS, OPEN_ROUTES, Endpoint
from service.auth.authentication import (
    Headers,
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
from service.http.handlers import QUESTION
from service.http.rate_limit import RateLimiter
from service.tables.snapshots import Identity, Snapshot, Snapshots, StoreError
from service.telemetry.logs import RequestLine, RequestLog
from service.telemetry.metrics import Metrics

# Messages are whatever the server and the handlers agree on; here they are passed on.
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

_CACHING: Final = (
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Authorization, X-Workspace-Id, Accept, Accept-Encoding"),
)
_WITHOUT_LENGTH: Final = frozenset({204, 304})  # no body to measure
_LOGGED_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})  # not what is sent
_FREE: Final = frozenset({304, RateLimitedError.status})  # count against no limit
_ROUTES: Final[dict[str, Endpoint | None]] = {
    **{endpoint.path: endpoint for endpoint in ENDPOINTS},
    **dict.fromkeys(OPEN_ROUTES),
}
_log: Final = structlog.stdlib.get_logger("service.http.front")


class Reply(msgspec.Struct):
    """What goes back."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Exchange(msgspec.Struct):
    """One request on its way: what the log line will say."""

    request_id: str
    now: int
    method: str
    path: str
    query_string: bytes
    headers: Headers
    route: str | None = None
    workspace_id: str | None = None
    key_id: str | None = None
    limit: int | None = None
    cached: bool | None = None


class Front:
    """The application that the server calls."""

    def __init__(
        self,
        handlers: Callable[..., Awaitable[None]],
        directory: DirectoryReader,
        tokens: TokenVerifier,
        snapshots: Snapshots,
        clock: Callable[[], int],
        limiter: RateLimiter,
        metrics: Metrics,
        log: RequestLog,
        *,
        debug: bool,
    ) -> None:
        self._handlers = handlers
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's life from start to end."""
        if scope["type"] == "lifespan":
            await _live(receive, send, self._tokens, self._log)
        elif scope["type"] == "http":
            await self._exchange(scope, send)
        else:
            await send({"type": "websocket.close", "code": 1000, "reason": None})

    async def _exchange(self, scope: Scope, send: Send) -> None:
        started = time.perf_counter_ns()
        exchange = Exchange(
            request_id=ulid_now(),
            now=self._clock(),
            method=scope["method"],
            path=scope["path"],
            query_string=scope["query_string"],
            headers=_by_name(scope["headers"]),
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
        self._log.write(_line(exchange, reply, nanoseconds))
        if self._debug:
            reply.headers.append((b"server-timing", _timing(exchange, nanoseconds)))
        try:
            await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
            await send({"type": "http.response.body", "body": body, "more_body": False})
        except OSError:
            _log.info("client went away", request_id=exchange.request_id)

    async def _reply(self, exchange: Exchange, scope: Scope) -> Reply:
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

    async def _answer(self, exchange: Exchange, scope: Scope) -> Reply:
        if exchange.path not in _ROUTES:
            raise NotFoundError
        exchange.route = exchange.path
        if exchange.method == "OPTIONS":
            return Reply(204, [(b"allow", ALLOWED_METHODS)], b"")
        if exchange.method not in {"GET", "HEAD"}:
            raise MethodNotAllowedError
        endpoint = _ROUTES[exchange.path]
        return await (self._ask(scope, None) if endpoint is None else self._read(endpoint, exchange, scope))

    async def _read(self, endpoint: Endpoint, exchange: Exchange, scope: Scope) -> Reply:
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
        self, question: Question, tables: Identity | None, exchange: Exchange, scope: Scope
    ) -> CachedAnswer:
        """Return the answer to a question, from memory or from the handler."""
        answer = self._answers.get((tables, question))
        exchange.cached = answer is not None
        if answer is None:
            data = (await self._ask(scope, question)).body
            answer = self._answers.put((tables, question), data, question_digest(exchange.path, question, data))
        return answer

    async def _ask(self, scope: Scope, question: msgspec.Struct | None) -> Reply:
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

        await self._handlers({**scope, "method": "GET", "state": {QUESTION: question}}, receive, send)
        return reply


def _refuse(exchange: Exchange, error: ApiError) -> Reply:
    body = error.body(exchange.request_id, rfc3339(exchange.now))
    return Reply(error.status, [representations.JSON, *error.headers], body)


def _by_name(headers: Any) -> Headers:
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    return found


def _line(exchange: Exchange, reply: Reply, nanoseconds: int) -> RequestLine:
    return RequestLine(
        request_id=exchange.request_id,
        route=exchange.route,
        method=exchange.method if exchange.method in _LOGGED_METHODS else None,
        status=reply.status,
        duration_ms=nanoseconds / 1e6,
        workspace=exchange.workspace_id,
        key=exchange.key_id,
    )


def _timing(exchange: Exchange, nanoseconds: int) -> bytes:
    cached = {True: b"cache;desc=hit, ", False: b"cache;desc=miss, ", None: b""}[exchange.cached]
    return b"%btotal;dur=%.3f" % (cached, nanoseconds / 1e6)


async def _live(receive: Receive, send: Send, tokens: TokenVerifier, log: RequestLog) -> None:
    await receive()
    async with tokens:
        await send({"type": "lifespan.startup.complete"})
        await receive()
    log.close()
    await send({"type": "lifespan.shutdown.complete"})
