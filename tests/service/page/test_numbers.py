"""The page shows the numbers of the API, in full and in every zone, also on days when clocks change."""

from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browsing import Hostile, cells, shown_date, visit

MEASURES: Final = ("credits", "characters", "lines", "runs")
STATES: Final = ("completed", "failed", "cancelled")
# Each zone with a range and a view, and whether it is in the address or only the browser's.
CASES: Final = (
    ("America/New_York", "30d", "daily", True),
    ("Africa/Cairo", "60d", "weekly", True),
    ("Asia/Katmandu", "90d", "monthly", False),  # a browser's name for Asia/Kathmandu
    ("Australia/Lord_Howe", "30d", "weekly", False),
)


def ask(hostile: Hostile, path: str, **parameters: Any) -> Any:
    """Return the API's answer to the same question."""
    headers = {"Authorization": f"Bearer {hostile.key}"}
    reply = httpx.get(f"{hostile.url}/api/v1/usage/{path}", params=parameters, headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.json()


def whole(number: int) -> str:
    """Return a number as the page shows it."""
    return f"{number:,}"


def hours(milliseconds: int) -> str:
    """Return a length as the page shows it."""
    minutes, rest = divmod(milliseconds, 60_000)
    seconds, thousandths = divmod(rest, 1000)
    return f"{minutes // 60:,}:{minutes % 60:02}:{seconds:02}" + (f".{thousandths:03}" if thousandths else "")


def tile(page: Page, name: str) -> str:
    """Return the number of a tile."""
    return page.locator(f"#tile-{name} .value bdi, #tile-{name} .value:not(:has(bdi))").inner_text()


@pytest.mark.parametrize(("zone", "range_", "view", "in_address"), CASES)
def test_every_number(hostile: Hostile, browser: Browser, zone: str, range_: str, view: str, in_address: bool) -> None:
    """Tiles, credits, charts, tables and feed have exactly the numbers, days and instants of the API."""
    common = {"range": range_, "timezone": zone}
    summary = ask(hostile, "summary", activity_view=view, include="comparison,pace", **common)["data"]
    languages = ask(hostile, "by-language", **common)["data"]
    feed = ask(hostile, "activity", limit=20, **common)["data"]
    query = f"?range={range_}&activity_view={view}" + (f"&timezone={zone}" if in_address else "")
    with visit(browser, hostile.url, query, key=hostile.key, zone="Asia/Tokyo" if in_address else zone) as page:
        expect(page.locator(".feed li").nth(len(feed) - 1)).to_be_visible()
        expect(page.locator("#zone")).to_have_value(zone.replace("Katmandu", "Kathmandu"))
        check_tiles(page, summary)
        check_credits(page, summary["credits"])
        check_days(page, summary)
        check_buckets(page, summary)
        check_languages(page, languages)
        check_feed(page, feed, zone)


def check_tiles(page: Page, summary: Any) -> None:
    """Compare the totals, and each change with the comparison."""
    runs, lines = summary["runs"], summary["lines"]
    assert tile(page, "credits") == whole(sum(day["credits"] for day in summary["daily"]))
    assert tile(page, "characters") == whole(summary["characters"]["total"])
    assert tile(page, "lines") == whole(lines["total"])
    assert tile(page, "runs") == whole(runs["total"])
    assert tile(page, "audio") == hours(summary["audio"]["total_ms"])
    assert tile(page, "corrected") == whole(summary["corrected"]["total"])
    assert f"{lines['avg_chars_per_line']:,.1f} characters per line" in page.locator("#tile-lines").inner_text()
    states = [f"{whole(runs[state])} {state}" for state in STATES]
    states.append(f"{whole(runs['running'] + runs['pending'] + runs['paused'])} open")
    assert ", ".join(states) in page.locator("#tile-runs").inner_text().replace("\u00a0", " ")
    days = [date.fromisoformat(day["date"]) for day in summary["daily"]]
    first = shown_date(days[0]) if days[0].year != days[-1].year else shown_date(days[0]).rpartition(" ")[0]
    expect(page.locator("#span")).to_contain_text(f"{first} – {shown_date(days[-1])}")
    comparison = summary.get("comparison")
    if comparison and comparison["previous"]:
        for name in ("credits", "characters", "lines", "runs", "corrected", "audio_ms"):
            now, before = comparison["current"][name], comparison["previous"][name]
            text = hours(before) if name == "audio_ms" else whole(before)
            change = "no change" if now == before else f"from {text}"
            assert change in page.locator(f"#tile-{name.removesuffix('_ms')} .change").inner_text()


def check_credits(page: Page, credit: Any) -> None:
    """Compare the caller's own credits."""
    text = page.locator("#credits").inner_text()
    assert whole(credit["used"]) in text
    if credit["quota"]:
        assert f"of {whole(credit['quota'])}" in text
        assert f"{credit['percent']:g}%" in text
        over = credit["used"] - credit["quota"]
        assert (f"{whole(over)} over the quota" if over > 0 else f"{whole(-over)} left") in text


def check_days(page: Page, summary: Any) -> None:
    """Compare the chart of days, by its table and its sentence."""
    shown = cells(page.locator("#days tbody tr"))
    days = [date.fromisoformat(day["date"]) for day in summary["daily"]]
    names = [f"{day:%a}, {shown_date(day)}" for day in days]
    assert shown == [
        [name, *(whole(day[measure]) for measure in MEASURES)]
        for name, day in zip([*names[:-1], f"{names[-1]} (so far)"], summary["daily"], strict=True)
    ]
    sentence = page.locator("#days .chart").get_attribute("aria-label") or ""
    total = sum(day["credits"] for day in summary["daily"])
    assert f": {whole(total)} in all, most" in sentence
    assert f"with {whole(max(day['credits'] for day in summary['daily']))}" in sentence
    expect(page.locator("#days .bar")).to_have_count(len(days))


def check_buckets(page: Page, summary: Any) -> None:
    """Compare the chart of buckets; the days that its rows name are whole weeks and months, or today and before."""
    activity = summary["activity"]
    shown = cells(page.locator("#buckets tbody tr"))
    assert [row[1:] for row in shown] == [
        [whole(bucket[measure]) for measure in MEASURES] for bucket in activity["buckets"]
    ]
    assert shown[-1][0].endswith(" (so far)")
    today = datetime.strptime(summary["daily"][-1]["date"], "%Y-%m-%d").date()  # noqa: DTZ007 - a date alone
    first = {
        "day": f"{today:%a}, {shown_date(today)} (so far)",
        "week": f"Week 12, {monday_of(today)}",
        "month": f"{today:%B %Y} (so far)",
    }[activity["bucket_unit"]]
    assert shown[-1][0].startswith(first)
    sentence = page.locator("#buckets .chart").get_attribute("aria-label") or ""
    assert f"{whole(activity['total'])} in all, average {activity['avg']:,.1f}, most" in sentence
    assert f"with {whole(activity['peak']['value'])}" in sentence
    expect(page.locator("#buckets")).to_contain_text(f"peak {whole(activity['peak']['value'])}")


def monday_of(day: date) -> str:
    """Return the day and month of the Monday on or before a date."""
    return shown_date(date.fromordinal(day.toordinal() - day.weekday())).rpartition(" ")[0]


def check_languages(page: Page, languages: Any) -> None:
    """Compare every language, in the order of the API, then untagged and total."""
    if (more := page.locator("#languages .more")).is_visible():
        more.click()
    rows = cells(page.locator("#languages tbody tr"))
    expected = [
        [
            f"{row['display_name']} {row['locale_code']}",
            f"{row['share'] * 100:.4f}".rstrip("0").rstrip(".") + "%",
            *(whole(row[name]) for name in ("credits", "characters", "corrected", "lines")),
        ]
        for row in languages["languages"]
    ]
    count = len(expected)
    assert sorted(rows[:count]) == sorted(expected)
    assert [row[2] for row in rows[:count]] == [row[2] for row in expected]
    if languages["untagged_credits"]:
        assert (rows[count][0], rows[count][2]) == ("Untagged", whole(languages["untagged_credits"]))
    assert (rows[-1][0], rows[-1][2]) == ("Total", whole(languages["total_credits"]))


def check_feed(page: Page, feed: Any, zone: str) -> None:
    """Compare the first page of the feed, with times by the zone's clock."""
    rows = page.locator(".feed li").evaluate_all(
        "rows => rows.map(row => ['time', '.who', '.about'].map(name => row.querySelector(name).textContent))"
    )
    for (time, who, about), event in zip(rows, feed, strict=False):
        local = datetime.fromisoformat(event["timestamp"]).astimezone(ZoneInfo(zone))
        assert time == f"{shown_date(local.date())}, {local:%H:%M:%S}"
        assert who == ((event["user"]["name"] or event["user"]["id"][:8]) if event["user"] else "System")
        resource = event["resource"]
        assert about == next(part for part in (resource["name"], resource["id"], resource["type"]) if part is not None)
