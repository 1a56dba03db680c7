"""How the page looks: at every width, in light and dark, to a screen reader, on paper, and while it loads."""

import re
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.support.browsing import Hostile, visit

WIDTHS: Final = (320, 360, 900, 1280)
SERIOUS: Final = {"serious", "critical"}


def opened(page: Page) -> None:
    """Wait for all panels, and open everything that is folded."""
    expect(page.locator(".feed li").first).to_be_visible()
    page.locator(".folded").evaluate_all("all => all.forEach(one => { one.open = true; })")
    page.locator(".feed summary").first.click()
    expect(page.locator(".feed dl")).to_be_visible()


def findings(page: Page, *rules: str, within: str | None = None) -> list[Any]:
    """Return the serious findings of axe in the page or a part of it, by all its rules or some."""
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found = Axe().run(page, context=within, options=options).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found if one["impact"] in SERIOUS]


def test_dark(hostile: Hostile, browser: Browser) -> None:
    """In dark, which changes nothing but colours, there is contrast enough."""
    with visit(browser, hostile.url, key=hostile.key, color_scheme="dark") as page:
        opened(page)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
        assert findings(page, "color-contrast") == []
        page.get_by_role("combobox", name="Time zone").click()
        assert findings(page, "color-contrast", within="#controls") == []


def test_widths_and_accessibility(hostile: Hostile, browser: Browser) -> None:
    """From 320 px on nothing is wider than the window, targets are large enough, and axe finds nothing serious."""
    with visit(browser, hostile.url, key=hostile.key) as page:
        opened(page)
        assert findings(page) == []
        for width in sorted(WIDTHS, reverse=True):
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator("#days .chart")).to_have_attribute("viewBox", re.compile(r"^0 0 \d+ 220$"))
            assert page.evaluate("document.documentElement.scrollWidth") == width
            outside = page.locator("main *:visible, header *:visible").evaluate_all(
                "all => all.filter(one => !one.closest('.unseen, svg, legend')"
                " && one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 99))"
            )
            assert outside == []
            small = page.locator("button:visible, select:visible, input:visible, summary:visible").evaluate_all(
                "all => all.filter(one => one.closest('label, .sort') === null"
                " && one.getBoundingClientRect().height < 44).map(one => one.outerHTML.slice(0, 99))"
            )
            assert small == []
        page.get_by_role("combobox", name="Time zone").click()
        assert findings(page, within="#controls") == []
        page.get_by_role("button", name="Forget key").click()
        expect(page.get_by_label("API key")).to_be_visible()
        assert findings(page) == []


def test_print(hostile: Hostile, browser: Browser) -> None:
    """On paper the page is light, without controls, and its tables are open; afterwards they are folded again."""
    with visit(browser, hostile.url, key=hostile.key, color_scheme="dark") as page:
        expect(page.locator(".feed li").first).to_be_visible()
        page.emulate_media(media="print", color_scheme="dark")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(page.locator("#days table")).to_be_visible()
        expect(page.locator("#buckets table")).to_be_visible()
        for gone in ("#controls", "#forget", "#days .choices", "#activity .more", ".csv >> nth=0"):
            expect(page.locator(gone)).to_be_hidden()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen")
        expect(page.locator("#days table")).to_be_hidden()


@pytest.mark.parametrize("width", [360, 900, 1280])
def test_nothing_moves(hostile: Hostile, browser: Browser, width: int) -> None:
    """While the panels fill, nothing that is visible moves."""
    with visit(browser, hostile.url, width=width) as page:
        page.add_init_script(
            "window.moved = 0; new PerformanceObserver(list => list.getEntries().forEach(one =>"
            " { window.moved += one.value; })).observe({type: 'layout-shift', buffered: true});"
            f"sessionStorage.setItem('usage-key', '{hostile.key}')"
        )
        page.reload()
        expect(page.locator(".feed li").first).to_be_visible()
        assert page.evaluate("new Promise(done => requestAnimationFrame(() => done(window.moved)))") == 0
