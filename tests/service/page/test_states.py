"""What the page says if something is missing, wrong, spent, old or extreme."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browsing import cells, refresh, visit
from tests.support.process import running
from tests.support.service_folder import ServiceFolder, make_event

QUIET: Final = "e0000000-0000-4000-8000-00000000000e"
MOST: Final = 10**12
LONG: Final = "Donaudampfschifffahrtsgesellschaftskapitän" * 6
RIGHT_TO_LEFT: Final = "\u202eمحمد <b>علي</b> العربية"
METADATA: Final = '{"z":1.0,"a":[12345678901234567890,1e400,{}],"":"<img src=x onerror=alert(1)>","metadata":{"b":[]}}'
REFUSED: Final = "This API key is not valid"


class Ground(NamedTuple):
    """A data folder that a test may change, and a service on it."""

    folder: ServiceFolder
    url: str


def extreme_events() -> list[dict[str, Any]]:
    """Return events with the largest numbers, and with names that are long, from the right, or look like markup."""
    languages = [
        {"locale": locale, "characters": MOST, "lines": MOST, "corrected": MOST} for locale in ("ar", "he", None)
    ]
    fields: dict[str, Any] = {
        "action": "workflow_run",
        "run_id": "r",
        "run_status": "completed",
        "credits": MOST,
        "audio_ms": MOST,
        "languages": languages,
        "metadata": METADATA,
        "ip": "2001:db8::1",
    }
    names = (LONG, RIGHT_TO_LEFT, "<script>alert(1)</script>", "")
    return [
        make_event(f"2026-11-{24 - k % 20:02}T08:{k % 60:02}:00Z", id=f"evt_{k}", user_name=names[k // 20 % 4],
                   resource_name=names[(k // 20 + 1) % 4], **fields)
        for k in range(150)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Yield a service on extreme events."""
    folder = ServiceFolder(tmp_path_factory.mktemp("states"))
    folder.account(folder.user, quota=MOST)
    folder.publish(extreme_events())
    with running(folder.root) as url:
        yield Ground(folder, url)


def notice(page: Page) -> Any:
    """Return the place where the page says what is wrong."""
    return page.locator("#notice")


def await_status(ground: Ground, key: str, status: int) -> None:
    """Wait until the service has read the directory again."""
    headers, deadline = {"Authorization": f"Bearer {key}"}, time.monotonic() + 60
    while httpx.get(f"{ground.url}/api/v1/auth/whoami", headers=headers).status_code != status:
        assert time.monotonic() < deadline


def test_the_key(ground: Ground, browser: Browser) -> None:
    """Without a key there is a form. A wrong key is refused, a good one stays in the tab until forgotten or revoked."""
    with visit(browser, ground.url) as page:
        kept = "JSON.stringify([sessionStorage, localStorage, location.search, document.cookie])"
        field = page.get_by_label("API key")
        expect(field).to_have_attribute("type", "password")
        expect(page.locator("#figures")).to_be_hidden()
        field.fill("op_live_wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#sign-in-fault")).to_contain_text(REFUSED)
        assert "op_live_" not in page.evaluate(kept)
        field.fill(f" {ground.folder.token} ")
        page.get_by_role("button", name="Show usage").click()
        expect(page.locator(".feed li").first).to_be_visible()
        expect(page.locator("#sign-in")).to_be_hidden()
        assert page.evaluate(kept) == json.dumps(
            [{"usage-key": ground.folder.token}, {}, "", ""], separators=(",", ":")
        )
        page.reload()
        expect(page.locator(".feed li").first).to_be_visible()
        page.get_by_role("button", name="Forget key").click()
        expect(field).to_be_focused()
        expect(page.locator("#figures")).to_be_hidden()
        assert page.evaluate(kept) == '[{},{},"",""]'
        assert field.input_value() == ""


def test_a_key_that_is_revoked(ground: Ground, browser: Browser) -> None:
    """If a key is revoked while the page is open, the page forgets it and says so."""
    key = ground.folder.key()
    await_status(ground, key, 200)
    with visit(browser, ground.url, key=key) as page:
        expect(page.locator(".feed li").first).to_be_visible()
        ground.folder.key(id="another")  # writes the file again, with the change
        rows = ground.folder.directory["api_keys"]
        rows[-2]["revoked_at"] = "2026-11-24T00:00:00Z"
        ground.folder.key()
        await_status(ground, key, 401)
        refresh(page)
        expect(page.locator("#sign-in-fault")).to_contain_text("not valid any more")
        assert page.evaluate("sessionStorage.length") == 0


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
