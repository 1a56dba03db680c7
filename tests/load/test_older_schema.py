"""Runs read tables of an older release that lack a nullable column, and load more into them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.contract.tables import ACTORS, CUBE, EVENTS, QUARANTINE, quarantine_path
from tests.support.checked import pretend
from tests.support.command import done, total, usage
from tests.support.data_folder import WORKSPACE, DataFolder, Once, record

OLD = record(
    "old",
    action="workflow_run",
    user={"id": WORKSPACE, "name": "Ada"},
    metadata={"a": 1},
    ip="203.0.113.9",
    run={"id": "r", "status": "completed"},
    usage={"credits": 5, "audio_ms": 7, "languages": [{"characters": 3}]},
)
OF_EVENTS = [field.name for field in EVENTS if field.nullable]


def age(path: Path, *columns: str) -> None:
    """Remove columns from a file, as if the release that wrote it had not known them."""
    found = pq.read_table(path, partitioning=None)
    assert set(columns) < set(found.column_names)
    pq.write_table(found.drop_columns(list(columns)), path)
    pretend(path)


def age_one(folder: DataFolder, pattern: str, *columns: str) -> None:
    """Remove columns from the only file that matches a pattern."""
    (path,) = folder.root.glob(pattern)
    age(path, *columns)


def load_one(folder: DataFolder) -> None:
    """Load one event."""
    folder.drop("a.jsonl", [OLD])
    folder.run()


@pytest.fixture
def loaded(once: Once) -> DataFolder:
    """Return a folder with one loaded event."""
    return once(load_one)


def load_more(folder: DataFolder) -> None:
    """Load a second event into the same day."""
    more = {**OLD, "id": "new", "usage": {"credits": 70, "audio_ms": 11, "languages": [{"locale": "de", "lines": 2}]}}
    folder.drop("b.jsonl", [more, {**more, "id": "other day", "timestamp": "2026-11-01T00:00:00Z"}])
    done(usage(folder))


def test_nullable_columns() -> None:
    """The nullable columns are exactly the columns that these tests remove."""
    assert set(OF_EVENTS) == {
        *("resource_id", "resource_name", "user_id", "user_name", "metadata", "ip", "run_id", "run_status")
    }
    assert [field.name for field in (*CUBE, *ACTORS, *QUARANTINE) if field.nullable] == ["locale", "user_id", "field"]


@pytest.mark.parametrize("columns", [OF_EVENTS, ["metadata", "ip"]])
def test_events(loaded: DataFolder, columns: list[str]) -> None:
    """A stored event has null in a column that its file lacks, keeps its other values, and is counted accordingly."""
    before = loaded.events().to_dicts()[0]
    age_one(loaded, "events/*/*/events.parquet", *columns)
    load_more(loaded)
    found = {row["id"]: row for row in loaded.events().to_dicts()}
    assert found["old"] == before | dict.fromkeys(columns)
    assert {name: found["new"][name] for name in OF_EVENTS} == {name: before[name] for name in OF_EVENTS}
    cube, actors = loaded.cube(), loaded.actors()
    assert (cube["credits"].sum(), cube["characters"].sum(), cube["lines"].sum()) == (145, 3, 4)
    # Without a status the event is no completed run, and its audio counts at once.
    runs = 2 if "run_status" in columns else 3
    assert (cube["runs_completed"].sum(), cube["audio_ms"].sum()) == (runs, 29)
    by_user: dict[Any, int] = {row["user_id"]: 0 for row in actors.to_dicts()}
    for row in actors.to_dicts():
        by_user[row["user_id"]] += row["credits"]
    assert by_user == ({None: 5, WORKSPACE: 140} if "user_id" in columns else {WORKSPACE: 145})


def untagged_only(folder: DataFolder) -> None:
    """Remove the column of locales from the cube, where every locale is null."""
    age_one(folder, "cube/*/*/*.parquet", "locale")


def without_users(folder: DataFolder) -> None:
    """Remove the column of users from the actors."""
    age_one(folder, "actors/*/*/*.parquet", "user_id")


@pytest.mark.parametrize("aged", [untagged_only, without_users])
def test_months(loaded: DataFolder, aged: Callable[[DataFolder], None]) -> None:
    """Where a month's file lacks a column, its unchanged days get null in that column and keep their numbers."""
    aged(loaded)
    loaded.drop("b.jsonl", [record("new", timestamp="2026-11-01T00:00:00Z", usage={"credits": 70})])
    done(usage(loaded))
    cube = [(row["locale"], row["credits"], row["characters"], row["audio_ms"]) for row in loaded.cube().to_dicts()]
    assert cube == [(None, 70, 0, 0), (None, 5, 3, 7)]
    actors = [(row["day"].day, row["user_id"], row["events"], row["credits"]) for row in loaded.actors().to_dicts()]
    assert actors == [(1, None, 1, 70), (24, None if aged is without_users else WORKSPACE, 1, 5)]


def test_months_whose_day_changes(loaded: DataFolder) -> None:
    """A changed day is rolled up from its events again, including the columns that the old file lacked."""
    before = loaded.cube().to_dicts(), loaded.actors().to_dicts()
    untagged_only(loaded)
    without_users(loaded)
    load_more(loaded)
    assert [row["locale"] for row in loaded.cube().to_dicts()] == [None, "de", None, "de"]
    assert {row["user_id"] for row in loaded.actors().to_dicts()} == {WORKSPACE}
    assert loaded.cube()["credits"].sum() == before[0][0]["credits"] + 140


def test_quarantine(folder: DataFolder) -> None:
    """Rejected lines whose quarantine file lacks a column get null when their raw file grows."""
    path = folder.drop("a.jsonl", [{"id": "bad"}])
    folder.run()
    age(folder.root / quarantine_path("a.jsonl"), "field")
    result = usage(folder, "quarantine", "--show", "a.jsonl:1", "--json")
    done(result)
    assert json.loads(result.stdout)["field"] is None
    with path.open("ab") as file:
        file.write(b'{"id":7}\n')
    done(usage(folder))
    assert [(row["line_number"], row["reason"], row["field"]) for row in folder.quarantine()] == [
        (1, "missing_field", None),
        (2, "invalid_type", "id"),
    ]
    assert total(folder).rejected == 2
