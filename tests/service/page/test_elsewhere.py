"""The service seen from elsewhere in a real browser: by a page of another origin, and below a path of another site."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browsing import origin, visit
from tests.support.process import running
from tests.support.service_folder import ServiceFolder, make_event

PREFIX: Final = "/analytics"
SUMMARY: Final = "/api/v1/usage/summary"
# What a page reads of an answer; an error is what it gets where it may not.
READ: Final = """async ([url, headers, method]) => {
  try {
    const answer = await fetch(url, { headers, method, cache: "no-store" });
    const seen = ["ETag", "X-Request-Id", "Link", "X-RateLimit-Limit", "Retry-After", "Content-Length"];
    const found = Object.fromEntries(seen.map(name => [name, answer.headers.get(name)]));
    return { status: answer.status, text: await answer.text(), ...found };
  } catch (error) {
    return error.name;
  }
}"""

Answer = tuple[int, list[tuple[str, str]], bytes]


class Elsewhere(NamedTuple):
    """A service with a prefix and one listed origin, the page of that origin, another page, and a proxy's URL."""

    folder: ServiceFolder
    limited: str
    url: str
    listed: str
    other: str
    stripping: str


@contextmanager
def site(answer: Callable[[str, dict[str, str]], Answer]) -> Iterator[str]:
    """Yield the URL of a site whose answers a function makes of path and headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path, dict(self.headers))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def empty(_: str, __: dict[str, str]) -> Answer:
    """Return an empty page."""
    return 200, [("Content-Type", "text/html")], b""


def without_prefix(url: str) -> Callable[[str, dict[str, str]], Answer]:
    """Return a proxy that takes the prefix off and passes the rest on."""

    def ask(path: str, headers: dict[str, str]) -> Answer:
        if not path.startswith(f"{PREFIX}/"):
            return 404, [], b""
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        connection.request("GET", path.removeprefix(PREFIX), headers=headers)
        reply = connection.getresponse()
        body = reply.read()
        connection.close()
        kept = [(name, value) for name, value in reply.getheaders() if name not in {"connection", "date"}]
        return reply.status, kept, body

    return ask


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """Yield all of them."""
    folder = ServiceFolder(tmp_path_factory.mktemp("elsewhere"))
    limited = folder.key(rate_limit_per_min=1)
    folder.publish([make_event("2026-11-24T10:00:00Z", credits=11), make_event("2026-11-24T11:00:00Z", credits=22)])
    with ExitStack() as stack:
        listed, other = (stack.enter_context(site(empty)) for _ in range(2))
        settings: Any = {"USAGE_CORS_ORIGINS": listed, "USAGE_PATH_PREFIX": PREFIX}
        url = stack.enter_context(running(folder.root, **settings))
        stripping = stack.enter_context(site(without_prefix(url)))
        yield Elsewhere(folder, limited, url, listed, other, stripping)


def opened(browser: Browser, url: str) -> Page:
    """Return a page in a new profile."""
    page = browser.new_context().new_page()
    page.goto(url)
    return page


def test_a_page_of_a_listed_origin(elsewhere: Elsewhere, browser: Browser) -> None:
    """It reads answers, 304s and errors with the headers that they are about, and no more than the API allows."""
    page = opened(browser, elsewhere.listed)

    def read(path: str, key: str, method: str = "GET", **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {key}"} | {name.replace("_", "-"): text for name, text in headers.items()}
        return page.evaluate(READ, [f"{elsewhere.url}{PREFIX}{path}", sent, method])

    key = elsewhere.folder.token
    first = read(SUMMARY, key, X_Workspace_Id=elsewhere.folder.workspace, Accept="application/json")
    assert (first["status"], first["Retry-After"]) == (200, None)
    assert '"used":33' in first["text"]
    assert first["X-Request-Id"] in first["text"]
    again = read(SUMMARY, key, If_None_Match=first["ETag"])
    assert (again["status"], again["text"], again["ETag"]) == (304, "", first["ETag"])
    assert read(SUMMARY, key, "HEAD")["status"] == 200
    table = read("/api/v1/usage/activity?limit=1", key, Accept="text/csv")
    assert table["Link"].startswith(f"<{PREFIX}/api/v1/usage/activity?limit=1&cursor=")
    refused = [read(SUMMARY, elsewhere.limited) for _ in range(2)][1]
    assert (refused["status"], refused["X-RateLimit-Limit"]) == (429, "1")
    assert 1 <= int(refused["Retry-After"]) <= 60
    for path, token, status in (
        (SUMMARY, "op_live_no", 401),
        (f"/api/v1/usage/activity?user_id={elsewhere.folder.other_user}", key, 404),
        (f"{SUMMARY}?range=1d", key, 422),
    ):
        answer = read(path, token)
        assert (answer["status"], '"error"' in answer["text"]) == (status, True)
    # What needs a preflight and is not allowed, and what pages of other origins may not read at all.
    assert read(SUMMARY, key, "POST") == read(SUMMARY, key, X_Other="1") == read("/metrics", key) == "TypeError"
    page.context.close()


def test_a_page_of_another_origin(elsewhere: Elsewhere, browser: Browser) -> None:
    """It reads nothing, neither with a credential nor without, although the browser has read the answer for another."""
    page = opened(browser, elsewhere.other)
    for headers in ({"Authorization": f"Bearer {elsewhere.folder.token}"}, {}):
        assert page.evaluate(READ, [f"{elsewhere.url}{SUMMARY}", headers, "GET"]) == "TypeError"
    page.context.close()


@pytest.mark.parametrize("proxy", ["url", "stripping"])
def test_the_page_below_a_path(elsewhere: Elsewhere, browser: Browser, proxy: str) -> None:
    """The page works below a prefix, which a proxy passes on or takes off; its assets, API and addresses are there."""
    root = getattr(elsewhere, proxy)
    with visit(browser, f"{root}{PREFIX}", "?range=60d", key=elsewhere.folder.token) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        expect(page.locator("#tile-credits .value")).to_have_text("33")
        expect(page.locator(".feed .who")).to_have_count(2)
        page.get_by_label("90 days").check()
        expect(page.locator("#span")).to_contain_text("27 Aug")
        assert page.url.startswith(f"{root}{PREFIX}/usage/?range=90d")
        page.goto(f"{root}{PREFIX}/")
        expect(page.locator("#tile-credits .value")).to_have_text("33")
        assert page.url.startswith(f"{root}{PREFIX}/usage/")
        page.goto(f"{root}{PREFIX}/schema")
        page.get_by_role("link", name=f"{PREFIX}/schema/openapi.json").click()
        page.wait_for_url(f"{root}{PREFIX}/schema/openapi.json")
        assert asked
        assert all(url.startswith(f"{root}{PREFIX}/") for url in asked if origin(url) != "null")
