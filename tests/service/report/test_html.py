"""The HTML of a report: every number in full, the same bytes each time, nothing from elsewhere, all texts escaped."""

import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.api.comparison import Elapsed
from service.report import chart, rendering, words
from service.report.report import Report
from tests.support.command import done
from tests.support.html_text import Page
from tests.support.invoked import invoke
from tests.support.service_folder import WORKSPACE, ServiceFolder

HOSTILE = "<script>alert(1)</script>\"'&\u202e{{ 7 * 7 }}]]>"


def html(site: ServiceFolder, *arguments: str) -> bytes:
    """Return a report of the workspace as HTML."""
    command = ["report", "--workspace", WORKSPACE.upper(), "--data-dir", str(site.root), *arguments]
    result = invoke(command)
    done(result)
    return result.stdout_bytes


def read(site: ServiceFolder, *arguments: str) -> Report:
    """Return the same report."""
    return msgspec.json.decode(html(site, "--format", "json", *arguments), type=Report)


@pytest.mark.parametrize(
    ("arguments", "title", "facts"),
    [
        (("--month", "2026-10"), "in October 2026", "1 to 31 October 2026"),
        (("--month", "2026-11"), "in November 2026", "1 to 30 November 2026, so far"),
        ((), "in the 30 days to 30 November 2026", "1 to 30 November 2026, so far"),
        (("--range", "90d"), "in the 90 days to 30 November 2026", "2 September to 30 November 2026, so far"),
    ],
)
def test_everything_is_shown(site: ServiceFolder, arguments: tuple[str, ...], title: str, facts: str) -> None:
    """Title, zone, age, totals, changes, days and languages are those of the report, and all of them are there."""
    arguments = (*arguments, "--zone", "Europe/Berlin")
    report, page = read(site, *arguments), Page(html(site, *arguments))
    assert page.texts("title") == page.texts("h1") == [f"Usage of workspace {WORKSPACE} {title}"]
    shown = page.texts("dd")
    assert shown[:3] == [facts, "Europe/Berlin", "30 November 2026, 13:10 (UTC+01:00)"]
    amounts = (report.total_credits, report.characters.total, report.lines.total, report.runs.total)
    assert {f"{amount:,}" for amount in (*amounts, report.corrected.total)} <= set(shown)
    assert words.hours(report.audio.total_ms) in shown
    assert f"{report.lines.avg_chars_per_line:,} characters per line" in shown
    assert report.comparison.previous is not None
    for name in Elapsed.__struct_fields__[2:]:
        now, before = (getattr(window, name) for window in (report.comparison.current, report.comparison.previous))
        text = words.hours(before) if name == "audio_ms" else f"{before:,}"
        assert ("no change" if now == before else f"{words.change(now, before)} from {text}") in shown
    languages, days = page.tables
    assert languages[1 : 1 + len(report.languages)] == [
        [
            f"{row.display_name} {row.locale_code}",
            words.percent(row.share),
            *(f"{value:,}" for value in (row.credits, row.characters, row.corrected, row.lines)),
        ]
        for row in report.languages
    ]
    assert languages[-2][::2] == ["Untagged", f"{report.untagged_credits:,}", ""]
    assert languages[-1] == ["Total", "", f"{report.total_credits:,}", "", "", ""]
    assert [row[1:] for row in days[1:-1]] == [
        [f"{value:,}" for value in (day.credits, day.characters, day.lines, day.runs)] for day in report.daily
    ]
    assert days[-1] == ["Total", *(f"{amount:,}" for amount in amounts)]
    bars = [attributes for tag, attributes, _ in page.elements if tag == "rect" and "bar" in str(attributes["class"])]
    assert len(bars) == sum(day.credits > 0 for day in report.daily)
    assert ("bar running" in {bar["class"] for bar in bars}) == ("so far" in facts)


def test_the_same_bytes(site: ServiceFolder, tmp_path: Path) -> None:
    """The same data give the same bytes in every format, whenever the command runs."""
    assert html(site) == html(site)
    assert html(site, "--format", "json") == html(site, "--format", "json", "--now", "2026-11-30T12:10:00Z")
    html(site, "--output", str(tmp_path / "report.html"))
    assert (tmp_path / "report.html").read_bytes() == html(site)


def test_nothing_from_elsewhere(site: ServiceFolder) -> None:
    """The file loads, runs and links nothing, and its policy forbids it; every element is closed."""
    content = html(site, "--month", "2026-10")
    page = Page(content)
    assert page.loads() == []
    assert b"default-src 'none'; style-src 'unsafe-inline'" in content
    assert b"://" not in content


def test_hostile_texts(site: ServiceFolder) -> None:
    """Whatever a name is, it is shown as text, apart from the direction of what is around it."""
    report = read(site)
    row = msgspec.structs.replace(report.languages[0], display_name=HOSTILE, locale_code=HOSTILE)
    report = msgspec.structs.replace(report, languages=[row], workspace_id=HOSTILE)
    content = rendering.render(report)
    page = Page(content)
    assert page.loads() == []
    assert b"<script" not in content
    assert page.texts("title")[0].startswith(f"Usage of workspace {HOSTILE} in the 30 days")
    assert page.tables[0][1][0] == f"{HOSTILE} {HOSTILE}"
    assert page.texts("bdi").count(HOSTILE) == 3


def _replaced(report: Report, **windows: Any) -> Page:
    comparison = msgspec.structs.replace(report.comparison, **windows)
    return Page(rendering.render(msgspec.structs.replace(report, comparison=comparison)))


def test_what_is_compared(site: ServiceFolder) -> None:
    """The page says against what the changes are, or why there are none."""
    whole, running = read(site, "--month", "2026-10"), read(site, "--month", "2026-11", "--zone", "Asia/Kathmandu")
    assert "Changes compare with September 2026." in Page(rendering.render(whole)).texts("p")
    assert (
        "Changes compare the time up to 30 November 2026, 17:45 (UTC+05:45)"
        " with the same part of October 2026, up to 30 October 2026, 17:45 (UTC+05:45)."
    ) in Page(rendering.render(running)).texts("p")
    rolling = Page(html(site)).texts("p")
    assert any(
        "with the same part of the 30 days before, up to 31 October 2026, 12:00 (UTC)." in text for text in rolling
    )
    without = _replaced(running, previous=None)
    assert "Nothing to compare with: earlier days are not kept." in without.texts("p")
    assert not [text for text in without.texts("dd") if " from " in text or text == "no change"]
    current = msgspec.structs.replace(running.comparison.current, end=running.comparison.current.start)
    assert "Nothing to compare yet." in _replaced(running, current=current).texts("p")


def test_no_events_and_a_quarter_of_all(site: ServiceFolder) -> None:
    """A workspace without events has a page of zeros; what retention deleted is named."""
    site.member("e0000000-0000-4000-8000-00000000000e", site.user)
    command = ["report", "--workspace", "e0000000-0000-4000-8000-00000000000e", "--data-dir", str(site.root)]
    result = invoke(command)
    done(result)
    page = Page(result.stdout_bytes)
    assert "No language was used." in page.texts("p")
    assert page.texts("dd")[3:] == [
        *("0", "no change", "0", "no change", "0", "no change"),
        *("0", "no change", "0:00:00", "no change", "0", "no change"),
    ]
    published = json.loads((site.root / "published.json").read_bytes())
    (site.root / "published.json").write_text(json.dumps(published | {"first_kept_day": "2026-10-15"}))
    notice = "Events before 15 October 2026 (UTC) are not kept any more. The figures are without them."
    assert notice in Page(html(site, "--month", "2026-10")).texts("p")
    assert notice not in Page(html(site, "--month", "2026-11")).texts("p")


@pytest.mark.parametrize("most", [0, 1, 2, 3, 4, 7, 10, 99, 101, 999_999, 10**12])
def test_charts(most: int) -> None:
    """The highest line is not below the highest bar, all is inside, and labels do not touch."""
    for count in (1, 2, 28, 31, 90):
        values = [most * number // count for number in range(1, count + 1)]
        drawn = chart.draw(values, [f"{number + 10} Nov" for number in range(count)])
        assert 2 <= len(drawn.lines) <= 4
        assert int(drawn.lines[-1].label.text.replace(",", "")) >= most
        for bar, value in zip(drawn.bars, values, strict=True):
            assert (bar.height > 0) == (value > 0)
            assert drawn.left <= bar.x <= bar.x + bar.width <= drawn.width
            assert drawn.lines[-1].y - 0.01 <= bar.y <= bar.y + bar.height <= drawn.lines[0].y + 0.01
        assert (drawn.peak is None) == (not any(values))
        places = [date.x for date in drawn.dates]
        assert all(right - left > 35 for left, right in itertools.pairwise(places))


def test_words() -> None:
    """Numbers and dates in full; a change is exact, half to even, and never infinite."""
    assert (words.change(0, 0), words.change(5, 5), words.change(5, 0)) == ("no change", "no change", "new")
    assert words.change(0, 7) == "\u2212100%"
    assert words.change(10**12, 1) == "+99,999,999,999,900%"
    assert (words.change(1125, 1000), words.change(10005, 10000)) == ("+12.5%", "+0%")
    assert (words.percent(0.123456), words.percent(1.0), words.percent(0.0)) == ("12.35%", "100.00%", "0.00%")
    assert (words.percent(0.00005), words.percent(0.00015), words.percent(0.000001)) == ("<0.01%", "0.02%", "<0.01%")
    assert (words.hours(0), words.hours(3_600_000 * 1234 + 5_067)) == ("0:00:00", "1,234:00:05.067")
