"""Who looks at the page: no key, a wrong one, one key after another, and one that is revoked."""

import json
from typing import Final

from playwright.sync_api import Browser, expect

from tests.support.browsing import Ground, await_status, notice, refresh, visit

REFUSED: Final = "This API key is not valid"


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
        field.fill("op_live_\u2026")  # no header can carry this
        page.keyboard.press("Enter")
        expect(notice(page)).to_be_hidden()
        expect(page.locator("#sign-in-fault")).to_contain_text(REFUSED)
        field.fill(f" {ground.folder.token} ")
        page.get_by_role("button", name="Show usage").click()
        expect(page.locator(".feed li").first).to_be_visible()
        expect(page.locator("#sign-in")).to_be_hidden()
        expect(page.locator("#figures")).to_be_focused()
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


def test_another_key(ground: Ground, browser: Browser) -> None:
    """Whoever comes after a forgotten key sees nothing of what it showed, whatever their own key may read."""
    unscoped = ground.folder.key(scopes=["voices:read"])
    await_status(ground, unscoped, 200)
    with visit(browser, ground.url) as page:
        for key in (ground.folder.token, unscoped):
            page.get_by_label("API key").fill(key)
            page.get_by_role("button", name="Show usage").click()
            expect(page.locator("#workspace")).to_contain_text(ground.folder.workspace[:8])
            if key == ground.folder.token:
                expect(page.locator(".feed li").first).to_be_visible()
                expect(page.locator("#figures")).to_have_attribute("aria-busy", "false")
                page.get_by_role("button", name="Forget key").click()
                assert page.locator(".feed li").count() == 0
        expect(notice(page)).to_contain_text("`workspace:read`")
        expect(page.locator("#tile-credits")).to_be_hidden()
        expect(page.locator("#loading")).to_be_hidden()
        assert not page.locator("#fresh").inner_text()
        assert page.locator("#person option").all_inner_texts() == ["Everyone", "Me"]


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
