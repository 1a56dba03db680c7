"""Large plain raw objects are read in splits by ranges: the results are those of a folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.contract.object_client import Client
from pipeline.load import object_raw, stages
from pipeline.load.discovery import Part
from pipeline.load.job import Limits
from pipeline.load.read import read
from pipeline.run import run
from tests.support.both import Both
from tests.support.data_folder import DataFolder, record

LIMITS = Limits(split_bytes=2_000, batch_bytes=1, prefix_bytes=300)
RECORDS = [record(f"e{number}", kind="k" * (3_000 if number == 9 else number)) for number in range(40)]


@pytest.fixture
def both(folder: DataFolder, client: Client, monkeypatch: pytest.MonkeyPatch) -> Both:
    """Return both with a large file, which ends with rejected lines."""
    monkeypatch.setattr(object_raw, "_BLOCK_BYTES", 512)
    both = Both(folder, client)
    both.drop("a.jsonl", RECORDS, bad=30)
    return both


def test_splits(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large object gives the same rows, rejects and ledger as a large file, and each split fetches its own bytes."""
    size = (both.folder.root / "raw/a.jsonl").stat().st_size
    fetched: list[int] = []
    stream = Client.stream

    def counting(client: Client, key: str, **what: Any) -> Iterator[bytes]:
        for portion in stream(client, key, **what):
            if key == "a.jsonl":
                fetched.append(len(portion))
            yield portion

    monkeypatch.setattr(Client, "stream", counting)
    both.run(limits=LIMITS)
    both.compare()
    splits = size // LIMITS.split_bytes
    assert splits > 5
    assert max(fetched) < size / 2
    assert sum(fetched) < 2.5 * size  # small splits with large ends
    both.drop("a.jsonl", [*RECORDS[:20], record("new")])
    both.run(limits=LIMITS)
    both.compare()


def test_replaced(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the object is replaced after its splits were planned, nothing of it counts until the next run reads it."""

    def replacing(part: Part, *arguments: Any) -> Any:
        if part.offset:
            monkeypatch.setattr(stages, "read", read)
            both.drop("a.jsonl", RECORDS[:30])
        return read(part, *arguments)

    monkeypatch.setattr(stages, "read", replacing)
    report = run(both.settings[1], both.now, limits=LIMITS)
    assert [(failure.file, failure.error) for failure in report.errors] == [
        ("a.jsonl", "it was replaced while it was read")
    ]
    assert (report.lines, report.accepted) == (0, 0)
    assert run(both.settings[1], both.now, limits=LIMITS).accepted == 30
