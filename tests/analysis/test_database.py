"""`usage.duckdb`: what its views show, when it is rebuilt, and how it behaves while runs publish."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pytest

from pipeline.analysis import database
from pipeline.analysis.statements import statements
from pipeline.contract.tables import manifest_path
from pipeline.storage.folder import FolderStore
from pipeline.storage.store import Operation
from tests.support.asking import ask, open_folder, rows
from tests.support.command import done, usage
from tests.support.data_folder import DAY_US, WORKSPACE, DataFolder, record
from tests.support.project import ROOT
from tests.support.views import build, copied

OVERTAKEN = "a run published new files: repeat the statement"


@pytest.fixture
def loaded(folder: DataFolder) -> DataFolder:
    """Return a folder with events in two months, a repeated member, an account, an API key and a bad line."""
    folder.drop(
        "a.jsonl",
        [
            record("a", usage={"credits": 5, "languages": [{"locale": "de", "characters": 7}]}),
            record("b", timestamp="2026-10-31T23:59:00Z", usage={"credits": 3}),
            {"id": "bad"},
        ],
    )
    directory = folder.root / "directory"
    directory.mkdir(parents=True)
    member = '{"workspace_id": "%s", "user_id": "%s", "name": "Ada", "role": "%s", "status": "active"}\n'
    text = "".join(
        member % (WORKSPACE.upper(), "C" * 8 + "-0000-4000-8000-000000000001", role) for role in ("admin", "viewer")
    )
    (directory / "members.jsonl").write_text(f"\ufeff{text}\r\n")
    account = {
        "user_id": "c" * 8 + "-0000-4000-8000-000000000001",
        "quota": 10,
        "period_anchor": "2026-01-31T09:00:00+05:45",
    }
    (directory / "accounts.jsonl").write_bytes(_json(account))
    (directory / "api_keys.jsonl").write_text('{"id": "secret"}\n')
    folder.run()
    return folder


def _json(row: object) -> bytes:
    return msgspec.json.encode(row) + b"\n"


def connect(folder: DataFolder) -> duckdb.DuckDBPyConnection:
    """Open the file as any DuckDB client does."""
    return duckdb.connect(folder.root / "usage.duckdb", read_only=True)


def test_views_of_nothing(folder: DataFolder) -> None:
    """Before anything is loaded, every view is empty but already has its final columns and types."""
    with open_folder(folder.root, folder.now) as session:
        before = {view: rows(session, f"describe {view}") for view in database.VIEWS}
        for view in set(database.VIEWS) - {"calendar"}:
            assert rows(session, f"select count(*) from {view}") == [(0,)]
        assert rows(session, f"select sum(credits), count(*) from usage_daily('{WORKSPACE}', 'UTC', 30)") == [(0, 30)]
        assert rows(session, f"from usage_activity('{WORKSPACE}', 'UTC', 30)") == []
    folder.drop("a.jsonl", [record(usage={"credits": 1, "languages": [{"locale": "de", "characters": 1}]}), {"id": 1}])
    folder.run()
    with open_folder(folder.root, folder.now) as session:
        assert {view: rows(session, f"describe {view}") for view in database.VIEWS} == before
        for view in set(database.VIEWS) - {"members", "accounts"}:
            assert rows(session, f"select count(*) > 0 from {view}") == [(True,)], view


def test_views(loaded: DataFolder) -> None:
    """Views show the tables, the runs and the directory; the last of repeated rows counts; instants are UTC."""
    assert ask(loaded, "select id, day, workspace_id from events order by id") == [
        ("a", "2026-11-24", WORKSPACE),
        ("b", "2026-10-31", WORKSPACE),
    ]
    assert ask(loaded, "select month, locale, credits from cube order by all") == [
        ("2026-10", None, 3),
        ("2026-11", "de", 5),
    ]
    assert ask(loaded, "select day, events, credits from actors order by all") == [
        ("2026-10-31", 1, 3),
        ("2026-11-24", 1, 5),
    ]
    assert ask(loaded, "select reason, line_number from quarantine") == [("missing_field", 3)]
    assert ask(loaded, "select accepted, reasons['missing_field'], data_as_of from runs") == [
        (2, 1, "2026-11-24T12:00:00Z")
    ]
    assert ask(loaded, "select workspace_id, user_id[:3], role from members") == [(WORKSPACE, "ccc", "viewer")]
    assert ask(loaded, "select quota, period_anchor from accounts") == [(10, "2026-01-31T03:15:00Z")]


def test_one_workspace(loaded: DataFolder) -> None:
    """Macros of one workspace accept its id in any case, and reject anything else, such as a pattern."""
    assert ask(loaded, f"select count(*) from workspace_events('{WORKSPACE.upper()}')") == [(2,)]
    for macro in ("cube", "actors", "events", "event_languages"):
        with open_folder(loaded.root, loaded.now) as session, pytest.raises(RuntimeError, match="to UUID"):
            rows(session, f"from workspace_{macro}('*')")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "zzz", "", "europe/berlin"])
def test_unknown_zone(loaded: DataFolder, zone: str) -> None:
    """An unknown zone is an error, not an empty result."""
    for asked in (f"usage_daily('{WORKSPACE}', '{zone}', 30)", f"usage_buckets('{WORKSPACE}', '{zone}', 'daily')"):
        with open_folder(loaded.root, loaded.now) as session, pytest.raises(RuntimeError, match="unknown time zone"):
            rows(session, f"from {asked}")
    with open_folder(loaded.root, loaded.now) as session, pytest.raises(RuntimeError, match="known time zone"):
        rows(session, f"from usage_by_language('{WORKSPACE}', '{zone}', date '2026-11-01', date '2026-11-02')")


@pytest.mark.parametrize("table", ["cube", "actors"])
def test_a_commit_between(loaded: DataFolder, table: str) -> None:
    """If a run commits between listing and reading, the statement fails; it never mixes states or misses a month."""
    done(usage(loaded))
    asked = f"select sum(credits) from workspace_{table}('{WORKSPACE}')"
    manifest, kept = loaded.root / manifest_path(WORKSPACE), loaded.root / "kept.json"
    manifest.rename(kept)
    os.mkfifo(manifest)
    with connect(loaded) as connection, ThreadPoolExecutor(1) as thread:
        answer = thread.submit(lambda: connection.execute(asked).fetchall())
        with manifest.open("wb") as pipe:  # waits until the query, having listed the files, reads the manifest
            kept.rename(manifest)
            loaded.drop("b.jsonl", [record("c", timestamp="2026-10-31T12:00:00Z", usage={"credits": 100})])
            loaded.run(loaded.now + DAY_US)
            pipe.write(manifest.read_bytes())
        with pytest.raises(duckdb.Error, match=OVERTAKEN):
            answer.result()
        assert connection.execute(asked).fetchall() == [(108,)]


def test_old_and_new_files_together(loaded: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a commit's old and new files both exist, only the files that the manifests name count."""
    apply = FolderStore.apply
    seen: list[list[tuple[int]]] = []

    def watched(store: FolderStore, operation: Operation) -> None:
        apply(store, operation)
        if operation.kind != "sync":
            seen.append(ask(loaded, "select sum(credits) from cube") + ask(loaded, "select sum(credits) from actors"))

    loaded.drop("b.jsonl", [record("c", usage={"credits": 100})])
    database.refresh(loaded.root)  # otherwise it would be built, and observed, during the run
    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "apply", watched)
        loaded.run(loaded.now + 1)
    assert [(8,), (8,)] in seen
    assert [(108,), (108,)] in seen
    assert all(found in ([(8,), (8,)], [(108,), (108,)]) for found in seen)


def test_the_session_repeats_a_statement(loaded: DataFolder) -> None:
    """If a run publishes in the meantime, the statement runs again and returns the new state."""
    calls: list[int] = []
    with open_folder(loaded.root, loaded.now) as session:
        (statement,) = statements("select sum(credits) as credits from cube")

        def consume(reader: pa.RecordBatchReader) -> list[int]:
            calls.append(1)
            if len(calls) == 1:
                raise duckdb.InvalidInputException(OVERTAKEN)
            return list(reader.read_all()["credits"].to_pylist())

        assert session.run(statement, consume) == [8]


def test_a_run_builds_the_file_if_necessary(loaded: DataFolder) -> None:
    """A run builds the file if it is missing or damaged, and otherwise leaves it alone."""
    path = loaded.root / "usage.duckdb"
    done(usage(loaded))
    first = path.stat()
    done(usage(loaded))
    assert path.stat() == first
    path.write_bytes(b"damaged")
    done(usage(loaded))
    with connect(loaded) as connection:
        assert connection.execute("select sum(credits) from cube").fetchall() == [(8,)]
    assert not list(loaded.root.glob(".usage*"))


def test_a_folder_that_moved(loaded: DataFolder, tmp_path: Path) -> None:
    """After the folder moved, `usage sql` rebuilds the file, and so does the next run."""
    done(usage(loaded))
    moved = DataFolder(tmp_path / "else where's [data]*")
    loaded.root.rename(moved.root)
    assert ask(moved, "select sum(credits) from cube") == [(8,)]
    assert database.is_current(moved.root)
    again = DataFolder(tmp_path / "again")
    moved.root.rename(again.root)
    done(usage(again))
    with connect(again) as connection:
        assert connection.execute("select count(*) from events").fetchall() == [(2,)]


def test_a_file_that_cannot_be_replaced(loaded: DataFolder) -> None:
    """If the file cannot be written, the run succeeds with a warning, and each session builds its own."""
    (loaded.root / "usage.duckdb").mkdir()
    result = usage(loaded)
    done(result)
    assert "warning: usage.duckdb could not be written" in result.stderr
    assert ask(loaded, "select sum(credits) from cube") == [(8,)]
    (loaded.root / "usage.duckdb").rmdir()
    (loaded.root / "usage.duckdb").write_bytes(b"damaged")
    status = (loaded.root / "usage.duckdb").stat()
    build_record = database.BuildRecord(database.inputs_hash(loaded.root), status.st_size, status.st_mtime_ns)
    (loaded.root / "usage.duckdb.json").write_bytes(_json(build_record))
    assert ask(loaded, "select sum(credits) from cube") == [(8,)]


def test_a_run_with_nothing_new_imports_no_engine(loaded: DataFolder) -> None:
    """While the file is current, a run with nothing new never imports DuckDB."""
    done(usage(loaded))
    code = "import sys; from service.commands import main; main(); sys.exit('duckdb' in sys.modules)"
    command = [sys.executable, "-c", code, "run", "--data-dir", str(loaded.root), "--now", "2026-11-24T12:00:01Z"]
    root = str(ROOT)
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": root}, timeout=60)


def test_it_is_small(loaded: DataFolder) -> None:
    """The file holds no data except the days of all zones."""
    done(usage(loaded))
    assert (loaded.root / "usage.duckdb").stat().st_size < 1_000_000
    with connect(loaded) as connection:
        assert connection.execute("select count(distinct time_zone) from calendar").fetchall() == [(598,)]


def test_a_copy_equals_the_original(tmp_path: Path) -> None:
    """The copies that the tests use have all objects and rows of a file that is built, with the folder's own path."""
    root = tmp_path / "it's"
    root.mkdir()
    found = []
    for name, function in (("built", build), ("copied", copied)):
        function(tmp_path / name, str(root))
        with duckdb.connect(tmp_path / name, read_only=True) as connection:
            objects = "select view_name, sql from duckdb_views() union all select function_name, macro_definition "
            objects += "from duckdb_functions() where not internal order by all"
            found.append((connection.execute(objects).fetchall(), connection.execute("from internal.spans").fetchall()))
    assert found[0] == found[1]
    assert str(root).replace("'", "''") in str(found[0])
