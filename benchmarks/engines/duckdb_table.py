"""DuckDB with tables of events and of their languages in a database file, ordered by workspace and time."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import duckdb

from benchmarks.engines.engine import Logs, bytes_in, parameters, statement, zoned_parameters
from benchmarks.questions import Question, Raw, Row

_TABLES: Final = ("events", "languages")


class DuckdbTable:
    """A database file in its own folder."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "duckdb"
        self._path = self.folder / "usage.duckdb"

    def running(self) -> AbstractContextManager[None]:
        """Start nothing, because the engine is a library."""
        return nullcontext()

    def load(self, logs: Logs) -> None:
        """Load the first logs."""
        with self._writing() as connection:
            _table(connection, "versions", files=[str(log) for log in logs.clean])
            connection.execute("create temp table fresh as from versions")
            for table in _TABLES:
                connection.execute(f"create table {table} as {statement('duckdb', table)}")

    def append(self, log: Path) -> None:
        """Append one log in one transaction."""
        with self._writing() as connection:
            _table(connection, "versions", files=[str(log)])
            _table(connection, "fresh")
            connection.begin()
            for table in _TABLES:
                connection.execute(statement("duckdb", f"delete_{table}"))
                connection.execute(f"insert into {table} by name {statement('duckdb', table)}")
            connection.commit()

    @contextmanager
    def reader(self) -> Iterator["_Reader"]:
        """Connect; the connections of one process share the database."""
        with duckdb.connect(self._path) as connection:
            yield _Reader(connection)

    def bytes_on_disk(self) -> int:
        """Return the size of the database file."""
        return bytes_in(self.folder)

    @contextmanager
    def _writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(self._path) as connection:
            connection.execute("set TimeZone = 'UTC'")
            yield connection


class _Reader:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def ask(self, question: Question) -> Raw:
        text = statement("duckdb", question.kind)
        return self._connection.execute(text, dict(parameters(question))).fetchall()

    def local_days(self, question: Question) -> Sequence[Row] | None:
        try:
            return self._connection.execute(
                statement("duckdb", "local_days"), dict(zoned_parameters(question))
            ).fetchall()
        except duckdb.NotImplementedException:
            return None


def _table(connection: duckdb.DuckDBPyConnection, name: str, **values: Any) -> None:
    connection.execute(f"create temp table {name} as {statement('duckdb', name)}", values)
