"""Build `usage.duckdb`: views and macros over the tables, and the local days of every zone; no other data.

Reads `sql/` and the zone data. Writes `usage.duckdb`, then `usage.duckdb.json`, which records what it was built from:
while that is unchanged, a run does not open the database. Views contain the absolute path of the data folder, because
DuckDB resolves relative paths against the client's working directory; after the folder moves, the file is rebuilt.

Both files can be rebuilt at any time and are not part of a commit.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import pyarrow as pa
from filelock import FileLock

from pipeline.analysis.offsets import offsets
from pipeline.analysis.spans import spans
from pipeline.contract.calendar import zone_data_version
from pipeline.contract.tables import ACTORS, CUBE, EVENTS, QUARANTINE
from pipeline.storage import ownership
from pipeline.storage.folder import FolderStore
from pipeline.storage.store import DamagedError, Operation

if TYPE_CHECKING:
    import duckdb

DATABASE: Final = "usage.duckdb"
_BUILD_RECORD: Final = "usage.duckdb.json"
_LOCK: Final = "usage.duckdb.lock"
_STAGED: Final = ".usage.duckdb.tmp"
_STAGED_RECORD: Final = ".usage.duckdb.json.tmp"

_SQL: Final = files("pipeline").joinpath("analysis", "sql")
# The public objects; `sql/` has one file for each.
VIEWS: Final = (
    *("calendar", "cube", "actors", "events", "event_languages"),
    *("quarantine", "runs", "members", "accounts"),
)
TABLE_MACROS: Final = (
    *("workspace_cube", "workspace_actors", "workspace_events", "workspace_event_languages"),
    *("local_days", "usage_daily", "usage_buckets", "usage_by_language", "usage_activity"),
    *("usage_between", "usage_by_user", "usage_by_resource"),
)
SCALAR_MACROS: Final = ("instant", "local_today", "local_start")
# What the public objects are made of; each comes after the ones it uses.
_INTERNAL: Final = (
    *(
        "internal_share",
        "internal_workspace",
        "internal_files",
        "internal_may_be_none",
        "internal_manifest",
        "internal_current_cube",
    ),
    *("internal_current_actors", "internal_cube_rows", "internal_actors_rows", "internal_events_rows"),
    *("internal_languages_rows", "internal_directory_lines", "internal_member", "internal_is_uuid"),
    *("internal_is_one_of",),
)
_STATEMENTS: Final = (
    *(*_INTERNAL, *VIEWS, *SCALAR_MACROS),
    *("internal_utc", "internal_buckets", "internal_steps", "internal_event_amounts"),
    *TABLE_MACROS,
)
# The columns of the views, for when there is no file to read yet.
_COLUMNS: Final = {"cube": CUBE, "actors": ACTORS, "events": EVENTS, "quarantine": QUARANTINE}
_PARTITIONS: Final = {"cube": {"month": pa.string()}, "actors": {"month": pa.string()}, "events": {"day": pa.date32()}}
# The files that a database may have a list of, one macro for each; there is a pattern for those without.
LISTED: Final = ("events", "cube", "actors", "quarantine", "runs")
# The columns of `internal.months`, which stands for the manifests if files are listed.
_MONTHS: Final = pa.schema([("workspace_id", pa.string()), ("cube", pa.string()), ("actors", pa.string())])
# Much smaller than DuckDB's default of 256 KiB, because the file holds little.
_BLOCK_BYTES: Final = 16_384
# How long to wait for another process that is building the file, which takes a second or two.
_LOCK_TIMEOUT_SECONDS: Final = 20


class Listed(msgspec.Struct, frozen=True):
    """The files of one snapshot, for a database that reads these and no others.

    Attributes:
        files: the addresses of the files for each of `LISTED`.
        months: the workspace, and the files of cube and actors relative to the data folder, of each month.
    """

    files: Mapping[str, Sequence[str]]
    months: Sequence[tuple[str, str, str]]


class BuildRecord(msgspec.Struct, frozen=True):
    """What `usage.duckdb` was built from, and which file came out."""

    made_from: str  # `inputs_hash`
    size: int  # bytes
    mtime_ns: int


def is_current(root: Path) -> bool:
    """Return whether building a data folder's `usage.duckdb` now would give the same file."""
    try:
        status = (root / DATABASE).stat()
        record = FolderStore(root).load(_BUILD_RECORD, BuildRecord)
    except (OSError, DamagedError):
        return False
    return record == BuildRecord(inputs_hash(root), status.st_size, status.st_mtime_ns)


def inputs_hash(root: Path) -> str:
    """Return a hash of what `usage.duckdb` is built from: statements, columns, zone data and the folder's path."""
    schemas = [schema.to_string() for schema in _COLUMNS.values()]
    statements = [_SQL.joinpath(f"{name}.sql").read_text() for name in _STATEMENTS]
    return hashlib.sha256("\0".join([zone_data_version(), str(root), *schemas, *statements]).encode()).hexdigest()


def refresh(root: Path) -> None:
    """Build a data folder's `usage.duckdb` unless it is current; readers see the old file or the new one.

    Raises:
        OSError: the file cannot be written, or another process is building it and does not finish.
    """
    if is_current(root):
        return
    with ownership.writing():
        ownership.make_file(root / _LOCK, root)
        _refresh(root)


def _refresh(root: Path) -> None:
    store = FolderStore(root)
    with FileLock(root / _LOCK, timeout=_LOCK_TIMEOUT_SECONDS):
        if is_current(root):
            return
        try:
            build(root / _STAGED, str(root))
            status = (root / _STAGED).stat()
            record = msgspec.json.encode(BuildRecord(inputs_hash(root), status.st_size, status.st_mtime_ns))
            staged = [store.staged(_STAGED, DATABASE), store.stage(_STAGED_RECORD, _BUILD_RECORD, record)]
            for operation in [Operation("sync"), *staged]:
                store.apply(operation)
        finally:
            for leftover in (_STAGED, _STAGED_RECORD):
                (root / leftover).unlink(missing_ok=True)


def escaped_glob(folder: str) -> str:
    """Return the glob that matches a data folder and nothing else."""
    return re.sub(r"([*?\[])", r"[\1]", folder)


def build(path: Path, folder: str, listed: Listed | None = None) -> None:
    """Write a database over the tables of a data folder.

    Args:
        path: of the database.
        folder: the path of the data folder, or whatever DuckDB knows it by.
        listed: the files to read; None: those that there are in the folder when somebody asks.

    Raises:
        OSError: the file cannot be written.
    """
    import duckdb  # noqa: PLC0415 - a run with nothing new never needs it

    path.unlink(missing_ok=True)
    try:
        with duckdb.connect(path, config={"default_block_size": str(_BLOCK_BYTES)}) as connection:
            _create_objects(connection, folder, listed)
    except duckdb.Error as error:
        raise OSError(f"{path}: {error}") from None


def _create_objects(connection: "duckdb.DuckDBPyConnection", folder: str, listed: Listed | None) -> None:
    # DuckDB binds a view when it is created, which would list the files of the whole data folder.
    set_folder(connection, "/nowhere")
    connection.execute("create schema internal")
    for name, schema in _COLUMNS.items():
        _create_table(connection, name, _view_schema(name, schema).empty_table())
    months = [dict(zip(_MONTHS.names, month, strict=True)) for month in listed.months] if listed else []
    _create_table(connection, "months", pa.Table.from_pylist(months, _MONTHS))
    _create_table(connection, "spans", pa.Table.from_pylist([span._asdict() for span in spans()]))
    _create_table(connection, "offsets", pa.Table.from_pylist([offset._asdict() for offset in offsets()]))
    for name in _STATEMENTS:
        connection.execute(_SQL.joinpath(f"{name}.sql").read_text())
    set_folder(connection, folder, listed)


def _create_table(connection: "duckdb.DuckDBPyConnection", name: str, rows: pa.Table) -> None:
    connection.from_arrow(rows).create(f"internal.{name}")


def _view_schema(name: str, schema: pa.Schema) -> pa.Schema:
    """Return the columns of a table, including those that come from folder and file names."""
    partitions = (
        {"workspace_id": pa.string(), **_PARTITIONS[name], "filename": pa.string()} if name in _PARTITIONS else {}
    )
    return pa.schema([*partitions.items(), *schema])


def set_folder(connection: "duckdb.DuckDBPyConnection", folder: str, listed: Listed | None = None) -> None:
    """Define where the files are.

    `data_folder()` is the data folder, `data_pattern()` the glob that matches it alone, and `listed_cube()` and so on
    are lists of files, one on each line, or null.

    This is the only place that builds SQL from strings: `create macro` accepts no bound parameter, and the file
    functions accept only a constant, or a session variable, which a client could change.
    """
    texts: dict[str, str | None] = {"data_folder": folder, "data_pattern": escaped_glob(folder)}
    texts |= {f"listed_{name}": "\n".join(listed.files[name]) if listed else None for name in LISTED}
    for name, text in texts.items():
        literal = "null::varchar" if text is None else "'" + text.replace("'", "''") + "'"
        connection.execute(f"create or replace macro {name}() as {literal}")
