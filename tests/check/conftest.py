"""Fixtures of the tests of `usage check`: a data folder with every kind of data."""

from pathlib import Path

import pytest

from pipeline.contract.tables import STATUSES
from tests.support.checked import ADA, OTHER, THIRD, used
from tests.support.data_folder import DataFolder, record


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a folder with three workspaces, ties, runs of all statuses, versions, late events and bad lines."""
    folder = DataFolder(tmp_path_factory.mktemp("good") / "data")
    folder.drop(
        "a.jsonl",
        [
            record("tie", usage=used(10, ("de", 1), ("fr", 1), (None, 1))),
            record("tie2", timestamp="2026-11-24T10:14:59.999999Z", usage=used(2, ("fr", 5), ("de", 5), ("en", 5))),
            record("none", timestamp="2026-11-24T10:15:00Z", usage=used(7, ("de", 0), (None, 0))),
            record("large", usage=used(10**12, ("de", 10**12), ("fr", 10**12 - 1), ("ja", 7))),
            record("silent", user=ADA, action="settings_changed"),
            *(
                record(status, action="workflow_run", run={"id": "r", "status": status}, usage=used(1, audio_ms=50))
                for status in STATUSES
            ),
            record("of a run", run={"id": "r", "status": "running"}, usage=used(3, ("de", 9), audio_ms=8)),
            record("same time", user=ADA, usage=used(5, ("de", 3))),
            record("midnight", timestamp="2026-11-23T00:00:00Z", usage=used(4, ("de", 3))),
            record("october", timestamp="2026-10-31T23:59:59.999999Z", user=ADA, usage=used(8, ("pt-br", 3))),
            record("tie", workspace_id=OTHER, usage=used(9, ("de", 2), ("fr", 2))),
            record("first", workspace_id=THIRD, timestamp="2025-01-01T00:00:00Z"),
            {"id": "bad"},
        ],
    )
    folder.run()
    folder.drop(
        "b.jsonl",
        [
            record(
                "pending",
                recorded_at="2026-11-24T11:00:00Z",
                action="workflow_run",
                run={"id": "r", "status": "failed"},
                usage=used(6, ("de", 5), audio_ms=70),
            ),
            record("late", timestamp="2026-10-05T00:00:00Z", usage=used(11, ("de", 4), ("fr", 3))),
            record("tie", workspace_id=OTHER, usage=used(9, ("de", 2), ("fr", 2))),
            {"id": "bad"},
            {"id": "bad too"},
        ],
    )
    folder.run()
    return folder


@pytest.fixture
def good(template: DataFolder, tmp_path: Path) -> DataFolder:
    """Return the test's own copy of the folder, which it may damage."""
    return template.copy(tmp_path / "data")
