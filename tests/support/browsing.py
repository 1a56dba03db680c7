"""The Usage page in Debian's Chromium: one browser for a module of tests, a new profile for each visit."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.support.missing import skip
from tests.support.service_folder import ServiceFolder

CHROMIUM: Final = Path("/usr/bin/chromium")
_OPTIONS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_PATIENCE_MS: Final = 30_000
# What the browser itself says of a request that was refused, or that had no connection.
_REFUSED: Final = re.compile(r"Failed to load resource: (the server responded with a status of [45]|net::ERR_)").match
# As a browser writes the months in British English.
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec")


class Hostile(NamedTuple):
    """A service on hostile logs, and the key of a member of a busy workspace."""

    url: str
    key: str
    workspace: str


class Ground(NamedTuple):
    """A data folder that a test may change, and a service on it."""

    folder: ServiceFolder
    url: str


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser. While it runs, the thread has a running event loop, in which nothing else can run."""
    if not CHROMIUM.exists():
        skip("chromium is not installed")
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_OPTIONS))
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Browser,
    url: str,
    query: str = "",
    *,
    key: str | None = None,
    width: int = 1280,
    zone: str = "UTC",
    **options: Any,
) -> Iterator[Page]:
    """Yield the page as somebody with this key sees it. At the end, it must have said and requested nothing odd.

    Args:
        browser: of `chromium`.
        url: of the service, with its path prefix.
        query: of the page's address.
        key: kept in the tab already; None for a visitor who has not pasted one.
        width: of the window.
        zone: of the browser.
        options: further ones of the browser's context.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900}, locale="en-US", timezone_id=zone, service_workers="block", **options
    )
    context.set_default_timeout(_PATIENCE_MS)
    page = context.new_page()
    said: list[str] = []
    origins: set[str] = set()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: origins.add(origin(request.url)))
    if key:
        page.add_init_script(f"sessionStorage.setItem('usage-key', '{key}')")
    page.goto(f"{url}/usage/{query}")
    try:
        yield page
        assert [line for line in said if not _REFUSED(line)] == []
        assert origins <= {origin(url), "null"}  # null: a file that is saved
    finally:
        context.close()


def origin(url: str) -> str:
    """Return the origin of a URL as a browser writes it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "null"


def refresh(page: Page) -> None:
    """Let the page ask again, as it does when the connection is back."""
    page.evaluate("dispatchEvent(new Event('online'))")


def cells(rows: Locator) -> list[list[str]]:
    """Return the text of every cell of table rows."""
    found: list[list[str]] = rows.evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
    )
    return found


def shown_date(day: date) -> str:
    """Return a date as the page shows it."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def notice(page: Page) -> Locator:
    """Return the place where the page says what is wrong."""
    return page.locator("#notice")


def await_status(ground: Ground, key: str, status: int) -> None:
    """Wait until the service has read the directory again."""
    headers, deadline = {"Authorization": f"Bearer {key}"}, time.monotonic() + 60
    while httpx.get(f"{ground.url}/api/v1/auth/whoami", headers=headers).status_code != status:
        assert time.monotonic() < deadline
