"""What people do with the page: choose, sort, search zones, read charts by keyboard, page through events, save."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.support.browsing import cells, refresh, visit
from tests.support.process import running
from tests.support.service_folder import ServiceFolder, make_event

LOCALES = (
    "de",
    "en-us",
    "fr",
    "ja",
    "ar",
    *(f"en-{region}" for region in ("gb", "au", "ca", "nz", "ie", "in", "za", "sg")),
)


def events(folder: ServiceFolder, count: int) -> list[dict[str, object]]:
    """Return events of two people, one a minute until noon of the last day."""
    people = ((folder.user, "Ada"), (folder.other_user, "Grace"))
    return [
        make_event(
            folder.now - (count - k) * 60_000_000,
            id=f"evt_{k}",
            action="workflow_run" if k % 3 else "voice_generated",
            run_id="r" if k % 3 else None,
            run_status="completed" if k % 3 else None,
            user_id=people[k % 2][0],
            user_name=people[k % 2][1],
            credits=k,
            languages=[{"locale": LOCALES[k % len(LOCALES)], "characters": 10 * k + 1, "lines": k}],
        )
        for k in range(count)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ServiceFolder:
    """Return a data folder with 200 events."""
    folder = ServiceFolder(tmp_path_factory.mktemp("use"))
    folder.member(folder.workspace, folder.other_user)
    folder.publish(events(folder, 200))
    return folder


@pytest.fixture(scope="module")
def url(folder: ServiceFolder) -> Iterator[str]:
    """Yield the URL of a service on the folder."""
    with running(folder.root) as url:
        yield url


def test_choices_are_in_the_address(folder: ServiceFolder, url: str, browser: Browser) -> None:
    """Range, view, zone, filters, measure and order are in the address; Back and Forward restore them."""
    with visit(browser, url, key=folder.token) as page:
        expect(page.locator(".feed li").first).to_be_visible()
        page.get_by_label("60 days").check()
        page.get_by_label("12 weeks").check()
        page.get_by_role("group", name="Show").get_by_label("Lines").check()
        page.get_by_role("button", name="Characters", exact=True).click()
        page.get_by_label("Type").select_option("voice_generated")
        page.get_by_label("Person").select_option(label="Grace")
        address = (
            f"?range=60d&activity_view=weekly&type=voice_generated&user_id={folder.other_user}"
            "&measure=lines&sort=-characters"
        )
        assert page.evaluate("location.search") == address
        expect(page.locator("#days .bar")).to_have_count(60)
        expect(page.locator("#buckets .bar")).to_have_count(12)
        expect(page.locator("#days .reading")).to_contain_text(re.compile("^Lines, 26 Sept"))
        expect(page.locator(".feed")).not_to_contain_text("Workflow run")
        expect(page.locator(".feed .who").first).to_have_text("Grace")
        head = page.locator("#languages th[aria-sort]")
        assert (head.count(), head.inner_text()[:10], head.get_attribute("aria-sort")) == (
            1,
            "Characters",
            "descending",
        )
        for _ in range(6):
            page.go_back()
        expect(page.locator("#days .bar")).to_have_count(30)
        expect(page.get_by_label("30 days")).to_be_checked()
        expect(page.get_by_label("Person")).to_have_value("")
        page.go_forward()
        expect(page.locator("#days .bar")).to_have_count(60)
    with visit(browser, url, address, key=folder.token) as page:
        expect(page.locator(".feed .who").first).to_have_text("Grace")
        expect(page.get_by_label("Person")).to_have_value(folder.other_user)
        expect(page.get_by_label("Type")).to_have_value("voice_generated")


def test_zones(folder: ServiceFolder, url: str, browser: Browser) -> None:
    """A zone is found by city, former name and offset; the browser's, UTC and the last three are on top."""
    with visit(browser, url, key=folder.token, zone="Europe/Kiev") as page:
        box = page.get_by_role("combobox", name="Time zone")
        options = page.locator("#zone-list [role=option]")
        expect(box).to_have_value("Europe/Kyiv")
        for text, first, about in (
            ("sao pau", "Sao Paulo (America/Sao_Paulo)", "UTC−03:00"),
            ("Calcutta", "Kolkata (Asia/Kolkata)", "Asia/Calcutta, UTC+05:30"),
            ("+5:45", "Kathmandu (Asia/Kathmandu)", "UTC+05:45"),
            ("utc-9:30", "Marquesas (Pacific/Marquesas)", "UTC−09:30"),
        ):
            box.fill(text)
            expect(options.first).to_contain_text(first)
            expect(options.first).to_contain_text(about)
            page.keyboard.press("Enter")
            expect(box).to_have_value(re.search(r"\((.+)\)", first)[1])  # type: ignore[index]
            expect(box).to_have_attribute("aria-expanded", "false")
        assert "timezone=Pacific%2FMarquesas" in page.evaluate("location.search")
        box.click()
        expect(options.nth(4)).to_be_visible()
        assert [text.split("UTC+")[0].split("UTC−")[0] for text in options.all_text_contents()[:5]] == [
            "This browser (Europe/Kyiv)",
            "UTC",
            "Marquesas (Pacific/Marquesas)",
            "Kathmandu (Asia/Kathmandu)",
            "Kolkata (Asia/Kolkata)",
        ]
        page.keyboard.press("ArrowDown")
        assert box.get_attribute("aria-activedescendant") == "zone-0"
        page.keyboard.press("Escape")
        expect(page.locator("#zone-list")).to_be_hidden()
        expect(box).to_have_value("Pacific/Marquesas")
        box.fill("atlantis")
        expect(options).to_have_text("No zone has that name")
        box.click()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        assert page.evaluate("location.search") == ""


def test_charts_by_keyboard(folder: ServiceFolder, url: str, browser: Browser) -> None:
    """Arrows move a cursor over the bars of a chart, and what it is at is spoken."""
    with visit(browser, url, key=folder.token) as page:
        reading, chart = page.locator("#days .reading"), page.locator("#days .chart")
        expect(reading).to_have_attribute("aria-live", "polite")
        expect(page.locator(".feed li").first).to_be_visible()
        sentence = reading.inner_text()
        chart.focus()
        page.keyboard.press("End")
        expect(reading).to_have_text("Tue, 24 Nov 2026 (so far): 19,900 credits")
        page.keyboard.press("ArrowLeft")
        expect(reading).to_have_text("Mon, 23 Nov 2026: 0 credits")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowLeft")
        expect(reading).to_have_text("Mon, 26 Oct 2026: 0 credits")
        page.keyboard.press("Escape")
        expect(reading).to_have_text(sentence)
        expect(page.locator("#days .bar.running")).to_have_count(1)
        expect(page.locator("#buckets .bar.peak")).to_have_count(1)
        expect(page.locator("#buckets .average")).to_have_count(1)


def test_languages_are_sorted(folder: ServiceFolder, url: str, browser: Browser) -> None:
    """A click sorts by a column, a second one in the other direction; untagged and total stay last."""
    with visit(browser, url, key=folder.token) as page:
        page.locator("#languages .more").click()
        rows = page.locator("#languages tbody tr")
        for name, column in (("Language", 0), ("Lines", 5), ("Share", 1)):
            button = page.locator("#languages").get_by_role("button", name=name, exact=True)
            orders = []
            for _ in range(2):
                button.click()
                shown = cells(rows)
                assert shown[-1][0] == "Total"
                orders.append([row[column] for row in shown[: len(LOCALES)]])
            assert orders[0] == orders[1][::-1]
            assert orders[0] != orders[1]


def test_older_and_newer_events(folder: ServiceFolder, url: str, browser: Browser) -> None:
    """Five older pages come by themselves, further ones on request; newer events are announced, and do not jump."""
    with visit(browser, url, key=folder.token) as page:
        rows, more, newer = page.locator(".feed li"), page.locator("#activity .more"), page.locator(".newer")
        expect(rows.first).to_be_visible()
        for count in range(40, 121, 20):
            more.scroll_into_view_if_needed()
            expect(rows.nth(count - 1)).to_be_attached()
        expect(more).to_have_text("Older events")
        assert rows.count() == 120
        for count in range(140, 201, 20):
            more.click()
            expect(rows.nth(count - 1)).to_be_attached()
        expect(page.locator("#activity")).to_contain_text("These are all events of this range.")
        expect(more).to_be_hidden()
        assert len(set(page.locator(".feed time").evaluate_all("all => all.map(one => one.dateTime)"))) == 200
        first = rows.first.inner_text()
        extra = [make_event(folder.now - k, id=f"new_{k}") for k in range(3)]
        folder.publish([*events(folder, 200), *extra])
        refresh(page)
        expect(newer).to_have_text("3 new events")
        assert (rows.count(), rows.first.inner_text()) == (200, first)
        newer.click()
        expect(rows.first).not_to_have_text(first)
        assert rows.count() < 200
        expect(newer).to_be_hidden()
        folder.publish(events(folder, 200))


def test_tables_as_files(folder: ServiceFolder, url: str, browser: Browser, tmp_path: Path) -> None:
    """Each CSV button saves what the API answers to the same question; of the feed, all pages that are loaded."""
    headers = {"Authorization": f"Bearer {folder.token}", "Accept": "text/csv"}
    with visit(browser, url, "?range=60d&activity_view=weekly&timezone=Asia/Tokyo", key=folder.token) as page:
        expect(page.locator(".feed li").first).to_be_visible()
        more = page.locator("#activity .more")
        more.scroll_into_view_if_needed()
        expect(page.locator(".feed li").nth(39)).to_be_attached()
        common = {"range": "60d", "timezone": "Asia/Tokyo"}
        for panel, path, query, name in (
            ("#days", "summary", common, "usage-days.csv"),
            ("#buckets", "summary", {**common, "activity_view": "weekly"}, "usage-buckets.csv"),
            ("#languages", "by-language", common, "usage-languages.csv"),
        ):
            with page.expect_download() as saved:
                page.locator(panel).get_by_role("button", name="Download as CSV").click()
            assert saved.value.suggested_filename == name
            saved.value.save_as(tmp_path / name)
            answer = httpx.get(f"{url}/api/v1/usage/{path}", params=query, headers=headers)
            assert (tmp_path / name).read_bytes() == answer.content
        count = page.locator(".feed li").count()
        with page.expect_download() as saved:
            page.locator("#activity").get_by_role("button", name="Download as CSV").click()
        saved.value.save_as(tmp_path / "feed.csv")
        answer = httpx.get(f"{url}/api/v1/usage/activity", params={**common, "limit": count}, headers=headers)
        assert count in {40, 60, 80, 100}
        assert (tmp_path / "feed.csv").read_bytes() == answer.content
