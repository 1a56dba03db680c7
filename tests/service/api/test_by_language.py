"""`/usage/by-language`: rows, shares and sums."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.contract.calendar import DAY_US
from pipeline.contract.formats import instant

Maker = Callable[..., dict[str, Any]]
TODAY = "2026-11-24T01:00:00Z"


def test_rows(folder: Any, event: Maker) -> None:
    """Rows are ordered by credits, then locale; untagged credits are separate; shares of the total have 6 decimals."""
    languages = [
        {"locale": "ko-kr", "characters": 10},
        {"locale": "en-us", "characters": 10, "lines": 3, "corrected": 2},
        {"locale": "ja-jp", "characters": 20},
        {"locale": None, "characters": 20},
        {"locale": "xx-yy"},
        {"locale": "fr", "lines": 1},
    ]
    folder.publish([event(TODAY, credits=60, languages=languages), event(TODAY, id="2", credits=10)])
    data = folder.data("by-language")
    assert [(row["locale_code"], row["credits"], row["share"]) for row in data["languages"]] == [
        ("ja-jp", 20, 0.285714),
        ("en-us", 10, 0.142857),
        ("ko-kr", 10, 0.142857),
        ("fr", 0, 0.0),
    ]
    assert data["languages"][1] == {
        "locale_code": "en-us",
        "display_name": "English (United States)",
        "share": 0.142857,
        "credits": 10,
        "characters": 10,
        "corrected": 2,
        "lines": 3,
        "allocation_basis": "characters",
    }
    assert (data["total_credits"], data["untagged_credits"]) == (70, 30)
    assert data["total_credits"] == sum(day["credits"] for day in folder.data("summary")["daily"])


def test_share_without_credits(folder: Any, event: Maker) -> None:
    """Without credits, a share is that of all characters, untagged included; without characters it is 0."""
    languages = [{"locale": "de", "characters": 1}, {"locale": None, "characters": 2}, {"locale": "fr", "lines": 1}]
    folder.publish([event(TODAY, languages=languages)])
    assert [row["share"] for row in folder.data("by-language")["languages"]] == [0.333333, 0.0]
    folder.publish([event(TODAY, languages=languages[2:])])
    assert [row["share"] for row in folder.data("by-language")["languages"]] == [0.0]


def test_no_events(folder: Any) -> None:
    """A workspace without events has no rows and zeros."""
    folder.publish()
    data = folder.data("by-language", "range=60d")
    assert (data["languages"], data["total_credits"], data["untagged_credits"]) == ([], 0, 0)
    assert data["period"] == {"start": "2026-09-26T00:00:00Z", "end": "2026-11-25T00:00:00Z"}


@pytest.mark.parametrize(
    ("view", "start"), [("daily", "2026-11-18"), ("weekly", "2026-09-07"), ("monthly", "2025-12-01")]
)
def test_view_replaces_the_range(folder: Any, event: Maker, view: str, start: str) -> None:
    """With activity_view the view's whole period counts, range is null, and the total covers the view."""
    first = instant(f"{start}T00:00:00Z")
    folder.publish([event(first - 1, credits=1), event(first, credits=20), event(TODAY, credits=300)])
    data = folder.data("by-language", f"activity_view={view}&range=90d")
    assert (data["range"], data["activity_view"], data["total_credits"]) == (None, view, 320)
    assert data["period"]["start"] == f"{start}T00:00:00Z"
    assert folder.data("summary", f"activity_view={view}")["activity"]["total"] == 320


def test_windows_of_many_locales(folder: Any, event: Maker) -> None:
    """The numbers of a locale equal the sum of its events, wherever its first and last quarter-hours lie."""
    draw = random.Random(5)
    zone = "timezone=Australia/Lord_Howe"
    start, end = instant("2026-10-25T13:00:00Z"), instant("2026-11-24T13:00:00Z")  # UTC+11 in November
    events = [
        event(
            draw.choice([start, end]) + draw.randint(-3 * DAY_US, 3 * DAY_US),
            id=str(k),
            credits=draw.randint(0, 9),
            languages=[{"locale": f"{draw.choice('abcdef')}x", "characters": draw.randint(1, 99), "lines": 1}],
        )
        for k in range(400)
    ]
    folder.publish(events)
    expected: dict[str, list[int]] = {}
    for row in events:
        if start <= row["timestamp"] < end:
            language = row["languages"][0]
            sums = expected.setdefault(language["locale"], [0, 0, 0])
            for k, value in enumerate((row["credits"], language["characters"], language["lines"])):
                sums[k] += value
    data = folder.data("by-language", zone)
    assert data["period"] == {"start": "2026-10-25T13:00:00Z", "end": "2026-11-24T13:00:00Z"}
    found = {row["locale_code"]: [row["credits"], row["characters"], row["lines"]] for row in data["languages"]}
    assert found == expected
    order = [(-row["credits"], row["locale_code"]) for row in data["languages"]]
    assert order == sorted(order)
