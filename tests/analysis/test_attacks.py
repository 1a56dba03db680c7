"""`usage sql` refuses to write, to read anything but the tables, and to change its own settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.analysis.session import Session
from pipeline.analysis.source import QueryError
from pipeline.analysis.statements import StatementError
from tests.support.asking import open_folder, rows
from tests.support.data_folder import DataFolder, record

SECRET = "op_live_secret"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a loaded data folder with members, accounts and keys."""
    folder = DataFolder(tmp_path_factory.mktemp("attacked"))
    folder.drop("a.jsonl", [record(usage={"credits": 5}), {"id": "bad"}])
    folder.run()
    directory = folder.root / "directory"
    directory.mkdir()
    for name in ("members", "accounts", "api_keys", "api_keys.local"):
        (directory / f"{name}.jsonl").write_text(f'{{"id": "{SECRET}"}}\n' if "keys" in name else "")
    return folder


@pytest.fixture(scope="module")
def session(folder: DataFolder) -> Iterator[Session]:
    """Return an open session, in which each refused statement must leave everything as it was."""
    with open_folder(folder.root, folder.now) as session:
        yield session


def file_states(root: Path) -> dict[str, tuple[int, int]]:
    """Return the size and modification time of every file."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in root.rglob("*")}


WRITES = [
    "copy (select 1) to '{root}/events/x.csv'",
    "copy events to '{root}/events/x' (format parquet, partition_by (day))",
    "explain analyze copy (select 1) to '{root}/events/x.csv'",
    "explain (analyze) copy (select 1) to '{root}/events/x.csv'",
    "EXPLAIN /* é */ ANALYSE -- é\n copy (select 1) to '{root}/events/x.csv'",
    "explain analyze explain analyze copy (select 1) to '{root}/events/x.csv'",
    "with x as (copy (select 1) to '{root}/events/x.csv') from x",
    "with x as (copy (select 1) to '{root}/events/x.csv') select 1",
    "explain analyze with x as (copy (select 1) to '{root}/events/x.csv') from x",
    "select (with x as (copy (select 1) to '{root}/events/x.csv') select count(*) from x)",
    "from query('with x as (copy (select 1) to ''{root}/events/x.csv'') from x')",
    "from query('copy (select 1) to ''{root}/events/x.csv''')",
    "from json_execute_serialized_sql(json_serialize_sql('with x as (copy cube to ''{root}/events/x'') from x'))",
    "from system.main.json_execute_serialized_sql('')",
    "from \"JSON_Execute_Serialized_SQL\"('')",
    "select * from (select 1) where 1 in (from json_execute_serialized_sql(''))",
    "pivot (from json_execute_serialized_sql('')) on 1 in (1) using count(*)",
    "describe from json_execute_serialized_sql('')",
    "select 1; copy (select 1) to '{root}/events/x.csv'",
    "with x as (insert into internal.spans default values returning *) from x",
    "insert into internal.spans default values",
    "delete from internal.spans",
    "create table x as select 1",
    "create temp table x as select 1",
    "create view x as select 1",
    "create macro data_folder() as '/etc'",
    "create or replace temp macro data_folder() as '/etc'",
    "drop view events",
    "export database '{root}/events/x'",
    "attach '{root}/events/x.duckdb'",
    "checkpoint",
    "vacuum",
    "from enable_logging('QueryLog', storage = 'file', storage_path = '{root}/events')",
    "call enable_logging(storage = 'file', storage_path = '{root}/events')",
    "prepare x as copy (select 1) to '{root}/events/x.csv'",
    "execute x",
    "pragma enable_profiling = 'json'",
]

READS = [
    "from '{keys}'",
    "from read_text('{keys}')",
    "from read_blob('{keys}')",
    "from read_json('{keys}')",
    "from read_ndjson('{keys}')",
    "from read_csv('{keys}')",
    "from read_text('{root}/directory/*')",
    "from read_text('{root}/directory/api_keys*')",
    "from read_text('{root}/directory/[a]pi_keys.jsonl')",
    "from read_text('{root}/events/../directory/api_keys.jsonl')",
    "from read_text('{root}/events/./../directory/api_keys.jsonl')",
    "from read_text('{root}/directory/members.jsonl/../api_keys.jsonl')",
    "from read_text('{root}//directory/api_keys.jsonl')",
    "from read_text('file://{keys}')",
    "from read_text(['{root}/directory/members.jsonl', '{keys}'])",
    "from read_ndjson_objects('{keys}')",
    "from sniff_csv('{keys}')",
    "from glob('{root}/*')",
    "from glob('{root}/directory/*')",
    "from glob('/**')",
    "from '/etc/passwd'",
    "from read_text('/etc/passwd')",
    "from read_csv('/etc/passwd')",
    "from read_blob('/proc/self/environ')",
    "from parquet_metadata('/etc/passwd')",
    "from parquet_schema('{keys}')",
    "from read_text('{root}/state.sqlite')",
    "from read_blob('{root}/raw/a.jsonl')",
    "from read_blob('{root}/published.json')",
    "from read_duckdb('{root}/usage.duckdb')",
    "from '{root}/other.duckdb'",
    "from sqlite_scan('{root}/state.sqlite', 'files')",
    "from read_text('http://127.0.0.1:9/x')",
    "from 's3://bucket/x.parquet'",
    "select getenv('HOME')",
    "from duckdb_secrets()",
    "from os",
    "from folder",
    "from directory",
    "from workspace_events('*/../../../directory/api_keys.jsonl')",
    "from usage_daily('../../directory', 'UTC', 1)",
    "from usage_daily('*', 'UTC', 1)",
    "from query_table('/etc/passwd')",
    "from query_table(['events'])",
    "from pandas_scan(0)",
    "from arrow_scan(0, 0, 0)",
    "from python_map_function((select 1), 0)",
    "from read_json('{keys}', filename = true)",
]

SETTINGS = [
    "set enable_external_access = true",
    "reset enable_external_access",
    "set global allowed_directories = ['/']",
    "set lock_configuration = false",
    "set variable statement = 'x'",
    "pragma enable_object_cache",
    "install httpfs",
    "load httpfs",
    "force install httpfs from 'http://127.0.0.1:9'",
    "use system",
    "call pragma_version()",
    "begin",
    "from create_external_resource('x')",
    "from register_external_resource('x', 'x', 'x')",
    "from disable_logging()",
    "from checkpoint()",
    "from force_checkpoint()",
    "from truncate_duckdb_logs()",
    "",
]


@pytest.mark.parametrize("text", [*WRITES, *READS, *SETTINGS])
def test_refused(folder: DataFolder, session: Session, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement fails, its message reveals none of the data it asked for, and no file is added or changed."""
    monkeypatch.chdir(folder.root)
    before = file_states(folder.root)
    filled = text.format(root=folder.root, keys=folder.root / "directory" / "api_keys.jsonl")
    with pytest.raises((QueryError, StatementError, ValueError)) as caught:
        rows(session, filled)
    assert SECRET not in str(caught.value)
    assert file_states(folder.root) == before
    assert rows(session, "select sum(credits) from cube") == [(5,)]


ALLOWED = [
    "from events",
    "select 1 union all select 2",
    "values (1), (2)",
    "table events",
    "with a as (select 1 as x), b as (from a) from b",
    "with recursive r(n) as (select 1 union all select n + 1 from r where n < 5) from r",
    "describe events",
    "summarize events",
    "show tables",
    "explain select 1",
    "explain analyze select count(*) from events",
    "explain from events",
    "pivot events on action in ('voice_generated') using count(*)",
    "unpivot (select 1 as a, 2 as b) on a, b",
    "select * from range(3) as r(i), lateral (select i + 1)",
    "from glob('{root}/events/**')",
    "select metadata->>'a', unnest([1, 2]) from events",
    "select list(id order by timestamp) from events;",
    "select * from events positional join cube",
    "from workspace_events('6f9619ff-8b86-4d01-b42d-00cf4fc964ff') limit 1 -- a comment",
    "from read_parquet('{root}/events/*/*/*.parquet')",
]


@pytest.mark.parametrize("text", ALLOWED)
def test_allowed(folder: DataFolder, session: Session, text: str) -> None:
    """A statement that only reads the tables runs."""
    assert rows(session, text.format(root=folder.root)) is not None


def test_spilling_leaves_nothing(folder: DataFolder) -> None:
    """Data that do not fit into memory spill to a folder that is deleted with the session."""
    before = set(folder.root.iterdir())
    with open_folder(folder.root, folder.now) as session:
        ((spilled,),) = rows(session, "select current_setting('temp_directory')")
        assert not spilled.startswith(str(folder.root))
        assert rows(session, "select current_setting('memory_limit')") == [("953.6 MiB",)]
    assert not Path(spilled).parent.exists()
    assert set(folder.root.iterdir()) == before
