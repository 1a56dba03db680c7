"""The Delta log of the events: other engines read the current events from it, whatever was killed in between."""

import re
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from pipeline.contract.layout import LayoutError
from pipeline.contract.object_client import Client
from pipeline.contract.object_errors import UnavailableError
from pipeline.contract.object_names import index_key, shard_of
from pipeline.erasure.erase import erase
from pipeline.load.rebuild import Rebuild
from pipeline.run import run
from pipeline.storage.objects import delta
from pipeline.storage.objects.delta import DeltaLog
from pipeline.storage.objects.snapshot import Snapshot
from pipeline.storage.objects.sweep import GRACE, sweep
from pipeline.storage.objects.writer import ObjectWriter
from pipeline.storage.tombstones import Tombstone, hashed
from tests.support.both import Both
from tests.support.data_folder import USER, WORKSPACE, DataFolder, record
from tests.support.object_servers import KEYS

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
DAYS = ("2026-10-31", "2026-11-02", "2026-11-23")


@pytest.fixture
def both(folder: DataFolder, client: Client) -> Both:
    """Return a folder and an object store whose commits are written to a Delta log."""
    both = Both(folder, client)
    both.settings[1] = msgspec.structs.replace(both.settings[1], delta_log=True)
    return both


def _records(number: int, days: tuple[str, ...] = DAYS) -> list[dict[str, Any]]:
    return [
        record(
            f"{number}-{name}-{day}",
            workspace_id=name,
            timestamp=f"{day}T05:00:00Z",
            user={"id": USER, "name": "Ada"},
            usage={"credits": number, "languages": [{"locale": "de", "characters": 5}]},
        )
        for name in (WORKSPACE, OTHER)
        for day in days
    ]


def _options(client: Client) -> dict[str, str]:
    return {
        "aws_access_key_id": KEYS[0],
        "aws_secret_access_key": KEYS[1],
        "aws_region": "us-east-1",
        "aws_endpoint_url": client.location.endpoint,
        "aws_allow_http": "true",
    }


def _table(client: Client) -> DeltaTable:
    return DeltaTable(f"{client.location.url}/events", storage_options=_options(client))


def _rows(table: DeltaTable) -> list[dict[str, Any]]:
    return pl.scan_delta(table).sort("workspace_id", "id").collect().to_dicts()


def _compare(both: Both) -> None:
    """Compare what Polars reads from the log with the files of the folder."""
    stored = pl.read_parquet(
        both.folder.root / "events/*/*/*.parquet", hive_partitioning=True, try_parse_hive_dates=True
    )
    table = _table(both.client)
    names = [field.name for field in table.schema().fields]
    assert _rows(table) == stored.select(names).sort("workspace_id", "id").to_dicts()


def _log(client: Client) -> list[str]:
    return sorted(found.key.rpartition("/")[2] for found in client.list("events/_delta_log"))


def test_the_log(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each commit is a version; a run that was killed before it wrote one is caught up with; checkpoints keep it short.

    A reader of an earlier version reads its files for the grace. A glob over the events does not find the log.
    """
    monkeypatch.setattr(delta, "CHECKPOINTS", 3)
    both.drop("a.jsonl", _records(1))
    both.run()
    _compare(both)
    earlier = _table(both.client)
    first = _rows(earlier)
    both.drop("b.jsonl", _records(2, DAYS[:1]))
    with monkeypatch.context() as patch:
        patch.setattr(DeltaLog, "sync", lambda *_: False)  # killed after the flip
        both.run()
    assert len(_rows(_table(both.client))) == 6
    both.run()
    _compare(both)
    assert DeltaLog(both.client).sync() is False
    for number in range(3, 9):
        both.drop(f"{number}.jsonl", _records(number, DAYS[number % 3 :]))
        both.run()
        _compare(both)
    assert _rows(earlier) == first
    versions = [int(name[:20]) for name in _log(both.client) if name.endswith(".json")]
    assert len(versions) < 8
    assert versions == list(range(versions[0], versions[-1] + 1))
    with monkeypatch.context() as patch:
        patch.setattr(DeltaLog, "sync", lambda *_: False)
        both.drop("c.jsonl", _records(20))
        both.run()
    assert DeltaLog(both.client).sync() is True  # from a checkpoint
    _compare(both)
    keys = [found.key for found in both.client.list("events")]
    assert not [key for key in keys if re.fullmatch(r"events/[^/]*/[^/]*/[^/]*\.parquet", key) and "_delta_log" in key]
    with pytest.raises((DeltaError, OSError)):  # it has to be written by this program alone
        write_deltalake(_table(both.client), pl.DataFrame(_rows(_table(both.client))[:1]), mode="append")
    snapshot = Snapshot.read(both.client)
    sweep(snapshot, snapshot.stored + 2 * GRACE)
    _compare(both)


def test_a_log_that_cannot_be_written(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit stays a commit: the run says that the log is behind, and the next one completes it."""

    def refused(*_: object) -> None:
        raise UnavailableError("the store is away")

    both.drop("a.jsonl", _records(1))
    with monkeypatch.context() as patch:
        patch.setattr(DeltaLog, "_write", refused)
        _, report = (run(settings, both.now) for settings in both.settings)
    assert report.accepted == 6
    assert report.warnings == ["the Delta log is behind, until the next run completes it: the store is away"]
    both.run()
    _compare(both)


def test_erasure(both: Both) -> None:
    """What was erased is named nowhere in the log, and nobody reads it from there; a log that is not wanted goes."""
    both.drop("a.jsonl", _records(1))
    both.run()
    both.erase(Tombstone("workspace", "2026-11-24T12:00:00Z", hashed(OTHER)))
    _compare(both)
    assert {row["workspace_id"] for row in _rows(_table(both.client))} == {WORKSPACE}
    names = _log(both.client)
    assert len(names) == 3  # a version, its checkpoint, and the hint
    for name in names:
        found = both.client.get(f"events/_delta_log/{name}")
        assert found is not None
        assert OTHER.encode() not in found.bytes
    both.drop("b.jsonl", _records(2))
    both.run()
    _compare(both)
    both.settings[1] = msgspec.structs.replace(both.settings[1], delta_log=False)
    both.erase(Tombstone("user", "2026-11-24T12:00:00Z", hashed(USER)))
    assert _log(both.client) == []


def test_two_writers(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """If somebody else writes the next version first, the log is read again, and no version is older than the last."""
    both.drop("a.jsonl", _records(1))
    both.run()
    both.drop("b.jsonl", _records(2))
    with monkeypatch.context() as patch:
        patch.setattr(DeltaLog, "sync", lambda *_: False)
        both.run()
    write = DeltaLog._write  # noqa: SLF001 - between what it read and what it writes
    others: list[bool] = []

    def later(log: DeltaLog, *arguments: Any) -> None:
        if not others:
            others.append(True)
            DeltaLog(both.client).sync()
            raise LayoutError("the version", "there is another one")
        write(log, *arguments)

    monkeypatch.setattr(DeltaLog, "_write", later)
    assert DeltaLog(both.client).sync() is False
    _compare(both)
    assert len([name for name in _log(both.client) if name.endswith(".json")]) == 2
    key = f"events/_delta_log/{1:020}.json"
    found = both.client.head(key)
    assert found is not None
    both.client.replace(key, b'{"commitInfo": {}}', found.etag)
    with pytest.raises(LayoutError, match="another program wrote it; delete events/_delta_log"):
        DeltaLog(both.client).sync()
    both.client.delete(f"events/_delta_log/{name}" for name in _log(both.client))
    monkeypatch.undo()
    assert DeltaLog(both.client).sync() is True
    _compare(both)


@pytest.mark.parametrize("wanted", [True, False])
def test_an_erasure_that_is_interrupted(both: Both, monkeypatch: pytest.MonkeyPatch, *, wanted: bool) -> None:
    """What was erased is deleted before that is recorded: if the command is killed in between, the next run goes on.

    At the end, no object but the raw logs names what was erased: neither the log, nor its files, nor lists of them.
    """
    both.drop("a.jsonl", _records(1))
    both.run()
    both.settings[1] = msgspec.structs.replace(both.settings[1], delta_log=wanted)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    stone = Tombstone("workspace", "2026-11-24T12:00:00Z", hashed(OTHER))
    with monkeypatch.context() as patch:
        patch.setattr(ObjectWriter, "_sweep_all", killed)
        with pytest.raises(KeyboardInterrupt):
            erase(both.settings[1], both.now, [stone], dry=False)
    run(both.settings[1], both.now)
    for found in both.client.list():
        if not found.key.startswith("raw/"):
            content = both.client.get(found.key)
            assert content is not None
            with pa.input_stream(pa.py_buffer(content.bytes), "zstd" if found.key.endswith(".zst") else None) as stream:
                assert OTHER.encode() not in found.key.encode() + stream.read(), found.key
    assert bool(_log(both.client)) == wanted
    both.settings[1] = msgspec.structs.replace(both.settings[1], delta_log=True)
    both.drop("b.jsonl", _records(2))
    run(both.settings[1], both.now)
    assert {row["workspace_id"] for row in _rows(_table(both.client))} == {WORKSPACE}


def test_damage(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged checkpoint is named with what to do. A rebuild mends a damaged index while the log is behind."""
    monkeypatch.setattr(delta, "CHECKPOINTS", 1)
    both.drop("a.jsonl", _records(1))
    both.run()
    both.drop("b.jsonl", _records(2, DAYS[:1]))
    with monkeypatch.context() as patch:
        patch.setattr(DeltaLog, "sync", lambda *_: False)
        both.run()
    root = Snapshot.read(both.client).root
    assert root is not None
    shard = shard_of(OTHER)
    both.client.delete([index_key(shard, root.index[shard].name)])
    with pytest.raises(LayoutError):
        run(both.settings[1], both.now)
    both.run(rebuild=Rebuild())
    _compare(both)
    checkpoint = next(found for found in both.client.list("events/_delta_log") if found.key.endswith(".parquet"))
    both.client.replace(checkpoint.key, b"damaged", checkpoint.etag)
    both.drop("c.jsonl", _records(3))
    with monkeypatch.context() as patch:
        patch.setattr(DeltaLog, "sync", lambda *_: False)
        both.run()
    with pytest.raises(LayoutError, match=r"parquet is damaged: .*; delete events/_delta_log"):
        DeltaLog(both.client).sync()
