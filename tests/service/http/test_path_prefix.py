"""The service below a path of another site, whether the proxy passes on the prefix or leaves it out."""

import re
from typing import Any, Final

import pytest

from pipeline.contract.path_prefix import OWN
from pipeline.contract.settings import SettingError, Settings
from service.api.routes import ENDPOINTS, OPEN_ROUTES, PAGE
from tests.support.invoked import invoke
from tests.support.service_folder import Reply, ServiceFolder, call

PREFIX: Final = "/a-b.c/~Usage_1"
ACTIVITY: Final = "/api/v1/usage/activity"


def test_every_path(folder: ServiceFolder) -> None:
    """Every path is answered with the prefix and without, and as if there were none."""
    folder.publish()
    app, plain = folder.app(USAGE_PATH_PREFIX=PREFIX), folder.app()
    bearer = [("authorization", f"Bearer {folder.token}")]
    paths = {
        *(endpoint.path for endpoint in ENDPOINTS),
        *OPEN_ROUTES,
        PAGE,
        f"{PAGE}page.js",
        "/schema/schema.css",
        "/x",
    }
    varying = {"x-request-id", "content-length"}

    def seen(reply: Reply) -> Any:
        return reply.status, {name: value for name, value in reply.headers.items() if name not in varying}

    for path in sorted(paths):
        for method in ("GET", "OPTIONS", "POST"):
            expected = call(plain, path, headers=bearer, method=method)
            for shown in (path, PREFIX + path):
                reply = call(app, shown, headers=bearer, method=method)
                if "etag" in reply.headers and path == PAGE:  # it names a path
                    expected.headers["etag"] = reply.headers["etag"]
                assert seen(reply) == seen(expected), (method, shown)
    for path in (f"{PREFIX}x{ACTIVITY}", PREFIX[:-1] + ACTIVITY, PREFIX * 2 + ACTIVITY, PREFIX.lower() + ACTIVITY):
        assert call(app, path, headers=bearer).status == 404
    metrics = call(app, "/metrics").body.decode()
    assert PREFIX not in metrics
    assert f'route="{ACTIVITY}",status="200"}} 2.0' in metrics


def test_paths_in_answers(folder: ServiceFolder, event: Any) -> None:
    """Links, the redirect to the page, the OpenAPI document and texts name paths as the client sees them."""
    folder.publish([event("2026-11-24T11:00:00Z"), event("2026-11-24T11:30:00Z")])
    app = folder.app(USAGE_PATH_PREFIX=PREFIX)
    for seen in ("", PREFIX):
        link = folder.ask(seen + ACTIVITY, "limit=1", app, Accept="text/csv").headers["link"]
        (target,) = re.findall(r"<([^>]+)>", link)
        path, _, query = target.partition("?")
        assert path == PREFIX + ACTIVITY
        assert folder.ask(path, query, app).json()["data"][0]["timestamp"] == "2026-11-24T11:00:00Z"

        for path in ("/", "/usage"):
            reply = call(app, seen + path, b"range=60d")
            assert (reply.status, reply.headers["location"]) == (307, f"{PREFIX}/usage/?range=60d")
        assert call(app, f"{seen}/schema/openapi.json").json()["servers"] == [{"url": PREFIX}]
        page = call(app, f"{seen}/schema").body.decode()
        assert f"GET {PREFIX}{ACTIVITY}" in page
        assert f"{PREFIX}/schema/openapi.json" in page
        assert f"{PREFIX}/api/v1/usage/summary" in call(app, f"{seen}{PAGE}").body.decode()
        assert f"`{PREFIX}/schema`" in call(app, f"{seen}/nothing").json()["error"]["message"]
    assert call(app, PREFIX).headers["location"] == f"{PREFIX}/usage/"
    without_page = folder.app(USAGE_PATH_PREFIX=PREFIX, USAGE_PAGE="false")
    assert {call(without_page, path).status for path in (PREFIX, f"{PREFIX}/", "/")} == {404}


def test_the_first_names_of_own_paths() -> None:
    """A prefix may begin with none of the service's own paths."""
    assert {path.split("/")[1] for path in (*(endpoint.path for endpoint in ENDPOINTS), *OPEN_ROUTES, PAGE)} == OWN


@pytest.mark.parametrize("text", ["/analytics", "/a/b", "/.a", "/a..b", "/usages", "/x/api", "/A~_.-9", "/..."])
def test_prefixes(text: str) -> None:
    """A prefix is names of characters that no browser encodes, with a slash before each."""
    assert Settings.read({"USAGE_PATH_PREFIX": text}).path_prefix == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "analytics",
            "/",
            "//",
            "/a/",
            "/a//b",
            "//a",
            "/a b",
            "/a%20b",
            "/\u00fc",
            "/a?b",
            "/a#b",
            "/a\n",
            " /a",
            "/a;b",
        ),
        *("/.", "/..", "/a/..", "/../a", "/a/./b", "https://example.com/a", '/"', "/<", "/a,b", "/a\\b"),
        *("/api", "/usage", "/usage/x", "/health", "/metrics/x", "/schema"),
    ],
)
def test_what_is_no_prefix(text: str) -> None:
    """Whatever else ends the command with exit code 2 and one line that says what a prefix is."""
    with pytest.raises(SettingError, match=r"USAGE_PATH_PREFIX=.* must be a path such as /analytics, of letters"):
        Settings.read({"USAGE_PATH_PREFIX": text})


def test_exit_code(tmp_path: Any) -> None:
    """A wrong prefix, or a wrong origin, ends `usage serve` with exit code 2."""
    for name, value in (("USAGE_PATH_PREFIX", "/usage"), ("USAGE_CORS_ORIGINS", "*")):
        ended = invoke(["serve", "--port", "0", "--data-dir", str(tmp_path)], env={name: value})
        assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1)
        assert ended.stderr.startswith(f"{name}=")
