"""docs/sql.md: every recipe runs on sample logs and agrees with Polars; the lists of views and macros are complete."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import polars as pl
import pytest

from pipeline.analysis import database
from pipeline.analysis.session import Session
from pipeline.contract.calendar import rfc3339
from pipeline.sample.cast import Plan
from pipeline.sample.generate import write
from service.auth.directory import DirectoryReader
from service.tables.billing import period
from tests.support.asking import open_folder, records, rows
from tests.support.data_folder import DataFolder
from tests.support.project import ROOT

PAGE = (ROOT / "docs/sql.md").read_text("utf-8")
RECIPES = dict(re.findall(r"(?m)^### (.+)\n\n```sql\n((?:.|\n)+?)\n```", PAGE))
PRINTED = "8b4ae5f1-a941-46a0-956a-26afbccdafe5"  # the workspace in the recipes


class Sample(DataFolder):
    """A data folder with sample logs, and its busiest workspace."""

    workspace = ""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Return a loaded folder with sample logs."""
    folder = Sample(tmp_path_factory.mktemp("sample"))
    plan = Plan(now=folder.now, events=6000, workspaces=4, days=100, seed=7)
    folder.workspace = write(folder.root, plan, force=False).workspace_id
    folder.run()
    return folder


@pytest.fixture(scope="module")
def session(sample: Sample) -> Iterator[Session]:
    """Return a session over the sample."""
    with open_folder(sample.root, sample.now) as session:
        yield session


def run_recipe(session: Session, sample: Sample, words: str) -> list[dict[str, Any]]:
    """Run the recipe whose question contains some words, for the sample's workspace, and return its rows."""
    (text,) = (text for question, text in RECIPES.items() if words in question)
    return records(session, text.replace(PRINTED, sample.workspace))


@pytest.mark.parametrize("question", RECIPES)
def test_recipes(session: Session, sample: Sample, question: str) -> None:
    """Every recipe returns rows, and every column has a name."""
    found = run_recipe(session, sample, question)
    assert found or "never did anything" in question
    for row in found:
        assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in row)


def test_there_are_twenty() -> None:
    """The page has the twenty questions that it promises."""
    assert len(RECIPES) == 20


def test_names(session: Session) -> None:
    """The page lists every view with its columns, and every macro with its parameters."""
    for view in database.VIEWS:
        (cells,) = re.findall(rf"(?m)^\| `{view}` \|.*\| (.*) \|$", PAGE)
        for column, *_ in rows(session, f"describe {view}"):
            assert f"`{column}`" in cells, (view, column)
    for macro in (*database.TABLE_MACROS, *database.SCALAR_MACROS):
        ((parameters,),) = rows(
            session, f"select distinct parameters from duckdb_functions() where function_name = '{macro}'"
        )
        written = re.findall(rf"`{macro}\((.*?)\)`", PAGE)
        assert re.sub(r" := ('\w+'|\w+)", "", written[0]) == ", ".join(parameters), macro


def test_top_workspaces(session: Session, sample: Sample) -> None:
    """A workspace's credits of the month are the sum over its events of that month."""
    events = sample.events().filter(pl.col("day") >= "2026-11-01")
    expected = events.group_by("workspace_id").agg(pl.col("credits").sum()).sort("credits", descending=True)
    found = [(row["workspace_id"], int(row["credits"])) for row in run_recipe(session, sample, "used most this month")]
    assert found == expected.rows()


def test_failing_runs(session: Session, sample: Sample) -> None:
    """A day's failed runs are those of the events on that day in New York."""
    expected: dict[date, int] = {}
    runs = sample.events().filter(workspace_id=sample.workspace, action="workflow_run", run_status="failed")
    local = runs["timestamp"].dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York").dt.date()
    for day in local:
        expected[day] = expected.get(day, 0) + 1
    found = run_recipe(session, sample, "runs fail")
    assert len(found) == 14
    assert sum(row["runs_failed"] for row in found) > 0
    for row in found:
        assert row["runs_failed"] == expected.get(date.fromisoformat(row["day"]), 0)


def test_quotas(session: Session, sample: Sample) -> None:
    """Quota usage agrees with the API: it counts the current billing period, in all workspaces of the user."""
    directory = DirectoryReader(sample.root).current()
    events = sample.events()
    for row in run_recipe(session, sample, "quota"):
        account = directory.accounts[row["user_id"]]
        start, end = period(account.anchor, sample.now)
        theirs = events.filter(
            pl.col("user_id") == row["user_id"],
            pl.col("workspace_id").is_in(directory.workspaces_of(row["user_id"])),
            pl.col("timestamp").dt.epoch("us").is_between(start, end, closed="left"),
        )
        assert (row["used"], row["quota"], row["until"]) == (theirs["credits"].sum(), account.quota, rfc3339(end))


def test_runs_take(session: Session, sample: Sample) -> None:
    """The number of runs, the highest and the 95th percentile of their credits are right for each kind."""
    runs = sample.events().filter(action="workflow_run", run_status="completed")
    expected = runs.group_by("kind").agg(pl.len(), pl.col("credits").max().alias("most")).rows()
    found = run_recipe(session, sample, "a run usually take")
    assert sorted((row["kind"], row["runs"], row["most_credits"]) for row in found) == sorted(expected)
    for row in found:
        credits_ = sorted(runs.filter(kind=row["kind"])["credits"])
        assert row["p95_credits"] in credits_
        assert sum(value <= row["p95_credits"] for value in credits_) >= 0.95 * len(credits_)


def test_deliveries(session: Session, sample: Sample) -> None:
    """Lines and duplicates are the sums of the runs' reports."""
    reports = [msgspec.json.decode(line) for line in (sample.root / "runs/2026-11-24.jsonl").read_bytes().splitlines()]
    (row,) = run_recipe(session, sample, "deliveries")
    assert row["lines"] == sum(report["lines"] for report in reports)
    assert row["duplicates"] == sum(report["duplicates"] for report in reports)


def test_rejected(session: Session, sample: Sample) -> None:
    """Every rejected line is counted in one of the rows."""
    found = run_recipe(session, sample, "rejected")
    assert sum(row["lines"] for row in found) == len(sample.quarantine())
    assert {(row["source_file"], row["reason"]) for row in found} == {
        (row["source_file"], row["reason"]) for row in sample.quarantine()
    }


def test_hours(session: Session, sample: Sample) -> None:
    """In a zone without clock changes, hours into the local day are hours of the clock."""
    zone, now = "Asia/Kathmandu", datetime.fromisoformat("2026-11-24T12:00:00+05:45")
    local = sample.events().filter(workspace_id=sample.workspace)["timestamp"]
    local = local.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    local = local.filter(local.dt.date() > now.date() - timedelta(days=28))
    expected = dict(local.dt.hour().value_counts().rows())
    found = run_recipe(session, sample, "hour of its day")
    assert {row["hours_into_the_day"]: row["events"] for row in found} == expected
