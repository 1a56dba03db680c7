"""Make the pictures of docs/page.md again: `python -m tests.support.page_pictures`.

They show the sample logs at a fixed instant, in Debian's Chromium with the fonts that `.ci/run` installs.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, expect

from pipeline.contract.formats import instant
from pipeline.sample.cast import Plan
from pipeline.sample.generate import write
from tests.support.browsing import chromium, visit
from tests.support.data_folder import NOW, DataFolder
from tests.support.process import running
from tests.support.project import ROOT

FOLDER: Final = ROOT / "docs/page"
LATER: Final = "2026-11-24T12:03:00Z"  # when the page is looked at
QUERY: Final = "?activity_view=weekly&timezone=Asia/Kathmandu"
EVENTS: Final = 6_000
# Of each picture its width and height, and what is special about it.
PICTURES: Final[dict[str, dict[str, Any]]] = {
    "overview": {"width": 1280, "height": 1130},
    "dark": {"width": 1280, "height": 1130, "scheme": "dark"},
    "activity": {"width": 1280, "height": 820, "opened": True},
    "phone": {"width": 360, "height": 1560},
    "zones": {"width": 900, "height": 560, "searched": "kat"},
    "key": {"width": 720, "height": 440, "signed_in": False},
}


def main(folder: Path) -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as temporary, chromium() as browser:
        root = Path(temporary)
        sample = write(root, Plan(now=instant(NOW), events=EVENTS))
        DataFolder(root).run(instant(NOW))
        with running(root, now=LATER) as url:
            for name, wanted in PICTURES.items():
                _make(browser, url, sample.key, folder / f"{name}.png", **wanted)


def _make(
    browser: Browser,
    url: str,
    key: str,
    path: Path,
    *,
    width: int,
    height: int,
    scheme: str = "light",
    opened: bool = False,
    searched: str = "",
    signed_in: bool = True,
) -> None:
    with visit(browser, url, QUERY, key=key if signed_in else None, width=width, color_scheme=scheme) as page:
        page.set_viewport_size({"width": width, "height": height})
        if signed_in:
            expect(page.locator("#figures")).to_have_attribute("aria-busy", "false")
        if opened:
            _open_a_row(page)
        if searched:
            page.get_by_role("combobox", name="Time zone").fill(searched)
            expect(page.locator("#zone-list [role=option]").first).to_be_visible()
        page.screenshot(path=path)


def _open_a_row(page: Page) -> None:
    page.locator(".feed summary").nth(1).click()
    expect(page.locator(".feed dl")).to_be_visible()
    page.locator("#activity").evaluate("one => one.scrollIntoView()")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
