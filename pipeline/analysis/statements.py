"""What a statement may be: a SELECT, or an EXPLAIN of one, which calls no function that runs what it is given as text.

Reads the statement alone. DuckDB has no mode in which nothing is written: in the folders that it may read COPY writes,
also inside WITH and under EXPLAIN ANALYZE. So a statement is run from within `from query(…)`, where DuckDB takes a
SELECT that changes nothing and no other; and of table functions only those below are let through, since one of the
others would run whatever SQL it is given as JSON.
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
_REFUSED: Final = "only SELECT (and FROM, WITH, VALUES, DESCRIBE, SUMMARIZE, SHOW) and EXPLAIN of it are run here"
_RUN: Final = "from query(getvariable('statement'))"
_EXPLAIN: Final = f"explain {_RUN}"
_EXPLAIN_ANALYZE: Final = f"explain analyze {_RUN}"


class StatementError(ValueError):
    """Raised when a statement is not run here; its text is for whoever wrote it."""


class Statement(msgspec.Struct, frozen=True):
    """A SELECT, and the fixed statement that runs or explains what the variable `statement` holds."""

    select: str
    run_by: str

    @property
    def is_explained(self) -> bool:
        """Return whether a plan comes of it rather than rows."""
        return self.run_by != _RUN


def statements(text: str) -> list[Statement]:
    """Return the statements of a text, in their order.

    Raises:
        StatementError: one of them is not run here, or is no SQL.
    """
    return [_statement(found) for found in _extracted(text)]


def said_by(error: Exception) -> str:
    """Return what an error says, without the line of a statement that was not the writer's."""
    return str(error).partition("\n\nLINE ")[0].strip()


def _extracted(text: str) -> list[duckdb.Statement]:
    try:
        return duckdb.extract_statements(text)
    except duckdb.Error as error:
        raise StatementError(str(error)) from None


def _statement(found: duckdb.Statement) -> Statement:
    select, run_by = found.query, _RUN
    if found.type == duckdb.StatementType.EXPLAIN:
        select, run_by = _explained(found.query)
        inner = _extracted(select)
        if len(inner) != 1:
            raise StatementError(_REFUSED)
        found = inner[0]
    if found.type != duckdb.StatementType.SELECT:
        what = "PIVOT needs its values: … ON column IN (…)" if found.type == duckdb.StatementType.MULTI else _REFUSED
        raise StatementError(what)
    for name in _table_functions(select):
        if name not in _TABLE_FUNCTIONS:
            raise StatementError(f"the table function {name} is not to be used here")
    return Statement(select, run_by)


def _explained(text: str) -> tuple[str, str]:
    """Return what an EXPLAIN is about, and whether it is to be carried out."""
    encoded = text.encode()
    starts = [start for start, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    words = [encoded[start:end].split(maxsplit=1)[0].lower() for start, end in pairwise([*starts[:3], len(encoded)])]
    if words[1] == b"(":
        raise StatementError("EXPLAIN takes no options here but ANALYZE")
    if words[1] in {b"analyze", b"analyse"}:
        return encoded[starts[2] :].decode(), _EXPLAIN_ANALYZE
    return encoded[starts[1] :].decode(), _EXPLAIN


def _table_functions(select: str) -> Iterator[str]:
    """Yield the names of the table functions that a SELECT calls, wherever in it.

    Raises:
        StatementError: DuckDB cannot say what it is made of.
    """
    with duckdb.connect() as parser:
        (tree,) = parser.execute("select json_serialize_sql(?::varchar)", [select]).fetchall()[0]
    waiting: list[Any] = [msgspec.json.decode(tree)]
    if waiting[0]["error"]:
        raise StatementError(waiting[0]["error_message"])
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("type") == "TABLE_FUNCTION":
                yield node["function"]["function_name"].lower()
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
