"""The page inside another application: the example of the docs as a real page of another origin."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.issuer import claims, ec_key, jwks, sign
from tests.support.process import running
from tests.support.project import ROOT
from tests.support.service_folder import ServiceFolder, make_event

EXAMPLE: Final = (ROOT / "docs/embedding/host.html").read_text("utf-8")
STANDARD: Final = "http://127.0.0.1:8080"  # where the example expects the service

HTML: Final = {"Content-Type": "text/html; charset=utf-8"}  # without the policy


class Host:
    """An application: its page, and the tokens that it hands out one after the other; the last one for ever."""

    def __init__(self) -> None:
        self.page = ""
        self.tokens: list[dict[str, str]] = []
        self.asked = 0
        self.url = ""


@contextmanager
def host() -> Iterator[Host]:
    """Yield a running application."""
    application = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/usage-token":
                answer = application.tokens[min(application.asked, len(application.tokens) - 1)]
                application.asked += 1
                self.send(json.dumps(answer), "application/json")
            elif self.path == "/":
                self.send(application.page, "text/html; charset=utf-8")
            else:  # an icon, or an empty page
                self.send("", "text/html")

        def send(self, text: str, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        application.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield application
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ServiceFolder:
    """Return a data folder of somebody with two workspaces."""
    folder = ServiceFolder(tmp_path_factory.mktemp("embedded"))
    folder.member(folder.other_workspace, folder.user)
    folder.publish(
        [
            make_event("2026-11-24T10:00:00Z", credits=11, user_name="Ann"),
            make_event("2026-11-24T10:00:00Z", credits=22, user_name="Bo", workspace_id=folder.other_workspace),
        ]
    )
    (folder.root / "jwks.json").write_bytes(jwks(k=ec_key("k")))
    return folder


def opened(browser: Browser, url: str) -> Page:
    """Return the application's page in a new tab."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(url)
    return page


def test_the_example(folder: ServiceFolder, browser: Browser) -> None:
    """The host's token and workspace are used, are in memory only, and are asked for once more after a 401."""
    good, expired = (sign(ec_key("k"), "k", claims(exp=claims()["exp"] + more)) for more in (0, -600))
    with (
        host() as application,
        running(
            folder.root,
            USAGE_JWKS=str(folder.root / "jwks.json"),
            USAGE_EMBED_ORIGINS=f"https://other.example,{application.url}",
        ) as url,
    ):
        application.page = EXAMPLE.replace(STANDARD, url)
        application.tokens = [{"token": good, "workspace": folder.other_workspace}]
        page = opened(browser, application.url)
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text))
        usage = page.frame_locator("#usage")
        expect(usage.locator("#tile-credits .value")).to_have_text("22")
        expect(usage.locator("#key")).to_be_hidden()
        expect(usage.get_by_role("button", name="Forget key")).to_be_hidden()
        frame = page.frames[1]
        assert frame.evaluate("[sessionStorage.length, document.cookie, location.search]") == [0, "", "?range=30d"]
        # Choices in the frame do not stand between the application and its Back button.
        entries = page.evaluate("history.length")
        usage.get_by_label("60 days").check()
        expect(usage.locator("#span")).to_contain_text("26 Sept")
        assert page.evaluate("history.length") == entries

        # The application may show another workspace at any time; then nothing of the one before stays.
        expect(usage.locator(".feed .who")).to_have_text("Bo")
        message = json.dumps({"type": "usage-token", "token": good, "workspace": folder.workspace})
        page.evaluate(f"frames[0].postMessage({message}, '*')")
        expect(usage.locator("#tile-credits .value")).to_have_text("11")
        expect(usage.locator(".feed .who")).to_have_text("Ann")
        expect(usage.locator(".newer")).to_be_hidden()

        application.tokens = [{"token": expired}, {"token": good, "workspace": folder.workspace}]
        application.asked = 0
        page.reload()
        expect(usage.locator("#tile-credits .value")).to_have_text("11")
        assert application.asked == 2

        application.tokens = [{"token": expired}]
        application.asked = 0
        page.reload()
        expect(usage.locator("#notice")).to_contain_text("The session has ended")
        expect(usage.locator("#key")).to_be_hidden()
        assert application.asked == 2
        assert all("401" in text for text in errors), errors
        page.context.close()


def test_strangers(folder: ServiceFolder, browser: Browser) -> None:
    """Tokens count only from the parent and from a listed origin, and never in a page of its own."""
    message = f"{{type: 'usage-token', token: '{folder.token}'}}"
    with host() as listed, host() as stranger, running(folder.root, USAGE_EMBED_ORIGINS=listed.url) as url:
        page = opened(browser, f"{url}/usage/")
        page.evaluate(f"postMessage({message}, '*')")
        expect(page.get_by_label("API key")).to_be_visible()

        stranger.page = EXAMPLE.replace(STANDARD, url)
        stranger.tokens = [{"token": folder.token}]
        page.goto(stranger.url)
        page.wait_for_timeout(0)
        assert "chrome-error" in page.frames[1].url or not page.frames[1].locator("body *").count()
        assert stranger.asked == 0
        # Even in a browser that would show it there, the page asks for nothing, and takes nothing.
        page.route(
            "**/usage/?range=30d", lambda route: route.fulfill(status=200, headers=HTML, body=route.fetch().text())
        )
        page.goto(stranger.url)
        notice = page.frame_locator("#usage").locator("#notice")
        expect(notice).to_contain_text("Waiting for the application")
        page.evaluate(f"frames[0].postMessage({message}, '*')")
        page.frames[1].evaluate("new Promise(done => setTimeout(done))")
        expect(notice).to_contain_text("Waiting for the application")
        assert stranger.asked == 0
        page.unroute("**/usage/?range=30d")

        listed.page = f'<iframe id="usage" src="{url}/usage/"></iframe><iframe id="other" src="/blank"></iframe>'
        page.goto(listed.url)
        usage = page.frame_locator("#usage")
        expect(usage.locator("#notice")).to_contain_text("Waiting for the application")
        # Of the right origin, but not from the parent.
        page.frames[2].evaluate(f"parent.frames[0].postMessage({message}, '*')")
        page.frames[1].evaluate(f"postMessage({message}, '*')")
        page.evaluate("frames[0].postMessage({type: 'usage-token', token: 1}, '*')")
        page.evaluate("frames[0].postMessage(null, '*')")
        expect(usage.locator("#notice")).to_contain_text("Waiting for the application")
        page.evaluate(f"frames[0].postMessage({message}, '*')")
        expect(usage.locator("#tile-credits .value")).to_have_text("11")
        page.context.close()
