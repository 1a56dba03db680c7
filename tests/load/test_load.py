"""The load through the real pipeline: columns, versions, late records, and commits that stop half-way."""

import random
from typing import Any

import pytest
from filelock import FileLock

from pipeline.storage.folder import FolderStore
from pipeline.storage.lock import BusyError
from pipeline.storage.store import Operation
from tests.support.command import interrupt_commit
from tests.support.data_folder import WORKSPACE, DataFolder, record
from tests.support.raw_files import numbers

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"


def test_columns_of_events(folder: DataFolder) -> None:
    """Every field of a record is stored in the column of its name. Each workspace and UTC day has one partition."""
    folder.drop(
        "a.jsonl",
        [
            record(
                workspace_id=WORKSPACE.upper(),
                timestamp="2026-11-24T01:30:00.1234567+05:45",
                recorded_at="2026-11-24T02:00:00Z",
                action="workflow_run",
                user={"id": OTHER.upper(), "name": "채원"},
                metadata={"b": 1.5, "a": [None]},
                ip="2001:db8::1",
                run={"id": "r1", "status": "completed"},
                usage={"credits": 7, "audio_ms": 9, "languages": [{"locale": "ko_KR", "characters": 5, "lines": 2}]},
            )
        ],
    )
    folder.run()
    assert (folder.root / f"events/workspace_id={WORKSPACE}/day=2026-11-23/events.parquet").exists()
    (found,) = folder.events().to_dicts()
    assert found.pop("timestamp").isoformat() == "2026-11-23T19:45:00.123456"
    assert found.pop("recorded_at").isoformat() == "2026-11-24T02:00:00"
    assert found == {
        "id": "e1",
        "action": "workflow_run",
        "kind": "text_to_speech",
        "resource_type": "voice",
        "resource_id": "v1",
        "resource_name": "Nova",
        "user_id": OTHER,
        "user_name": "채원",
        "metadata": '{"b":1.5,"a":[null]}',
        "ip": "2001:db8::1",
        "run_id": "r1",
        "run_status": "completed",
        "credits": 7,
        "audio_ms": 9,
        "languages": [{"locale": "ko-kr", "characters": 5, "lines": 2, "corrected": 0}],
        "workspace_id": WORKSPACE,
        "day": "2026-11-23",
    }


VERSIONS: list[dict[str, Any]] = [
    # Each version wins against all versions before it.
    {"recorded_at": "2026-11-24T10:00:00Z", "usage": {"credits": 99}},
    {"recorded_at": "2026-11-24T10:00:01.000000Z"},
    {"recorded_at": "2026-11-24T10:00:01.0000009Z", "run": {"id": "r", "status": "pending"}},
    {"recorded_at": "2026-11-24T10:00:01Z", "run": {"id": "r", "status": "running"}},
    {"recorded_at": "2026-11-24T10:00:01Z", "run": {"id": "r", "status": "paused"}},
    {"recorded_at": "2026-11-24T10:00:01Z", "run": {"id": "r", "status": "completed"}},
    {"recorded_at": "2026-11-24T10:00:01Z", "run": {"id": "r", "status": "failed"}},
    {"recorded_at": "2026-11-24T10:00:01Z", "run": {"id": "r", "status": "cancelled"}},
    {"recorded_at": "2026-11-24T10:00:01Z", "run": {"id": "r", "status": "cancelled"}, "usage": {"credits": 1}},
    {
        "recorded_at": "2026-11-24T10:00:01Z",
        "run": {"id": "r", "status": "cancelled"},
        "usage": {"credits": 1},
        "kind": "z",
    },
]

# By their canonical JSON, whose keys are sorted: characters, corrected, lines, locale.
LANGUAGES: list[dict[str, Any]] = [
    {"characters": 6, "locale": "zu"},
    {"characters": 7, "corrected": 1, "lines": 2, "locale": "zu"},
    {"characters": 7, "corrected": 2, "lines": 1, "locale": "zu"},
    {"characters": 7, "corrected": 2, "lines": 2, "locale": "de"},
    {"characters": 7, "corrected": 2, "lines": 2},
]


@pytest.mark.parametrize("count", range(1, len(VERSIONS) + 1))
def test_the_current_version(folder: DataFolder, count: int) -> None:
    """The version with the latest recorded_at is current; then status, credits and canonical JSON decide."""
    versions = [record(**fields) for fields in VERSIONS[:count]]
    folder.drop("a.jsonl", random.Random(count).sample(versions, count))
    report = folder.run()
    (found,) = folder.events().to_dicts()
    expected = versions[-1]
    assert found["run_status"] == expected.get("run", {}).get("status")
    assert found["credits"] == expected.get("usage", {}).get("credits", 0)
    assert found["kind"] == expected["kind"]
    assert numbers(report) == (count, 1, count - 1, 0, 0)


@pytest.mark.parametrize("count", range(1, len(LANGUAGES) + 1))
def test_the_keys_of_languages_are_sorted(folder: DataFolder, count: int) -> None:
    """Of versions that differ in a language alone, the canonical JSON decides, and its keys are sorted there too."""
    versions = [record(usage={"languages": [language]}) for language in LANGUAGES[:count]]
    folder.drop("a.jsonl", random.Random(count).sample(versions, count))
    folder.run()
    ((found,),) = folder.events()["languages"].to_list()
    expected = {"locale": None, "lines": 0, "corrected": 0} | LANGUAGES[count - 1]
    assert found == expected


def test_same_id_elsewhere_is_another_event(folder: DataFolder) -> None:
    """An id identifies an event within its workspace and UTC day."""
    folder.drop("a.jsonl", [record(), record(workspace_id=OTHER), record(timestamp="2026-11-23T23:59:59.999999Z")])
    assert numbers(folder.run()) == (3, 3, 0, 0, 0)
    assert folder.events().height == 3


def test_late_records_and_newer_versions(folder: DataFolder) -> None:
    """A later run merges its records into the days that are already stored."""
    folder.drop("a.jsonl", [record("e1", usage={"credits": 5}), record("e2", usage={"credits": 7})])
    folder.run()
    folder.drop(
        "b.jsonl",
        [
            record("e1", recorded_at="2026-11-24T11:00:00Z", usage={"credits": 50}),
            record("e2", recorded_at="2026-11-24T09:00:00Z", usage={"credits": 70}),
            record("e3", timestamp="2026-10-01T00:00:00Z", usage={"credits": 900}),
            record("e4", timestamp="2026-11-24T00:00:00Z", usage={"credits": 1000}),
        ],
    )
    assert numbers(folder.run()) == (4, 3, 1, 0, 0)
    assert dict(folder.events().select("id", "credits").iter_rows()) == {"e1": 50, "e2": 7, "e3": 900, "e4": 1000}
    assert folder.cube()["credits"].sum() == 1957
    assert folder.actors()["events"].sum() == 4


def test_redelivery_changes_nothing(folder: DataFolder) -> None:
    """A record that is already stored is a duplicate, and its partition is not rewritten."""
    folder.drop("a.jsonl", [record()])
    folder.run()
    (before,) = folder.root.glob("events/*/*/events.parquet")
    inode = before.stat().st_ino
    folder.drop("b.jsonl", [record(), record()])
    report = folder.run()
    assert numbers(report) == (2, 0, 2, 0, 0)
    assert report.partitions == 0
    assert before.stat().st_ino == inode


def test_events_ahead_of_the_run(folder: DataFolder) -> None:
    """An event whose timestamp is more than 24 hours after the run's start goes into quarantine."""
    folder.drop("a.jsonl", [record(timestamp="2026-11-25T12:00:00.000001Z"), record(timestamp="2026-11-25T12:00:00Z")])
    assert numbers(folder.run()) == (2, 1, 0, 1, 0)
    assert folder.quarantine()[0]["reason"] == "timestamp_out_of_range"


def test_one_run_at_a_time(folder: DataFolder) -> None:
    """A second run on the same folder is refused."""
    with FileLock(folder.root / "run.lock"), pytest.raises(BusyError):
        folder.run()
    folder.run()


def test_unfinished_commit(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that stopped between any two renames is finished by the next run, with the same tables."""
    records = [record(f"e{k}", timestamp=f"2026-1{k % 2}-01T00:00:00Z") for k in range(4)]
    clean = DataFolder(folder.root.parent / "clean")
    clean.drop("a.jsonl", records)
    clean.run()
    for step in range(9):
        broken = DataFolder(folder.root.parent / f"stopped-{step}")
        broken.drop("a.jsonl", records)
        interrupt_commit(broken, monkeypatch, step)
        assert (broken.root / "published.json").exists() is False
        assert broken.run().files == 0
        assert broken.tables() == clean.tables()


def test_lost_staging(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """When staged files of an unfinished commit are lost, their raw files are loaded again, with the same tables."""
    folder.drop("a.jsonl", [record("a"), record("b", timestamp="2026-10-01T00:00:00Z", usage={"credits": 3})])
    apply = FolderStore.apply

    def once(store: FolderStore, operation: Operation) -> None:
        apply(store, operation)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "apply", once)
        with pytest.raises(KeyboardInterrupt):
            folder.run()
    FolderStore(folder.root).clear("staging")
    assert numbers(folder.run()) == (2, 1, 1, 0, 0)
    assert folder.cube()["credits"].sum() == 3
    assert folder.actors()["events"].sum() == 2
