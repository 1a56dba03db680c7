"""What the page says if something is missing, wrong, spent, old or extreme."""

import json
import re
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browsing import Ground, await_status, cells, notice, refresh, visit
from tests.support.extreme import LONG, METADATA, RIGHT_TO_LEFT, extreme_events
from tests.support.process import running
from tests.support.service_folder import ServiceFolder, make_event

QUIET: Final = "e0000000-0000-4000-8000-00000000000e"


def test_refusals(ground: Ground, browser: Browser) -> None:
    """A missing scope, a wrong zone and other wrong values in the address are explained in the words of the API."""
    unscoped = ground.folder.key(scopes=["voices:read"])
    await_status(ground, unscoped, 200)
    with visit(browser, ground.url, key=unscoped) as page:
        expect(notice(page)).to_contain_text("`workspace:read`")
        expect(page.get_by_role("button", name="Forget key")).to_be_visible()
    wrong = "?timezone=Nowhere/Land&range=7d&activity_view=hourly&type=nothing&workspace="
    with visit(browser, ground.url, wrong, key=ground.folder.token) as page:
        expect(notice(page)).to_contain_text("timezone: must be an IANA time zone name")
        page.get_by_role("combobox", name="Time zone").fill("kathm")
        page.keyboard.press("Enter")
        page.get_by_label("60 days").check()
        expect(notice(page)).not_to_contain_text("timezone")
        page.get_by_label("12 months").check()
        page.get_by_label("Type").select_option("")
        expect(page.locator(".feed li").first).to_be_visible()
        expect(notice(page)).to_be_hidden()
        assert page.evaluate("location.search").startswith("?range=60d&activity_view=monthly&timezone=Asia%2FKathmandu")
    other = f"?workspace={ground.folder.other_workspace}"
    with visit(browser, ground.url, other, key=ground.folder.token) as page:
        expect(notice(page)).to_contain_text("may not read this workspace")


def test_a_zone_that_only_the_browser_knows(ground: Ground, browser: Browser) -> None:
    """If the service does not know the zone of the browser, UTC is taken; what no address names is no fault."""
    with visit(browser, ground.url, key=ground.folder.token) as page:
        expect(page.locator(".feed li").first).to_be_visible()
    script = "Intl.DateTimeFormat.prototype.resolvedOptions = () => ({timeZone: 'Mars/Olympus'})"
    with visit(browser, ground.url) as page:
        page.add_init_script(script)
        page.add_init_script(f"sessionStorage.setItem('usage-key', '{ground.folder.token}')")
        page.reload()
        expect(page.locator(".feed li").first).to_be_visible()
        expect(page.locator("#zone")).to_have_value("UTC")


def test_a_zone_that_the_browser_does_not_know(ground: Ground, browser: Browser) -> None:
    """If the browser does not know a zone, times are in UTC, and the page says so; days stay those of the zone."""
    script = (
        "const real = Intl.DateTimeFormat; Intl.DateTimeFormat = function (locale, options) {"
        " if (options?.timeZone === 'Asia/Tokyo') throw new RangeError('unknown'); return new real(locale, options); };"
        "Intl.DateTimeFormat.prototype = real.prototype;"
    )
    with visit(browser, ground.url, "?timezone=Asia/Tokyo") as page:
        page.add_init_script(script)
        page.add_init_script(f"sessionStorage.setItem('usage-key', '{ground.folder.token}')")
        page.reload()
        expect(page.locator(".feed time").first).to_have_text("24 Nov 2026, 08:40:00 UTC")
        expect(notice(page)).to_contain_text("Times are in UTC")
        expect(page.locator("#span")).to_contain_text("24 Nov 2026 Asia/Tokyo")


def test_a_limit_that_is_spent(ground: Ground, browser: Browser) -> None:
    """A spent limit counts down to the next minute, while the figures stay; then the page asks again."""
    key = ground.folder.key(rate_limit_per_min=4)
    await_status(ground, ground.folder.key(), 200)
    with visit(browser, ground.url) as page:
        page.clock.install()
        page.add_init_script(f"sessionStorage.setItem('usage-key', '{key}')")
        page.reload()
        expect(page.locator(".feed li").first).to_be_visible()
        refresh(page)
        expect(notice(page)).to_contain_text("The limit of this API key is spent")
        expect(notice(page)).to_contain_text("Trying again in 60 s")
        expect(page.locator(".feed li").first).to_be_visible()
        page.clock.fast_forward(20_000)
        expect(notice(page)).to_contain_text("Trying again in 40 s")
        with page.expect_request("**/auth/whoami"):
            page.clock.fast_forward(41_000)


def test_asking_again(ground: Ground, browser: Browser) -> None:
    """Every minute the page asks again for what changed; what did not change comes as 304."""
    with visit(browser, ground.url) as page:
        page.clock.install()
        page.add_init_script(f"sessionStorage.setItem('usage-key', '{ground.folder.token}')")
        page.reload()
        expect(page.locator(".feed li").first).to_be_visible()
        expect(page.locator("#figures")).to_have_attribute("aria-busy", "false")
        with page.expect_response("**/usage/summary?*") as answered:
            page.clock.fast_forward(61_000)
        assert answered.value.status == 304


def test_a_table_that_cannot_be_saved(ground: Ground, browser: Browser) -> None:
    """The page says why, and asks again a minute later as ever."""
    refused = json.dumps({"error": {"code": "NOT_FOUND", "message": "There is no such table.", "details": []}})
    with visit(browser, ground.url) as page:
        page.clock.install()
        page.add_init_script(f"sessionStorage.setItem('usage-key', '{ground.folder.token}')")
        page.reload()
        expect(page.locator("#figures")).to_have_attribute("aria-busy", "false")
        page.route("**/by-language?*", lambda route: route.fulfill(status=404, body=refused))
        page.get_by_role("button", name="Download as CSV: Languages").click()
        expect(notice(page)).to_contain_text("There is no such table.")
        page.unroute("**/by-language?*")
        with page.expect_request("**/auth/whoami"):
            page.clock.fast_forward(61_000)
        expect(notice(page)).to_be_hidden()


def test_older_events_that_are_superseded(ground: Ground, browser: Browser) -> None:
    """If the page asks again while older events are on their way, that is no fault: they can be asked for again."""
    with visit(browser, ground.url, key=ground.folder.token) as page:
        page.route("**/activity?*cursor=*", lambda _: None)  # never answered
        older = page.locator("#activity .more")
        older.scroll_into_view_if_needed()
        expect(older).to_have_text("Loading…")
        expect(page.locator("#figures")).to_have_attribute("aria-busy", "false")
        refresh(page)
        expect(older).to_have_text("Older events")
        expect(notice(page)).to_be_hidden()


def test_no_connection(ground: Ground, browser: Browser) -> None:
    """Without a connection the last figures stay, and the page says so until the connection is back."""
    with visit(browser, ground.url, key=ground.folder.token) as page:
        expect(page.locator(".feed li").first).to_be_visible()
        page.context.set_offline(True)
        refresh(page)
        expect(notice(page)).to_contain_text("No connection")
        expect(page.locator("#tile-credits")).to_contain_text("150,000,000,000,000")
        page.context.set_offline(False)
        expect(notice(page)).to_be_hidden()


def test_extremes(ground: Ground, browser: Browser) -> None:
    """The largest numbers are shown in full, names as text in their own direction, metadata as they were written."""
    with visit(browser, ground.url, key=ground.folder.token, width=320) as page:
        expect(page.locator(".feed li").first).to_be_visible()
        expect(page.locator("#tile-characters .value")).to_have_text("450,000,000,000,000")
        expect(page.locator("#tile-audio bdi")).to_have_text("41,666,666:40:00")
        expect(page.locator("#credits")).to_contain_text("149,000,000,000,000 over the quota")
        expect(page.locator("#languages tbody tr").last).to_contain_text("150,000,000,000,000")
        names = page.locator(".feed .who").all_inner_texts()
        assert {LONG, RIGHT_TO_LEFT, "<script>alert(1)</script>", ground.folder.user[:8]} <= set(names)
        assert page.locator(".feed script, .feed img").count() == 0
        row = page.locator(".feed details").first
        row.locator("summary").click()
        shown = row.locator("pre").inner_text()
        assert "".join(shown.split()) == METADATA.replace("<img src", "<imgsrc").replace("x onerror", "xonerror")
        assert shown.startswith('{\n  "z": 1.0,\n  "a": [\n    12345678901234567890,\n    1e400,\n    {}\n  ],')
        expect(row).to_contain_text("2001:db8::1")
        assert cells(page.locator("#days tbody tr").last)[0][1] == "8,000,000,000,000"
        widths = "[document.documentElement.scrollWidth, innerWidth]"
        page.locator("#days summary").click()
        page.locator("#buckets summary").click()
        scrolled, width = page.evaluate(widths)
        assert scrolled == width == 320


def test_numbers_beyond_doubles(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> None:
    """Sums beyond 2⁵³ are not rounded."""
    folder = ServiceFolder(tmp_path_factory.mktemp("doubles"))
    credits_ = [2**53 - 1, 2, 2]
    folder.publish([make_event(f"2026-11-2{k}T00:00:00Z", id=str(k), credits=n) for k, n in enumerate(credits_)])
    with running(folder.root) as url, visit(browser, url, key=folder.token) as page:
        expect(page.locator("#tile-credits .value")).to_have_text("9,007,199,254,740,995")
        expect(page.locator("#languages tbody tr").last).to_contain_text("9,007,199,254,740,995")


def test_a_quiet_workspace_and_old_data(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> None:
    """Before the first run the page says that there is nothing yet; without events, all is 0; old data are named."""
    folder = ServiceFolder(tmp_path_factory.mktemp("quiet"))
    folder.member(QUIET, folder.user)
    quiet = folder.key(QUIET)
    with running(folder.root, now="2026-11-24T15:05:00Z") as url, visit(browser, url, key=quiet, zone="UTC") as page:
        expect(notice(page)).to_contain_text("No figures yet")
        folder.publish(extreme_events())
        refresh(page)
        expect(page.locator("#activity")).to_contain_text("No events match.")
        expect(notice(page)).to_be_hidden()
        expect(page.locator("#languages")).to_contain_text("No languages in this range.")
        expect(page.locator("#tile-credits .value")).to_have_text("0")
        assert {cell for row in cells(page.locator("#days tbody tr")) for cell in row[1:]} == {"0"}
        expect(page.locator("#days .chart")).to_have_attribute("aria-label", re.compile("Nothing in this"))
        expect(page.locator("#fresh")).to_have_text("Data as of 11:59 (3 h 6 min ago)")
        expect(page.locator("#old")).to_contain_text("These figures are 3 h 6 min old")
        page.clock.install()
        page.reload()
        expect(page.locator("#old")).to_be_visible()
        page.get_by_role("button", name="Forget key").click()
        page.clock.fast_forward(16_000)
        expect(page.locator("#old")).to_be_hidden()
