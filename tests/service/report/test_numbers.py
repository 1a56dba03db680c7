"""`usage report --format json` and `csv`: every number is one that the API answers at the same instant."""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.calendar import RANGES, rfc3339
from tests.support.command import done
from tests.support.invoked import invoke
from tests.support.service_folder import WORKSPACE, ServiceFolder

ZONES = ("UTC", "Asia/Kathmandu", "America/Havana", "Australia/Lord_Howe")
PERIOD = ("period", "characters", "corrected", "lines", "audio", "runs", "daily")
LANGUAGES = ("languages", "total_credits", "untagged_credits")


def report(site: ServiceFolder, *arguments: str) -> Any:
    """Return a report of the workspace as JSON."""
    command = ["report", "--workspace", WORKSPACE, "--format", "json", "--data-dir", str(site.root), *arguments]
    result = invoke(command)
    done(result)
    return json.loads(result.stdout)


@pytest.mark.parametrize("zone", ZONES)
def test_ranges(site: ServiceFolder, zone: str) -> None:
    """A report of a range has what the summary, its comparison and the usage by language say."""
    for range_ in RANGES:
        found = report(site, "--zone", zone, "--range", range_)
        query = f"timezone={zone}&range={range_}"
        summary, languages = site.data("summary", f"{query}&include=comparison"), site.data("by-language", query)
        assert {name: found[name] for name in (*PERIOD, "comparison")} == {
            name: summary[name] for name in (*PERIOD, "comparison")
        }
        assert {name: found[name] for name in LANGUAGES} == {name: languages[name] for name in LANGUAGES}
        assert found["total_credits"] == sum(day["credits"] for day in found["daily"]) > 0
        assert (found["workspace_id"], found["timezone"], found["range"]) == (WORKSPACE, zone, range_)
        assert (found["month"], found["data_as_of"], found["timestamp"]) == (None, *2 * (rfc3339(site.now),))


def test_the_default_is_30_days_in_utc(site: ServiceFolder) -> None:
    """Without a zone and a range, a report is what the API answers without parameters."""
    found = report(site)
    assert (found["range"], found["timezone"], found["period"]) == ("30d", "UTC", site.data("summary")["period"])


@pytest.mark.parametrize("zone", ZONES)
def test_months(site: ServiceFolder, zone: str) -> None:
    """A report of a month has the numbers of the API's monthly buckets; of the present one those up to today."""
    buckets = site.data("summary", f"timezone={zone}&activity_view=monthly")["activity"]["buckets"]
    for bucket, month in zip(buckets[-5:], range(7, 12), strict=True):
        found = report(site, "--zone", zone, "--month", f"2026-{month:02}")
        assert (found["month"], found["range"]) == (f"2026-{month:02}", None)
        assert found["period"] == {"start": bucket["start"], "end": bucket["end"]}
        assert found["total_credits"] == bucket["credits"] > 0
        assert found["characters"]["total"] == bucket["characters"]
        assert found["lines"]["total"] == bucket["lines"]
        assert found["runs"]["total"] == bucket["runs"]
        current = found["comparison"]["current"]
        if month < 11:
            assert (current["start"], current["end"]) == (bucket["start"], bucket["end"])
            assert (current["credits"], current["runs"]) == (bucket["credits"], bucket["runs"])
        if month > 7:
            before = report(site, "--zone", zone, "--month", f"2026-{month - 1:02}")
            previous = found["comparison"]["previous"]
            assert previous["start"] == before["period"]["start"]
            if month < 11:
                assert (previous["end"], previous["credits"]) == (before["period"]["end"], before["total_credits"])


def test_a_month_as_long_as_a_range(site: ServiceFolder) -> None:
    """On the last day of November, its 30 days are those of the range; `--now` decides which day it is."""
    assert {**report(site, "--month", "2026-11"), "range": "30d", "month": None, "comparison": None} == {
        **report(site, "--range", "30d"),
        "comparison": None,
    }
    earlier = report(site, "--month", "2026-11", "--now", "2026-11-05T06:00:00Z")
    assert [day["date"] for day in earlier["daily"]] == [f"2026-11-{day:02}" for day in range(1, 6)]
    assert earlier["timestamp"] == "2026-11-05T06:00:00Z"
    assert earlier["comparison"]["previous"]["end"] == "2026-10-05T06:00:00Z"


def test_csv(site: ServiceFolder, tmp_path: Path) -> None:
    """The files of days and languages are those of the API, to the byte; the totals have a row for each window."""
    folder = tmp_path / "made" / "csv"
    command = ["report", "--workspace", WORKSPACE, "--zone", "Asia/Kathmandu", "--format", "csv"]
    result = invoke([*command, "--data-dir", str(site.root), "--output", str(folder)])
    done(result)
    assert result.stdout == ""
    assert {path.name for path in folder.iterdir()} == {"usage-totals.csv", "usage-days.csv", "usage-languages.csv"}
    for endpoint, name in (("summary", "usage-days"), ("by-language", "usage-languages")):
        reply = site.ask(f"/api/v1/usage/{endpoint}", "timezone=Asia/Kathmandu", accept="text/csv")
        assert (folder / f"{name}.csv").read_bytes() == reply.body
    rows = list(csv.DictReader(StringIO((folder / "usage-totals.csv").read_text("utf-8-sig"))))
    found = report(site, "--zone", "Asia/Kathmandu")
    assert [row["window"] for row in rows] == ["period", "current", "previous"]
    for row, window in zip(rows[1:], found["comparison"].values(), strict=True):
        assert row == {"window": row["window"], **{name: str(value) for name, value in window.items()}}
    assert (rows[0]["credits"], rows[0]["runs"]) == (str(found["total_credits"]), str(found["runs"]["total"]))
    assert (rows[0]["audio_ms"], rows[0]["end"]) == (str(found["audio"]["total_ms"]), found["period"]["end"])
