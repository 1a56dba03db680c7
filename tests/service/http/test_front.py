"""What all requests share: routes, methods, envelope, caching, errors, lifespan."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.api import summary

Maker = Callable[..., dict[str, Any]]
SUMMARY = "/api/v1/usage/summary"
ACTIVITY = "/api/v1/usage/activity"
WHOAMI = "/api/v1/auth/whoami"
KNOWN = (SUMMARY, "/api/v1/usage/by-language", ACTIVITY, WHOAMI, "/health/live", "/health/ready", "/schema", "/usage/")
ULID = re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}").fullmatch


@pytest.mark.parametrize(
    "path", ["/usage/nothing", "/api/v1/usage", SUMMARY + "/", SUMMARY.upper(), "/api/v1/../usage/"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_unknown_route(folder: Any, send: Any, path: str, method: str) -> None:
    """An unknown route is 404 before any other check."""
    reply = send(folder.app(), path, b"range=%", [("authorization", "Bearer nonsense")], method)
    assert (reply.status, reply.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", KNOWN)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY", "get"])
def test_other_methods(folder: Any, send: Any, path: str, method: str) -> None:
    """Any method but GET, HEAD and OPTIONS is 405 with Allow, before the credential is checked."""
    reply = send(folder.app(), path, method=method)
    assert (reply.status, reply.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", KNOWN)
def test_options(folder: Any, send: Any, path: str) -> None:
    """OPTIONS needs no credential and returns the allowed methods."""
    reply = send(folder.app(), path, method="OPTIONS")
    assert (reply.status, reply.body, reply.headers["allow"]) == (204, b"", "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("path", KNOWN)
def test_head(folder: Any, send: Any, path: str) -> None:
    """HEAD has the status and headers of GET, without the body."""
    folder.publish()
    app, headers = folder.app(), [("authorization", f"Bearer {folder.token}")]
    got, head = send(app, path, headers=headers), send(app, path, headers=headers, method="HEAD")
    assert head.body == b""
    assert head.status == got.status == 200
    varying = {"x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in varying} == {
        k: v for k, v in got.headers.items() if k not in varying
    }
    assert int(head.headers["content-length"]) == len(got.body)


def test_meta(folder: Any) -> None:
    """Meta has the request id (a ULID, as in the header), the instant, and the listing time of the raw files."""
    folder.publish()
    reply = folder.ask(SUMMARY, X_Request_Id="mine")
    meta = reply.json()["meta"]
    assert ULID(meta["request_id"])
    assert reply.headers["x-request-id"] == meta["request_id"]
    assert (meta["timestamp"], meta["data_as_of"]) == ("2026-11-24T12:00:00Z", "2026-11-24T11:59:00Z")
    assert list(reply.json()) == ["data", "meta"]
    assert list(folder.ask(ACTIVITY).json()) == ["data", "pagination", "meta"]
    assert "x-onepin-required-version" not in reply.headers


def test_meta_is_fresh_on_a_cached_body(folder: Any) -> None:
    """Instant and id are those of the request, even if the data were computed before."""
    folder.publish()
    app = folder.app()
    first = folder.ask(SUMMARY, app=app).json()
    folder.now += 1
    second = folder.ask(SUMMARY, app=app).json()
    assert first["data"] == second["data"]
    assert second["meta"]["timestamp"] == "2026-11-24T12:00:00.000001Z"
    assert first["meta"]["request_id"] != second["meta"]["request_id"]


def test_error_shape(folder: Any, send: Any) -> None:
    """Every error has the same shape, a request id that is also the header, and application/json."""
    for reply in (
        send(folder.app(), "/nothing"),
        send(folder.app(), SUMMARY, method="POST"),
        send(folder.app(), SUMMARY),
        folder.ask(SUMMARY, X_Workspace_Id=folder.other_workspace),
        folder.ask(SUMMARY, "range=1"),
        folder.ask(SUMMARY),
    ):
        body = reply.json()
        assert list(body) == ["error", "meta"]
        assert list(body["error"]) == ["code", "message", "details"]
        assert all(list(detail) == ["field", "message"] for detail in body["error"]["details"])
        assert list(body["meta"]) == ["request_id", "timestamp"]
        assert ULID(body["meta"]["request_id"])
        assert reply.headers["x-request-id"] == body["meta"]["request_id"]
        assert reply.headers["content-type"] == "application/json"


def test_whoami_before_the_first_run(folder: Any) -> None:
    """Whoami works before anything is published, with `data_as_of` null."""
    before = folder.ask(WHOAMI)
    assert (before.status, before.json()["meta"]["data_as_of"]) == (200, None)
    folder.publish()
    assert folder.ask(WHOAMI).json()["meta"]["data_as_of"] == "2026-11-24T11:59:00Z"


def test_data_of_no_age(folder: Any, event: Maker, send: Any) -> None:
    """Until a run has read all of raw/, figures are served, but `data_as_of` is null and no age is reported."""
    folder.publish([event("2026-11-24T11:00:00Z", credits=7)])
    path = folder.root / "published.json"
    fields = json.loads(path.read_bytes()) | {"data_as_of": None}
    path.write_text(json.dumps(fields))
    app = folder.app()
    reply = folder.ask(SUMMARY, app=app)
    assert (reply.json()["data"]["activity"]["total"], reply.json()["meta"]["data_as_of"]) == (7, None)
    assert "x-data-as-of" not in folder.ask(SUMMARY, app=app, accept="text/csv").headers
    assert b"usage_published_sequence 1" in (metrics := send(app, "/metrics").body)
    assert b"usage_data_age_seconds" not in metrics


def test_nothing_published_yet(folder: Any, send: Any) -> None:
    """Before the first run, the usage routes and readiness are 503 with Retry-After; the process is live."""
    for reply in (folder.ask(SUMMARY), folder.ask(ACTIVITY), send(folder.app(), "/health/ready")):
        assert (reply.status, reply.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert int(reply.headers["retry-after"]) > 0
    assert send(folder.app(), "/health/live").status == 200
    folder.publish()
    assert send(folder.app(), "/health/ready").status == 200


@pytest.mark.parametrize("path", KNOWN[:4])
def test_caching_headers(folder: Any, path: str) -> None:
    """Answers carry a weak ETag, Cache-Control and Vary; a request with the tag gets a 304 without a body."""
    folder.publish()
    app = folder.app()
    reply = folder.ask(path, app=app)
    tag = reply.headers["etag"]
    assert re.fullmatch(r'W/"[0-9a-f]{32}"', tag)
    assert reply.headers["cache-control"] == "private, no-cache"
    assert reply.headers["vary"] == "Authorization, X-Workspace-Id, Accept, Accept-Encoding"
    for known in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
        unchanged = folder.ask(path, app=app, If_None_Match=known)
        assert (unchanged.status, unchanged.body, unchanged.headers["etag"]) == (304, b"", tag)
        assert unchanged.headers["vary"] == reply.headers["vary"]
        assert unchanged.headers["x-request-id"]
        assert "content-length" not in unchanged.headers
    assert folder.ask(path, app=app, If_None_Match='W/"other"').status == 200


def test_etag_is_over_data_caller_parameters_and_date(folder: Any, send: Any, event: Maker) -> None:
    """The tag is the same in another process, and differs for other data, parameters, dates and callers."""
    folder.publish([event(folder.now, credits=1)])
    folder.member(folder.workspace, folder.other_user)
    app = folder.app()
    tag = folder.ask(SUMMARY, app=app).headers["etag"]
    assert folder.ask(SUMMARY, "range=30d&timezone=UTC&x=1").headers["etag"] == tag
    assert folder.ask(SUMMARY, "range=60d", app).headers["etag"] != tag
    assert folder.ask(SUMMARY, "timezone=Etc/UTC", app).headers["etag"] != tag
    assert folder.ask(SUMMARY, app=folder.app(folder.now + 10**11)).headers["etag"] != tag
    languages = "/api/v1/usage/by-language"
    stranger = [("authorization", f"Bearer {folder.key(user_id=folder.other_user)}")]
    assert folder.ask(languages).headers["etag"] != send(folder.app(), languages, headers=stranger).headers["etag"]
    folder.publish([event(folder.now, credits=1)])
    assert folder.ask(SUMMARY, app=app).headers["etag"] == tag
    folder.publish([event(folder.now, credits=2)])
    assert folder.ask(SUMMARY, app=app).headers["etag"] != tag


def test_answers_are_computed_once(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to equal questions is computed once, and once more after a commit."""
    folder.publish()
    computed: list[summary.Question] = []
    real = summary.answer

    def answer(question: summary.Question, store: Any) -> summary.Summary:
        computed.append(question)
        return real(question, store)

    monkeypatch.setattr(summary, "answer", answer)
    app = folder.app()
    for query in ("", "range=30d", "activity_view=daily&timezone=UTC"):
        folder.data("summary", query, app)
    assert len(computed) == 1
    folder.publish()
    folder.data("summary", "", app)
    assert len(computed) == 2


def test_callers_do_not_share_credits(folder: Any, send: Any, event: Maker) -> None:
    """Two users of one workspace each get their own credits from one application."""
    folder.member(folder.workspace, folder.other_user)
    other = folder.key(user_id=folder.other_user)
    folder.publish(
        [event(folder.now, id="1", credits=1), event(folder.now, id="2", credits=2, user_id=folder.other_user)]
    )
    app = folder.app()
    assert folder.data("summary", "", app)["credits"]["used"] == 1
    reply = send(app, SUMMARY, headers=[("authorization", f"Bearer {other}")])
    assert reply.json()["data"]["credits"]["used"] == 2


def test_unforeseen_error(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen error is 500 without details; the log has it under the request id."""
    folder.publish()

    def fail(*_: object) -> None:
        raise RuntimeError("secret /path")

    monkeypatch.setattr(summary, "answer", fail)
    app = folder.app()
    with capture_logs() as logs:
        reply = folder.ask(SUMMARY, app=app)
    assert (reply.status, reply.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert b"secret" not in reply.body
    unforeseen = next(line for line in logs if line["log_level"] == "error")
    assert unforeseen["request_id"] == reply.headers["x-request-id"]
    assert unforeseen["exc_info"]


@pytest.mark.parametrize("host", ["", "a b", "[", "example.org:99999", "/", "\xff"])
def test_host_is_not_read(folder: Any, host: str) -> None:
    """A malformed `Host` changes nothing, neither on open routes nor when a handler computes the answer."""
    folder.publish()
    assert [folder.ask(path, host=host).status for path in ("/health/ready", SUMMARY)] == [200, 200]


def test_client_that_went_away(folder: Any) -> None:
    """If a client hangs up before its answer, the next client is answered."""
    folder.publish()
    app = folder.app()

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        raise BrokenPipeError

    scope = {"type": "http", "method": "GET", "path": SUMMARY, "query_string": b"", "headers": []}
    asyncio.run(app(scope, receive, send))
    assert folder.ask(SUMMARY, app=app).status == 200


def test_lifespan(folder: Any) -> None:
    """The start and the end of the server are acknowledged."""
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(folder.app()({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
