"""Turn foreign files into lines of the activity log by one SELECT over the table `input`.

Reads the files that are named, and nothing else; yields JSON Lines. A statement can write nothing, reach no other file,
no network and no extension. Beside DuckDB's functions there is `uuid5(namespace, name)`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa

from pipeline.analysis import values
from pipeline.analysis.database import escaped_glob
from pipeline.analysis.statements import StatementError, error_text, statements
from pipeline.mapping.inputs import InputError, create_input
from pipeline.mapping.nearest import nearest
from pipeline.validation.records import Record

_BATCH_ROWS: Final = 10_000
_SQL: Final = files("pipeline").joinpath("mapping", "sql")
_MACROS: Final = ("uuid5",)
FIELDS: Final = tuple(field.encode_name for field in msgspec.structs.fields(Record))
_REQUIRED: Final = tuple(field.encode_name for field in msgspec.structs.fields(Record) if field.required)


class MapError(ValueError):
    """Raised when a map cannot be carried out; the message is for its author."""


@contextmanager
def open_map(text: str, paths: Sequence[Path]) -> Iterator[Callable[[], Iterator[bytes]]]:
    """Prepare a map; yield what returns its lines, each without a newline.

    Args:
        text: one SELECT over `input`, whose columns are the fields of a record.
        paths: the foreign files, all of one kind.

    Raises:
        MapError: the text is no such SELECT, the files cannot be read, or a value cannot be converted.
    """
    with duckdb.connect(
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    ) as opened:
        try:
            _prepare(opened, paths)
            rows = _select(opened, text)
        except (InputError, StatementError) as error:
            raise MapError(str(error)) from None
        except duckdb.Error as error:
            raise MapError(error_text(error)) from None
        _check_columns(rows.columns)
        yield lambda: _lines(rows)


def _prepare(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    connection.execute("set python_enable_replacements = false")
    for name in _MACROS:
        connection.execute(_SQL.joinpath(f"{name}.sql").read_text("utf-8"))
    create_input(connection, paths)
    connection.execute(
        "set allowed_paths = ?", [[name for path in paths for name in {str(path), escaped_glob(str(path))}]]
    )
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _select(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyRelation:
    found = statements(text)
    if len(found) != 1 or found[0].is_explained:
        raise StatementError("a map is one SELECT, such as: select id, … from input")
    connection.execute("set variable statement = ?", [found[0].select])
    return connection.sql(found[0].command)


def _check_columns(columns: list[str]) -> None:
    for name in columns:
        if name not in FIELDS:
            hint = f"; do you mean {close}?" if (close := nearest(name, FIELDS)) else "."
            raise MapError(f"the column {name} is no field of a record{hint} Fields are {', '.join(FIELDS)}")
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        raise MapError(f"columns are missing: {', '.join(missing)}")


def _lines(rows: duckdb.DuckDBPyRelation) -> Iterator[bytes]:
    """Yield the rows as JSON objects.

    Raises:
        MapError: a value cannot be converted.
    """
    is_json = [str(kind) == "JSON" for kind in rows.types]
    try:
        reader = rows.to_arrow_reader(_BATCH_ROWS)
        for batch in reader:
            for row in values.rows(batch):
                cells = zip(rows.columns, row, is_json, strict=True)
                yield values.json({name: _raw(value) if raw else value for name, value, raw in cells})
    except (duckdb.Error, pa.ArrowException) as error:
        raise MapError(error_text(error)) from None


def _raw(value: Any) -> Any:
    """Return a text that is JSON as what it says."""
    return None if value is None else msgspec.Raw(value.encode())
