"""What is said of each workspace; `tests/load/test_against_oracle.py` compares it with the events of a hostile log."""

import json
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.calendar import SECOND_US
from pipeline.contract.directory import DirectoryError
from pipeline.erasure.erase import erase
from pipeline.storage.store import DamagedError
from pipeline.storage.tombstones import Tombstone, hashed
from pipeline.workspaces import activity, listing
from tests.support.data_folder import NOW, USER, WORKSPACE, DataFolder, Once, record

OTHER: Final = "0b5e1c3a-0000-4000-8000-000000000001"
EMPTY: Final = "0b5e1c3a-0000-4000-8000-000000000002"
HOUR_US: Final = 3600 * SECOND_US


def event(name: str, day: str, time: str, credits_: int = 0, **more: Any) -> dict[str, Any]:
    """Return a record of a workspace, recorded 8 s after it happened."""
    fields = {"timestamp": f"{day}T{time}Z", "recorded_at": f"{day}T{time[:-1]}8Z", "usage": {"credits": credits_}}
    return record(f"{day}-{time}-{name[-1]}", workspace_id=name, **fields | more)


def fill(folder: DataFolder) -> None:
    """Load events at the edges of the 30 days, versions, a repeated line, and events with and without a user."""
    ada = {"user": {"id": USER, "name": "Ada"}}
    records = [
        event(WORKSPACE, "2026-10-25", "23:59:00", 1, **ada),  # a minute before the 30 days
        event(WORKSPACE, "2026-10-26", "00:00:00", 10, **ada),  # their first instant
        event(WORKSPACE, "2026-11-24", "11:00:00", 100),
        event(WORKSPACE, "2026-11-25", "00:00:00", 1000, recorded_at=None),  # tomorrow
        event(OTHER, "2026-09-01", "08:00:00", 5, **ada),
        event(OTHER, "2026-11-23", "12:00:00", 7, recorded_at="2026-11-23T11:59:59.5Z"),  # a day ago
    ]
    folder.drop("a.jsonl", [*records, records[2]])
    folder.drop("b.jsonl", [event(WORKSPACE, "2026-11-24", "11:00:00", 200, recorded_at="2026-11-24T11:30:00Z")])
    member = {"name": "Ada", "role": "admin", "status": "active"}
    folder.export(
        members=[
            {**member, "workspace_id": WORKSPACE.upper(), "user_id": USER},
            {**member, "workspace_id": WORKSPACE, "user_id": OTHER, "status": "removed"},
            {**member, "workspace_id": EMPTY, "user_id": USER, "status": "removed"},
            {**member, "workspace_id": EMPTY, "user_id": USER.upper()},
        ]
    )
    folder.run()


@pytest.fixture
def filled(once: Once) -> DataFolder:
    """Return a folder with three workspaces, one of which is only in the directory."""
    return once(fill)


def listed(folder: DataFolder, silent_for: int | None = None) -> Any:
    """Return the list as JSON has it."""
    return json.loads(msgspec.json.encode(listing.read(folder.settings, folder.now, silent_for)))


def silent(folder: DataFolder, hours: float) -> list[str]:
    """Return the workspaces that have been silent for longer."""
    return [info["id"] for info in listed(folder, round(hours * HOUR_US))]


def forget(folder: DataFolder, kind: Literal["user", "workspace"], id_: str) -> None:
    """Forget a user or a workspace."""
    erase(folder.settings, folder.now, [Tombstone(kind, NOW, sha256=hashed(id_))], dry=False)


def test_the_list(filled: DataFolder) -> None:
    """Each workspace of the tables or the directory is listed; the 30 days end with today, and versions count once."""
    assert listed(filled) == [
        {
            "id": OTHER,
            "members": 0,
            "removed_members": 0,
            "events": 2,
            "first_event": "2026-09-01T08:00:00Z",
            "last_event": "2026-11-23T12:00:00Z",
            "silent_seconds": 86_400,
            "credits_30d": 7,
            "lateness_p50_seconds": -0.5,
            "lateness_p99_seconds": -0.5,
        },
        {
            "id": EMPTY,
            "members": 1,
            "removed_members": 0,
            "events": 0,
            "first_event": None,
            "last_event": None,
            "silent_seconds": None,
            "credits_30d": 0,
            "lateness_p50_seconds": None,
            "lateness_p99_seconds": None,
        },
        {
            "id": WORKSPACE,
            "members": 1,
            "removed_members": 1,
            "events": 4,
            "first_event": "2026-10-25T23:59:00Z",
            "last_event": "2026-11-25T00:00:00Z",
            "silent_seconds": -12 * 3600,
            "credits_30d": 210,
            "lateness_p50_seconds": 8,
            "lateness_p99_seconds": 1800,
        },
    ]


def test_silence(filled: DataFolder) -> None:
    """Silent is who had events, the last of them longer ago than the span: not exactly as long, nor in the future."""
    assert silent(filled, 24) == []
    assert silent(filled, 23.9999) == [OTHER]
    assert silent(filled, 0) == [OTHER]
    assert silent(filled, 24 * 90) == []
    filled.now += 13 * HOUR_US
    assert silent(filled, 0) == [OTHER, WORKSPACE]
    assert silent(filled, 24) == [OTHER]
    assert listed(filled, 0) == [info for info in listed(filled) if info["events"]]


def test_the_forgotten(filled: DataFolder) -> None:
    """The events of a forgotten user are gone from all numbers, and a forgotten workspace is listed no more."""
    forget(filled, "user", USER)
    found = {info["id"]: info for info in listed(filled)}
    assert (found[WORKSPACE]["events"], found[WORKSPACE]["first_event"]) == (2, "2026-11-24T11:00:00Z")
    assert (found[WORKSPACE]["credits_30d"], found[OTHER]["first_event"]) == (200, "2026-11-23T12:00:00Z")
    forget(filled, "workspace", OTHER)
    assert [info["id"] for info in listed(filled)] == [EMPTY, WORKSPACE]


def load(folder: DataFolder) -> None:
    """Load one more event of a day that has events."""
    folder.drop("c.jsonl", [event(OTHER, "2026-11-23", "13:00:00", 9)])
    folder.run()


@pytest.mark.parametrize(("meanwhile", "events"), [(load, 3), (lambda folder: forget(folder, "user", USER), 1)])
def test_a_run_meanwhile(
    filled: DataFolder, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[DataFolder], None], events: int
) -> None:
    """What is read while a run commits is of one commit, whether the run replaces partitions or deletes them."""
    count, left = vars(activity)["_count"], [meanwhile]

    def count_and_commit(*arguments: Any) -> Any:
        found = count(*arguments)
        if left:
            left.pop()(filled)
        return found

    monkeypatch.setattr(activity, "_count", count_and_commit)
    found = listed(filled)
    assert not left
    assert found == listed(filled)
    assert found[0]["events"] == events


def test_damage(filled: DataFolder) -> None:
    """A file that cannot be read is named. Rows that no commit explains are shown as they are."""
    partition = filled.root / f"events/workspace_id={OTHER}/day=2026-11-23/events.parquet"
    elsewhere = filled.root / f"events/workspace_id={WORKSPACE}/day=2026-10-25/events.parquet"
    partition.write_bytes(elsewhere.read_bytes())
    assert listed(filled)[0]["last_event"] == "2026-10-25T23:59:00Z"
    partition.write_bytes(b"PAR1")
    with pytest.raises(DamagedError, match=f"events/workspace_id={OTHER}/day=2026-11-23/events.parquet is damaged"):
        listed(filled)
    partition.unlink()
    with pytest.raises(DamagedError, match="it does not exist"):
        listed(filled)
    assert silent(filled, 24 * 90) == []
    (filled.root / "directory/members.jsonl").write_text("{")
    with pytest.raises(DirectoryError, match=r"members\.jsonl, line 1"):
        listed(filled)


def test_nothing_is_there(folder: DataFolder) -> None:
    """Without tables and without a directory nothing is listed, and nothing is created."""
    assert listed(folder) == silent(folder, 0) == []
    assert [path.name for path in folder.root.iterdir()] == ["raw"]


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1), st.integers(1, 100))
def test_percentiles(values: list[int], percent: int) -> None:
    """A percentile is the smallest value that so many percent of the values do not exceed."""
    expected = min(value for value in values if sum(other <= value for other in values) * 100 >= percent * len(values))
    assert activity.percentiles(np.array(values), [percent]) == (expected,)
