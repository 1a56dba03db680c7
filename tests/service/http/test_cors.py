"""Which answers pages of other origins may read, by the headers that browsers ask for."""

from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from service.api import summary
from service.http.front import Front
from tests.support.service_folder import Reply, ServiceFolder, call

SUMMARY: Final = "/api/v1/usage/summary"
ACTIVITY: Final = "/api/v1/usage/activity"
LISTED: Final = "https://app.example.com"
ALSO: Final = "http://localhost:3000"
OF_OTHERS: Final = (
    "https://other.example",
    "http://app.example.com",
    f"{LISTED}:8443",
    f"{LISTED}.evil.example",
    "null",
)
VARY: Final = "Authorization, X-Workspace-Id, Accept, Accept-Encoding"
EXPOSED: Final = {
    *("ETag", "Link", "Retry-After", "X-Request-Id", "X-Data-As-Of", "RateLimit", "RateLimit-Policy"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
}


@pytest.fixture
def limited(folder: ServiceFolder) -> str:
    """Return a key that may have one answer a minute."""
    return folder.key(rate_limit_per_min=1)


@pytest.fixture
def without_scope(folder: ServiceFolder) -> str:
    """Return a key that may read no usage."""
    return folder.key(scopes=[])


@pytest.fixture
def app(folder: ServiceFolder, limited: str, without_scope: str) -> Front:  # noqa: ARG001 - it knows the keys
    """Return a service with two listed origins."""
    return folder.app(USAGE_CORS_ORIGINS=f"{LISTED}, {ALSO}")


def of_cors(reply: Reply) -> dict[str, str]:
    """Return the headers of CORS."""
    return {name: value for name, value in reply.headers.items() if name.startswith("access-control-")}


def names(text: str) -> set[str]:
    """Return the elements of a list."""
    return set(text.split(", "))


def preflight(app: Front, path: str = SUMMARY, **headers: str) -> Reply:
    """Send what a browser sends before a request that it may not send otherwise."""
    sent = {"origin": LISTED, "access-control-request-method": "GET"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return call(app, path, headers=[(name, value) for name, value in sent.items() if value], method="OPTIONS")


def test_every_status(
    folder: ServiceFolder, app: Front, limited: str, without_scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every answer to a page of a listed origin can be read there, whatever its status; none to a page of another."""
    bearer = {"authorization": f"Bearer {folder.token}"}
    unpublished = (SUMMARY, "", bearer, "GET", 503)
    usual: tuple[tuple[str, str, dict[str, str], str, int], ...] = (
        (SUMMARY, "", bearer, "GET", 200),
        (SUMMARY, "", bearer, "HEAD", 200),
        (SUMMARY, "", bearer | {"if-none-match": "*"}, "GET", 304),
        (SUMMARY, "", bearer | {"accept": "text/csv"}, "GET", 200),
        (SUMMARY, "", {}, "GET", 401),
        (SUMMARY, "", {"authorization": f"Bearer {without_scope}"}, "GET", 403),
        ("/api/v1/nothing", "", bearer, "GET", 404),
        (ACTIVITY, f"user_id={folder.other_user}", bearer, "GET", 404),
        (SUMMARY, "", bearer, "POST", 405),
        (SUMMARY, "range=1d", bearer, "GET", 422),
        (SUMMARY, "", {"authorization": f"Bearer {limited}"}, "GET", 429),
        ("/schema/openapi.json", "", {}, "GET", 200),
    )

    def check(path: str, query: str, headers: dict[str, str], method: str, status: int) -> None:
        for origin in (LISTED, *OF_OTHERS, ALSO, None, f"{LISTED}, {ALSO}"):
            sent = [*headers.items(), *([("origin", origin)] if origin else [])]
            reply = call(app, path, query.encode(), sent, method)
            assert reply.status == status, (path, query, reply.body)
            assert names(reply.headers["vary"]) >= {"Origin"}
            if "etag" in reply.headers and path.startswith("/api/"):
                assert reply.headers["vary"] == f"{VARY}, Origin"
            found = of_cors(reply)
            if origin in {LISTED, ALSO}:
                assert found.pop("access-control-allow-origin") == origin
                assert names(found.pop("access-control-expose-headers")) == EXPOSED
            assert found == {}

    check(*unpublished)
    folder.publish()
    folder.ask(SUMMARY, app=app, authorization=f"Bearer {limited}")  # spends the limit
    for case in usual:
        check(*case)
    monkeypatch.setattr(summary, "answer", lambda *_: 1 / 0)
    with capture_logs():
        check(SUMMARY, "range=90d", bearer, "GET", 500)


def test_two_origins_in_one_header(folder: ServiceFolder, app: Front) -> None:
    """Several headers `Origin`, which no browser sends, are no origin."""
    folder.publish()
    sent = [("authorization", f"Bearer {folder.token}"), ("origin", LISTED), ("origin", ALSO)]
    assert of_cors(call(app, SUMMARY, headers=sent)) == {}


def test_preflight(folder: ServiceFolder, app: Front, limited: str) -> None:
    """A preflight needs no credential and spends no limit; it says what a page may send, and for how long."""
    folder.publish()
    folder.ask(SUMMARY, app=app, authorization=f"Bearer {limited}")
    for method in ("GET", "HEAD"):
        reply = preflight(
            app,
            access_control_request_method=method,
            access_control_request_headers="authorization,x-workspace-id",
            authorization=f"Bearer {limited}",
        )
        assert (reply.status, reply.body, reply.headers["allow"]) == (204, b"", "GET, HEAD, OPTIONS")
        assert "Origin" in names(reply.headers["vary"])
        assert not [name for name in reply.headers if "ratelimit" in name]
        found = of_cors(reply)
        assert found.pop("access-control-allow-origin") == LISTED
        assert names(found.pop("access-control-allow-methods")) == {"GET", "HEAD"}
        allowed = {"Authorization", "X-Workspace-Id", "If-None-Match", "Accept"}
        assert names(found.pop("access-control-allow-headers")) == allowed
        assert int(found.pop("access-control-max-age")) > 0
        assert found == {}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "GET, HEAD", "*"])
def test_preflight_of_another_method(app: Front, method: str) -> None:
    """A preflight for a method that the API does not have allows nothing."""
    reply = preflight(app, access_control_request_method=method)
    assert (reply.status, of_cors(reply), reply.headers["vary"]) == (204, {}, "Origin")


@pytest.mark.parametrize("origin", OF_OTHERS)
def test_preflight_of_another_origin(app: Front, origin: str) -> None:
    """A preflight of an origin that is not listed allows nothing."""
    reply = preflight(app, origin=origin)
    assert (reply.status, of_cors(reply), reply.headers["vary"]) == (204, {}, "Origin")


@pytest.mark.parametrize("without", ["origin", "access_control_request_method"])
def test_plain_options(folder: ServiceFolder, app: Front, without: str) -> None:
    """OPTIONS without one of the two headers that make it a preflight is answered as if no origin were listed."""
    reply, plain = preflight(app, **{without: ""}), preflight(folder.app(), **{without: ""})
    assert reply.status == 204
    assert reply.headers.keys() == plain.headers.keys() == {"allow", "x-request-id"}


@pytest.mark.parametrize("path", ["/metrics", "/health/live", "/schema", "/usage/", "/usage/page.js", "/nothing"])
def test_other_routes(app: Front, path: str) -> None:
    """Pages of other origins read the API and its OpenAPI document, and nothing else."""
    plain = call(app, path)
    asked = call(app, path, headers=[("origin", LISTED)])
    assert of_cors(asked) == {} == of_cors(preflight(app, path))
    assert asked.headers.keys() == plain.headers.keys()
    assert "Origin" not in asked.headers.get("vary", "")


def test_without_the_setting(folder: ServiceFolder) -> None:
    """Where no origin is listed, no header mentions origins, whoever asks."""
    folder.publish()
    app = folder.app()
    for reply in (
        folder.ask(SUMMARY, app=app, Origin=LISTED),
        folder.ask(SUMMARY, app=app, Origin=LISTED, If_None_Match="*"),
        folder.ask(SUMMARY, "range=1d", app=app, Origin=LISTED),
        preflight(app),
    ):
        assert of_cors(reply) == {}
        assert reply.headers.get("vary", VARY) == VARY


def test_cached_answers_serve_every_origin(folder: ServiceFolder, event: Any) -> None:
    """An answer from memory names the origin that asks now: the same bytes, whoever asked first."""
    folder.publish([event("2026-11-24T11:00:00Z", credits=7), event("2026-11-24T11:30:00Z", credits=7)])
    app = folder.app(USAGE_CORS_ORIGINS=f"{LISTED},{ALSO}")
    for accept in ("application/json", "text/csv"):
        replies = [
            folder.ask(ACTIVITY, "limit=1", app, Accept=accept, **({"Origin": origin} if origin else {}))
            for origin in (LISTED, ALSO, "", OF_OTHERS[0], LISTED)
        ]
        named = [reply.headers.get("access-control-allow-origin") for reply in replies]
        assert named == [LISTED, ALSO, None, None, LISTED]
        assert len({reply.headers["etag"] for reply in replies}) == 1
        assert {reply.headers["vary"] for reply in replies} == {f"{VARY}, Origin"}
