"""Decide which statements may run: a SELECT, or an EXPLAIN of one, that calls only known table functions.

Reads nothing but the statement. DuckDB has no mode that forbids all writing: COPY can write to any folder that DuckDB
may read, even inside WITH and under EXPLAIN ANALYZE. So a statement runs inside `from query(…)`, where DuckDB accepts
only a SELECT that changes nothing. Table functions are limited to the list below, because one of the others
(`json_execute_serialized_sql`) runs any SQL that it is given as JSON.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import duckdb
import msgspec

from pipeline.analysis.database import TABLE_MACROS

_TABLE_FUNCTIONS: Final = frozenset(
    (
        *("range", "generate_series", "unnest", "repeat", "json_each", "json_tree", "glob"),
        *("read_parquet", "parquet_scan", "parquet_metadata", "parquet_file_metadata", "parquet_schema"),
        *("read_json", "read_ndjson", "read_text", "read_blob"),
        *("duckdb_columns", "duckdb_functions", "duckdb_keywords", "duckdb_settings", "duckdb_tables", "duckdb_views"),
        *TABLE_MACROS,
    )
)
_REFUSED: Final = "only SELECT (and FROM, WITH, VALUES, DESCRIBE, SUMMARIZE, SHOW) and EXPLAIN of it can run here"
_RUN: Final = "from query(getvariable('statement'))"
_EXPLAIN: Final = f"explain {_RUN}"
_EXPLAIN_ANALYZE: Final = f"explain analyze {_RUN}"


class StatementError(ValueError):
    """Raised when a statement may not run; the message is for its author."""


class Statement(msgspec.Struct, frozen=True):
    """A SELECT, and the fixed command that runs or explains the text in the variable `statement`."""

    select: str
    command: str

    @property
    def is_explained(self) -> bool:
        """Return whether the result is a plan rather than rows."""
        return self.command != _RUN


def statements(text: str) -> list[Statement]:
    """Split a text into its statements, in order.

    Raises:
        StatementError: a statement may not run, or the text is not SQL.
    """
    return [_statement(found) for found in _extracted(text)]


def error_text(error: Exception) -> str:
    """Return an error's message without the excerpt of `_RUN`, which the author did not write."""
    text = str(error).partition("\n\nLINE ")[0].strip()
    if isinstance(error, duckdb.OutOfMemoryException):  # DuckDB names settings that cannot be set here
        text = f"{text.splitlines()[0]}; USAGE_SQL_MEMORY and USAGE_SQL_SPILL set the limits"
    return text


def _extracted(text: str) -> list[duckdb.Statement]:
    try:
        return duckdb.extract_statements(text)
    except duckdb.Error as error:
        raise StatementError(str(error)) from None


def _statement(found: duckdb.Statement) -> Statement:
    select, command = found.query, _RUN
    if found.type == duckdb.StatementType.EXPLAIN:
        select, command = _explained(found.query)
        inner = _extracted(select)
        if len(inner) != 1:
            raise StatementError(_REFUSED)
        found = inner[0]
    if found.type != duckdb.StatementType.SELECT:
        what = "PIVOT needs its values: … ON column IN (…)" if found.type == duckdb.StatementType.MULTI else _REFUSED
        raise StatementError(what)
    for name in _table_functions(select):
        if name not in _TABLE_FUNCTIONS:
            raise StatementError(f"the table function {name} is not available here")
    return Statement(select, command)


def _explained(text: str) -> tuple[str, str]:
    """Return the statement that an EXPLAIN is about, and the command that explains it."""
    encoded = text.encode()
    starts = [start for start, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    words = [encoded[start:end].split(maxsplit=1)[0].lower() for start, end in pairwise([*starts[:3], len(encoded)])]
    if words[1] == b"(":
        raise StatementError("EXPLAIN takes no option here except ANALYZE")
    if words[1] in {b"analyze", b"analyse"}:
        return encoded[starts[2] :].decode(), _EXPLAIN_ANALYZE
    return encoded[starts[1] :].decode(), _EXPLAIN


def _table_functions(select: str) -> Iterator[str]:
    """Yield the names of the table functions that a SELECT calls at any depth.

    Raises:
        StatementError: DuckDB cannot serialize the statement.
    """
    with duckdb.connect() as parser:
        (tree,) = parser.execute("select json_serialize_sql(?::varchar)", [select]).fetchall()[0]
    pending: list[Any] = [msgspec.json.decode(tree)]
    if pending[0]["error"]:
        raise StatementError(pending[0]["error_message"])
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if node.get("type") == "TABLE_FUNCTION":
                yield node["function"]["function_name"].lower()
            pending += node.values()
        elif isinstance(node, list):
            pending += node
