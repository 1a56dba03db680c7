"""How a request of the API is answered: who asks, what is asked, the answer to that, and the form of the answer.

The checks come in the order of the API's contract: credential (401) → rate limit (429) → workspace and scope (403) →
parameters (422) → `user_id` (404) → tables (503). Then the data are taken from memory or computed by a handler of the
wrapped application; the `ETag` decides between 304 and the form that the client prefers.
"""

from typing import Final

from litestar.types import ASGIApp

from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import rfc3339
from service.api.envelope import Meta, Question
from service.api.parameters import read
from service.api.routes import Endpoint
from service.auth.authentication import authenticate, authorise, missing_workspace, read_workspace_header
from service.auth.directory import DirectoryReader
from service.auth.session_tokens import TokenVerifier
from service.http import representations, subrequest
from service.http.cache import AnswerCache, CachedAnswer, Request, RequestCache, etag, matches, question_digest
from service.http.exchange import Exchange, Reply
from service.http.negotiation import preference
from service.http.rate_limit import RateLimiter
from service.tables.snapshots import Snapshot, Snapshots
from service.tables.source import NotFetchedError, StoreError

_CACHING: Final = (
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Authorization, X-Workspace-Id, Accept, Accept-Encoding"),
)


class ReadPath:
    """Answers the requests of the API over the tables of one data folder; links in answers begin with `prefix`."""

    def __init__(
        self,
        app: ASGIApp,
        directory: DirectoryReader,
        tokens: TokenVerifier,
        snapshots: Snapshots,
        limiter: RateLimiter,
        prefix: str,
    ) -> None:
        self._app = app
        self._directory = directory
        self._tokens = tokens
        self._snapshots = snapshots
        self._limiter = limiter
        self._prefix = prefix
        self._answers = AnswerCache()
        self._requests = RequestCache()

    async def reply(self, endpoint: Endpoint, exchange: Exchange) -> Reply:
        """Return the reply to a request; what is learned about it on the way is noted in the exchange.

        Raises:
            ApiError: a check failed.
            StoreError: the tables are needed and cannot be read.
        """
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
        snapshot, failure = self._current()
        tables = snapshot and snapshot.identity
        preferred = preference(exchange.headers)
        request = Request(endpoint.path, exchange.query_string, caller, preferred.csv)
        answer = None if problems else self._requests.get(request, directory, tables, exchange.now)
        exchange.cached = True if answer else None
        if answer is None:
            actions = snapshot.actions if snapshot else ACTIONS
            parameters = read(endpoint.parameters, exchange.query_string, problems, actions)
            question = endpoint.ask(parameters, caller, directory, exchange.now)
            if preferred.csv and endpoint.csv_tables:
                question = question.as_table
            if failure and endpoint.needs_tables:
                raise failure
            answer, snapshot = await self._answer(question, snapshot, exchange)
            tables = snapshot and snapshot.identity
            self._requests.put(request, directory, tables, exchange.now, question.until, answer)
        form = representations.choose(answer, endpoint.csv_tables, preferred, exchange.query_string)
        tag = etag(form.digest, caller)
        headers = [(b"etag", tag), *_CACHING]
        if matches(tag, exchange.headers.get(b"if-none-match", ())):
            return Reply(304, headers, b"")
        meta = Meta(exchange.request_id, rfc3339(exchange.now), snapshot.as_of if snapshot else None)
        path = self._prefix + exchange.path
        fields, body = representations.write(form, meta, path, exchange.query_string, self._answers)
        return Reply(200, [*fields, *headers], body)

    def _current(self) -> tuple[Snapshot | None, StoreError | None]:
        """Return what is published, or why nothing can be read: only some routes need it."""
        try:
            return self._snapshots.current(), None
        except StoreError as error:
            return None, error

    async def _answer(
        self, question: Question, snapshot: Snapshot | None, exchange: Exchange
    ) -> tuple[CachedAnswer, Snapshot | None]:
        """Return the answer to a question, from memory or from its handler, and the snapshot that it is of."""
        answer = self._answers.get((snapshot and snapshot.identity, question))
        exchange.cached = answer is not None
        if answer is None:
            data, snapshot = await self._compute(question, snapshot, exchange)
            key = (snapshot and snapshot.identity, question)
            answer = self._answers.put(key, data, question_digest(exchange.path, question, data))
        return answer, snapshot

    async def _compute(
        self, question: Question, snapshot: Snapshot | None, exchange: Exchange
    ) -> tuple[bytes, Snapshot | None]:
        """Return what the handler answers. While files are fetched that it lacks, other requests are answered."""
        while True:
            try:
                return (await subrequest.ask(self._app, exchange.scope, question, snapshot)).body, snapshot
            except NotFetchedError as missing:
                if snapshot is None:
                    raise
                snapshot = await self._snapshots.fetched(snapshot, missing)
