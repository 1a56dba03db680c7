"""`usage files`: the files of one snapshot, as any tool finds them; and a DuckDB database over them."""

import json
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from obstore.fsspec import FsspecStore

from pipeline.contract.object_client import Client
from pipeline.storage.opened import open_storage
from tests.support.both import Both
from tests.support.data_folder import WORKSPACE, DataFolder, record
from tests.support.invoked import Result, invoke
from tests.support.object_servers import KEYS

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"


@pytest.fixture
def both(folder: DataFolder, client: Client) -> Both:
    """Return a folder and an object store with two workspaces, two months and bad lines."""
    both = Both(folder, client)
    both.drop("a.jsonl", _records(1), bad=1)
    both.run()
    both.drop("b.jsonl", _records(2), bad=1)
    both.run()
    return both


def _records(number: int) -> list[dict[str, Any]]:
    return [
        record(f"{number}-{name}-{day}", workspace_id=name, timestamp=f"{day}T05:00:00Z", usage={"credits": number})
        for name in (WORKSPACE, OTHER)
        for day in ("2026-10-31", "2026-11-02", "2026-11-23")
    ]


def _listed(both: Both, *arguments: str, folder: bool = False) -> Result:
    where, environ = both.client.location, {"USAGE_S3_ENDPOINT": both.client.location.endpoint}
    data = str(both.folder.root) if folder else where.url
    return invoke(["files", *arguments, "--data-dir", data], env=environ)


def _lines(both: Both, *arguments: str, folder: bool = False) -> list[str]:
    result = _listed(both, *arguments, folder=folder)
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()


def test_lists(both: Both, tmp_path: Path) -> None:
    """Each table has its current files and no others, on a folder as on an object store, also once they changed.

    Polars reads exactly the snapshot from the list, and DuckDB from the database, while a later run commits.
    """
    where = both.client.location
    for folder in (False, True):
        start = f"{both.folder.root}/" if folder else f"{where.url}/"
        for table, count in (("events", 6), ("cube", 4), ("actors", 4), ("quarantine", 2)):
            found = _lines(both, "--table", table, folder=folder)
            assert len(set(found)) == len(found) == count, table
            assert all(path.startswith(f"{start}{table}/") for path in found)
        some = _lines(both, "--workspace", OTHER.upper(), "--days", "2026-11-01..2026-11-22", folder=folder)
        assert len(some) == 1
        assert f"events/workspace_id={OTHER}/day=2026-11-02/" in some[0]
        more = ("--table", "cube", "--table", "events", "--days", "2026-11-23", "--json")
        described = [json.loads(line) for line in _lines(both, *more, folder=folder)]
        assert [(file["table"], file["workspace_id"], file.get("month"), file.get("day")) for file in described] == [
            *(("cube", name, "2026-11", None) for name in (OTHER, WORKSPACE)),
            *(("events", name, None, "2026-11-23") for name in (OTHER, WORKSPACE)),
        ]
        assert all(file["bytes"] > 0 for file in described)
    listed = _lines(both)
    database = tmp_path / "usage.duckdb"
    assert _lines(both, "--duckdb", str(database)) == []
    one = tmp_path / "one.duckdb"
    assert _lines(both, "--duckdb", str(one), "--workspace", OTHER, "--days", "2026-11-01..2026-11-30") == []
    both.drop("c.jsonl", _records(100))
    both.run()
    credentials = {"aws_access_key_id": KEYS[0], "aws_secret_access_key": KEYS[1], "aws_region": "us-east-1"}
    options = {**credentials, "aws_endpoint_url": where.endpoint, "aws_allow_http": "true"}
    assert pl.scan_parquet(listed, storage_options=options).select(pl.col("credits").sum()).collect().item() == 18
    assert _answers(database, both) == [(18,), (18,), (18,), (2,), (2,), (9,), (0,)]
    assert _answers(one, both) == [(6,), (6,), (6,), (2,), (2,), (6,), (0,)]
    with open_storage(both.settings[1]) as writer:
        writer.carry_out(writer.tombstones())  # which sweeps at once
    for view in ("events", "cube", "actors", "runs"):
        with pytest.raises(duckdb.Error):
            _answers(database, both, f"select count(*) from {view}")
    assert _listed(both, "--duckdb", str(database)).exit_code == 2
    nowhere = _listed(both, "--duckdb", str(tmp_path / "none" / "usage.duckdb"))
    assert nowhere.exit_code == 1
    assert nowhere.stderr.endswith("none/usage.duckdb: No such file or directory\n")
    assert _lines(both, "--duckdb", str(database), "--force") == []
    assert _answers(database, both)[0] == (618,)


def _answers(database: Path, both: Both, *asked: str) -> list[Any]:
    """Return what a DuckDB client without anything of this project reads; obstore takes the place of httpfs."""
    where = both.client.location
    files = FsspecStore(
        "s3", config={"endpoint": where.endpoint, "region": "us-east-1"}, client_options={"allow_http": True}
    )
    with duckdb.connect(database, read_only=True) as connection:
        connection.register_filesystem(files)
        connection.execute("set variable now = timestamp '2026-11-24 12:00:00'")
        return [
            connection.execute(text).fetchone()
            for text in asked
            or (
                "select sum(credits)::int from events",
                "select sum(credits)::int from cube",
                "select sum(credits)::int from actors",
                "select count(*) from quarantine",
                "select count(*) from runs",
                f"select sum(credits)::int from usage_daily('{OTHER}', 'Asia/Kathmandu', 60)",
                "select count(*) from workspace_cube('6f9619ff-8b86-4d01-b42d-00cf4fc96400')",
            )
        ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--days", "yesterday"], "UTC day"),
        (["--days", "2026-02-30"], "UTC day"),
        (["--days", "2026-11-30..2026-11-01"], "the first day first"),
        (["--workspace", "x"], "UUID"),
        (["--table", "quarantine", "--days", "2026-11-01"], "quarantine"),
        (["--duckdb", "x.duckdb"], "in a data folder"),
        (["--force"], "--duckdb"),
        (["--table", "manifests"], "manifests"),
    ],
)
def test_wrong_options(folder: DataFolder, arguments: list[str], words: str) -> None:
    """Wrong options exit 2, with the reason."""
    result = invoke(["files", *arguments, "--data-dir", str(folder.root)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
