"""Check a data folder, and damage its tables."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.check.check import CheckReport, check
from pipeline.storage import digests
from pipeline.storage.state import State
from tests.support.command import ledger
from tests.support.data_folder import WORKSPACE, DataFolder

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
THIRD = "ffffffff-0000-4000-8000-000000000002"
ADA = {"id": "00000000-0000-4000-8000-00000000000a", "name": "Ada"}

Rows = list[dict[str, Any]]


def used(credits_: int, *languages: tuple[str | None, int], audio_ms: int = 0) -> dict[str, Any]:
    """Return the usage of an event."""
    shares = [{"locale": locale, "characters": many, "lines": 1, "corrected": 2} for locale, many in languages]
    return {"credits": credits_, "audio_ms": audio_ms, "languages": shares}


def checked(folder: DataFolder, *workspaces: str, days: int | None = None) -> CheckReport:
    """Check a folder."""
    return check(folder.settings, folder.now, workspaces=workspaces, days=days)


def wrong(report: CheckReport) -> dict[str, int]:
    """Return the number of faults of each table that has any."""
    found = {name: result.wrong for name, result in report.results().items() if result.wrong}
    assert report.agrees is not bool(found)
    return found


def partition(folder: DataFolder, day: str, workspace_id: str = WORKSPACE) -> Path:
    """Return the path of an events partition."""
    return folder.root / f"events/workspace_id={workspace_id}/day={day}/events.parquet"


def monthly(folder: DataFolder, table: str, month: str = "2026-11", workspace_id: str = WORKSPACE) -> Path:
    """Return the path of a month's file of the cube or the actors."""
    (path,) = folder.root.glob(f"{table}/workspace_id={workspace_id}/month={month}/*.parquet")
    return path


def rewrite(path: Path, change: Callable[[Rows], Rows]) -> None:
    """Rewrite a Parquet file with changed rows, as if a run had written them."""
    table = pq.ParquetFile(path).read()
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema), path)
    pretend(path)


def pretend(path: Path) -> None:
    """Record the digest of a file as it is, as if a run had written it."""
    root = next(folder for folder in path.parents if (folder / "state.sqlite").exists())
    with closing(State(root / "state.sqlite")) as state:
        state.add_digests({path.relative_to(root).as_posix(): digests.of_file(path)})


def forget_digests(folder: DataFolder) -> None:
    """Forget all digests, as if an older release had made the state: damage is found without them too."""
    with closing(sqlite3.connect(folder.root / "state.sqlite")) as database, database:
        database.execute("delete from digests")


def check_passes(folder: DataFolder) -> None:
    """Assert that the check finds no fault and that the ledger adds up."""
    report = checked(folder)
    assert report.agrees, report
    ledger(folder)
