"""What the tests of `usage check` share: a house where everything occurs, and ways to break it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.check.check import CheckReport, check
from pipeline.contract.tables import STATUSES
from tests.conftest import WORKSPACE, House, record

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
THIRD = "ffffffff-0000-4000-8000-000000000002"
ADA = {"id": "00000000-0000-4000-8000-00000000000a", "name": "Ada"}

Rows = list[dict[str, Any]]


def used(credits_: int, *languages: tuple[str | None, int], audio_ms: int = 0) -> dict[str, Any]:
    """Return the usage of an event."""
    shares = [{"locale": locale, "characters": many, "lines": 1, "corrected": 2} for locale, many in languages]
    return {"credits": credits_, "audio_ms": audio_ms, "languages": shares}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Return a house with three workspaces, ties, runs of all statuses, versions, late events and bad lines."""
    house = House(tmp_path_factory.mktemp("good") / "data")
    house.drop(
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
    house.run()
    house.drop(
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
    house.run()
    return house


@pytest.fixture
def good(template: House, tmp_path: Path) -> House:
    """Return a house of its own for a test to break."""
    return template.copy(tmp_path / "data")


def checked(house: House, *workspaces: str, days: int | None = None) -> CheckReport:
    """Check a house."""
    return check(house.settings, house.now, workspaces=workspaces, days=days)


def wrong(report: CheckReport) -> dict[str, int]:
    """Return how much is wrong with the tables with which something is."""
    found = {name: tally.wrong for name, tally in report.tallies().items() if tally.wrong}
    assert report.agrees is not bool(found)
    return found


def partition(house: House, day: str, workspace_id: str = WORKSPACE) -> Path:
    """Return an events partition."""
    return house.root / f"events/workspace_id={workspace_id}/day={day}/events.parquet"


def monthly(house: House, table: str, month: str = "2026-11", workspace_id: str = WORKSPACE) -> Path:
    """Return a month's file of the cube or the actors."""
    (path,) = house.root.glob(f"{table}/workspace_id={workspace_id}/month={month}/*.parquet")
    return path


def rewrite(path: Path, change: Callable[[Rows], Rows]) -> None:
    """Write a Parquet file with other rows."""
    table = pq.ParquetFile(path).read()
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema), path)
