"""Whole commands on an object store: whatever is loaded, erased, retried or rebuilt, the tables are a folder's."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.calendar import DAY_US
from pipeline.contract.object_client import Client
from pipeline.contract.settings import Settings
from pipeline.load.discovery import Retry
from pipeline.load.job import Limits
from pipeline.load.rebuild import Rebuild
from pipeline.storage.tombstones import Tombstone, hashed
from tests.support.both import Both
from tests.support.data_folder import USER, WORKSPACE, DataFolder, record

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"


@pytest.fixture
def both(folder: DataFolder, client: Client) -> Both:
    """Return both, with an empty directory."""
    return Both(folder, client)


def _records(number: int, days: Iterable[str], **more: Any) -> list[dict[str, Any]]:
    return [
        record(
            f"e{number}-{place}",
            workspace_id=(WORKSPACE, OTHER)[place % 2],
            timestamp=f"{day}T0{place % 9}:10:00Z",
            usage={"credits": 7 + place, "languages": [{"locale": "de", "characters": 5}]},
            **more,
        )
        for place, day in enumerate(days)
    ]


DAYS = [f"2026-{month}-{day:02}" for month in ("10", "11") for day in range(1, 8)]


def test_loads(both: Both) -> None:
    """First and later loads, replaced raw files and newer versions, in one process and in several."""
    both.drop("a.jsonl", _records(1, DAYS), bad=2)
    both.run()
    both.compare()
    both.drop("a.jsonl", _records(1, DAYS) + _records(2, DAYS[:3]), bad=1)
    both.drop("sub/b.ndjson", _records(1, DAYS[:5], recorded_at="2026-11-24T11:00:00Z"))
    both.run()
    both.compare()
    both.run()
    both.settings = [Settings.read({"USAGE_S3_ENDPOINT": settings.s3_endpoint}, data_dir=_where(settings), workers=2)
                     for settings in both.settings]  # fmt: skip
    both.drop("c.jsonl", _records(3, DAYS))
    both.run(limits=Limits(processes_bytes=0, bucket_bytes=1000))
    both.compare()


def _where(settings: Settings) -> str:
    return str(settings.data) if isinstance(settings.data, Path) else settings.data.url


@pytest.mark.parametrize(
    "name", ["a b.jsonl", "a%20b.jsonl", "é+=&.jsonl", "x/y (1).NDJSON", ".hidden.jsonl", "t.jsonl.tmp"]
)
def test_names(both: Both, name: str) -> None:
    """Names of raw objects count as those of files do, whatever is in them, and none is read twice."""
    both.drop(name, [record()])
    both.run()
    both.run()
    both.compare()


def test_erasures(both: Both) -> None:
    """Forgetting, retention, retries and rebuilds."""
    early = record("early", timestamp="2026-11-26T00:00:00Z")
    theirs = _records(2, DAYS[4:9], user={"id": USER, "name": "Ada"})
    both.drop("a.jsonl", [*_records(1, DAYS), *theirs, early], bad=1)
    both.run()
    both.erase(Tombstone("user", "2026-11-24T12:00:00Z", hashed(USER)))
    both.compare()
    both.now += 3 * DAY_US
    both.run(retry=Retry())
    both.compare()
    both.erase(Tombstone("floor", "2026-11-24T12:00:00Z", day="2026-10-05"))
    both.compare()
    both.run(rebuild=Rebuild(frozenset(), "2026-11"))
    both.compare()
    both.run(rebuild=Rebuild(frozenset(), ""))
    both.compare()
    both.erase(Tombstone("workspace", "2026-11-24T12:00:00Z", hashed(OTHER)))
    both.compare()
    keys = [found.key for found in both.client.list("events")]
    assert keys
    assert not [key for key in keys if OTHER in key]
