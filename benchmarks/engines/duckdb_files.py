"""DuckDB over this project's Parquet files of events, without the cube.

Every question allocates credits to languages itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from benchmarks.engines.engine import parameters, statement
from benchmarks.engines.files import Files, files_of
from benchmarks.questions import Question, Raw


class DuckdbFiles(Files):
    """DuckDB, which reads the files of a question's days."""

    @contextmanager
    def reader(self) -> Iterator["_Reader"]:
        """Connect to an empty database in memory."""
        with duckdb.connect() as connection:
            yield _Reader(self.folder, connection)


class _Reader:
    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self._folder, self._connection = folder, connection

    def ask(self, question: Question) -> Raw:
        if not (files := files_of(self._folder, question)):
            return []
        text = statement("duckdb", f"{question.kind}_of_files")
        values = {name: value for name, value in parameters(question).items() if name != "workspace_id"}
        return self._connection.execute(text, {**values, "files": files}).fetchall()
