"""The batches that the crash tests load, and the tables that must result."""

from pathlib import Path
from typing import Any

from pipeline.check.check import check
from tests.support.data_folder import DataFolder, record
from tests.support.outcome import outcome_of

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
_checked: dict[bytes, dict[str, Any]] = {}


def batches() -> list[list[dict[str, Any]]]:
    """Return three batches: new days, late events, newer versions, a re-delivery, a bad line, two workspaces."""
    first = [
        record("a", usage={"credits": 5}),
        record("b", timestamp="2026-10-05T00:00:00Z", usage={"credits": 7}),
        record("c", workspace_id=OTHER, usage={"credits": 11}),
        {"id": "bad"},
    ]
    second = [
        record("a", recorded_at="2026-11-24T11:00:00Z", usage={"credits": 50}),
        record("d", timestamp="2026-10-05T00:10:00Z", usage={"credits": 13}),
        record("c", workspace_id=OTHER, usage={"credits": 11}),
    ]
    third = [record("e", timestamp="2026-09-01T00:00:00Z"), record("f", workspace_id=OTHER), {"id": "bad too"}]
    return [first, second, third]


def drop(folder: DataFolder, number: int) -> None:
    """Add the raw file of one batch to a folder."""
    folder.drop(f"{number}.jsonl", batches()[number])


def undisturbed_after(root: Path, number: int) -> dict[str, Any]:
    """Return the state of a new folder into which all batches up to `number` were loaded without a crash."""
    folder = DataFolder(root)
    for earlier in range(number + 1):
        drop(folder, earlier)
        folder.run()
    return state_of(folder)


def state_of(folder: DataFolder) -> dict[str, Any]:
    """Return the tables and the quarantine, without `loaded_at`, after asserting that the check passes."""
    outcome = outcome_of(folder)
    if outcome not in _checked:
        report = check(folder.settings, folder.now)
        assert report.agrees, report
        quarantine = [{key: value for key, value in row.items() if key != "loaded_at"} for row in folder.quarantine()]
        _checked[outcome] = {**folder.tables(), "quarantine": quarantine}
    return _checked[outcome]
