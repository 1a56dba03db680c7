"""`usage.duckdb`: views and macros over the tables, and the local days of every zone; no other data of its own.

Reads `sql/` and the zone data; writes `usage.duckdb` and, behind it, `usage.duckdb.json`, which says what it was made
from: where that is still so, a run goes on without looking into it. Views hold the absolute path of the data folder,
since DuckDB takes relative ones from wherever the client was started; in a folder that moved they are made anew.

Both files can be made again at any time. They are no part of a commit.
"""

import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import pyarrow as pa
from filelock import FileLock

from pipeline.analysis.spans import spans
from pipeline.contract.calendar import zone_data_version
from pipeline.contract.tables import ACTORS, CUBE, EVENTS, QUARANTINE
from pipeline.storage.store import DamagedError, Operation, Store

if TYPE_CHECKING:
    import duckdb

DATABASE: Final = "usage.duckdb"
_MARK: Final = "usage.duckdb.json"
_LOCK: Final = "usage.duckdb.lock"
_STAGED: Final = ".usage.duckdb.tmp"
_STAGED_MARK: Final = ".usage.duckdb.json.tmp"

_SQL: Final = files("pipeline").joinpath("analysis", "sql")
# What is for everybody: a file of `sql/` creates each.
VIEWS: Final = (
    *("calendar", "cube", "actors", "events", "event_languages"),
    *("quarantine", "runs", "members", "accounts"),
)
TABLE_MACROS: Final = (
    *("workspace_cube", "workspace_actors", "workspace_events", "workspace_event_languages"),
    *("local_days", "usage_daily", "usage_buckets", "usage_by_language", "usage_activity"),
)
SCALAR_MACROS: Final = ("instant", "local_today")
# What these are made of, in an order in which each comes after what it names.
_INTERNAL: Final = (
    *("internal_share", "internal_workspace", "internal_manifest", "internal_current_cube"),
    *("internal_current_actors", "internal_cube_rows", "internal_actors_rows", "internal_events_rows"),
    *("internal_languages_rows",),
)
_STATEMENTS: Final = (*_INTERNAL, *VIEWS, *SCALAR_MACROS, "internal_buckets", *TABLE_MACROS)
# What the views give where there is no file yet.
_COLUMNS: Final = {"cube": CUBE, "actors": ACTORS, "events": EVENTS, "quarantine": QUARANTINE}
_PARTITIONS: Final = {"cube": {"month": pa.string()}, "actors": {"month": pa.string()}, "events": {"day": pa.date32()}}
# Smaller than DuckDB's own: the file holds little.
_BLOCK_BYTES: Final = 16_384
# Another one makes it while we wait, in a second or two.
_PATIENCE_SECONDS: Final = 20


class Mark(msgspec.Struct, frozen=True):
    """What `usage.duckdb` was made from, and which file that was."""

    made_from: str
    size: int
    mtime_ns: int


def is_current(root: Path) -> bool:
    """Return whether a data folder's `usage.duckdb` is what it would be if it were made now."""
    store = Store(root)
    try:
        status = store.path(DATABASE).stat()
        mark = store.load(_MARK, Mark)
    except (OSError, DamagedError):
        return False
    return mark == Mark(made_from(root), status.st_size, status.st_mtime_ns)


def made_from(root: Path) -> str:
    """Return a hash of all that `usage.duckdb` depends on: the statements, columns, zone data and the data folder."""
    schemas = [schema.to_string() for schema in _COLUMNS.values()]
    statements = [_SQL.joinpath(f"{name}.sql").read_text() for name in _STATEMENTS]
    return hashlib.sha256("\0".join([zone_data_version(), str(root), *schemas, *statements]).encode()).hexdigest()


def refresh(root: Path) -> None:
    """Make a data folder's `usage.duckdb` where it is not current; readers have the old one or the new one.

    Raises:
        OSError: it cannot be written, or another one makes it and does not end.
    """
    if is_current(root):
        return
    store = Store(root)
    with FileLock(store.path(_LOCK), timeout=_PATIENCE_SECONDS):
        if is_current(root):
            return
        try:
            make(store.path(_STAGED), root)
            status = store.path(_STAGED).stat()
            mark = Mark(made_from(root), status.st_size, status.st_mtime_ns)
            staged = [store.staged(_STAGED, DATABASE), store.stage(_STAGED_MARK, _MARK, msgspec.json.encode(mark))]
            for operation in [Operation("sync"), *staged]:
                store.apply(operation)
        finally:
            for left in (_STAGED, _STAGED_MARK):
                store.path(left).unlink(missing_ok=True)


def pattern(root: Path) -> str:
    """Return the glob that finds a data folder alone."""
    return re.sub(r"([*?\[])", r"[\1]", str(root))


def make(path: Path, root: Path) -> None:
    """Write a database over the tables of a data folder.

    Raises:
        OSError: it cannot be written.
    """
    import duckdb  # noqa: PLC0415 - a run with nothing new is over before it is here

    path.unlink(missing_ok=True)
    try:
        with duckdb.connect(path, config={"default_block_size": str(_BLOCK_BYTES)}) as connection:
            _fill(connection, root)
    except duckdb.Error as error:
        raise OSError(f"{path}: {error}") from None


def _fill(connection: "duckdb.DuckDBPyConnection", root: Path) -> None:
    _name_folder(
        connection, Path("/nowhere")
    )  # what is created is bound, which in a large data folder would list all of it
    connection.execute("create schema internal")
    for name, schema in _COLUMNS.items():
        _keep(connection, name, _columns(name, schema).empty_table())
    _keep(connection, "spans", pa.Table.from_pylist([span._asdict() for span in spans()]))
    for name in _STATEMENTS:
        connection.execute(_SQL.joinpath(f"{name}.sql").read_text())
    _name_folder(connection, root)


def _keep(connection: "duckdb.DuckDBPyConnection", name: str, rows: pa.Table) -> None:
    connection.from_arrow(rows).create(f"internal.{name}")


def _columns(name: str, schema: pa.Schema) -> pa.Schema:
    """Return the columns of a table, those that come from its folders and file names included."""
    partitions = (
        {"workspace_id": pa.string(), **_PARTITIONS[name], "filename": pa.string()} if name in _PARTITIONS else {}
    )
    return pa.schema([*partitions.items(), *schema])


def _name_folder(connection: "duckdb.DuckDBPyConnection", root: Path) -> None:
    """Let `data_folder()` be the data folder, and `data_pattern()` the glob that finds it alone.

    This is the one place where SQL is put together: a macro takes no parameter, and a file function nothing else that
    could name the folder and does not change with the session.
    """
    for name, text in (("data_folder", str(root)), ("data_pattern", pattern(root))):
        literal = text.replace("'", "''")
        connection.execute(f"create or replace macro {name}() as '{literal}'")
