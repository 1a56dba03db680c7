"""Run a room's SQL files in a private in-memory DuckDB database, and return rows or Arrow tables.

Reads the statements from the `sql/` folder of the caller's room; writes only spill files.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import pyarrow as pa

from pipeline.storage.room import require_room

_NUMBERS: Final = count()


class EngineError(RuntimeError):
    """Raised when DuckDB cannot run a statement, for example because the disk is full."""


class Engine:
    """A private in-memory database; a context manager that drops it at the end.

    Args:
        package: the room whose `sql/` folder holds the statements, as `__package__` names it.
        spill: the folder for data that do not fit into memory; it must exist.
        threads: how many threads a statement may use.
        memory: the most that it may use, such as `512MB`.

    Raises:
        EngineError: from the constructor and from every method that runs a statement, if DuckDB fails.
        MemoryError: from the constructor, if there is too little address space for an engine.
    """

    def __init__(self, package: str, spill: Path, *, threads: int, memory: str) -> None:
        self._package = package
        self._name = f"engine_{next(_NUMBERS)}"
        with self._failing("attach"):
            self._instance = _instance(spill, threads, memory)
            self._connection = self._instance.cursor()
            self._connection.execute(f"attach ':memory:' as {self._name}")
            self._connection.execute(f"use {self._name}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(duckdb.Error):  # the whole instance failed, and the first error was reported already
            self._connection.execute("use memory")
            self._connection.execute(f"detach {self._name}")
            _give_back(self._instance)
        self._connection.close()

    def create(self, name: str, /, **parameters: Any) -> None:
        """Create a table from the result of `sql/<name>.sql`, with the same name."""
        with self._failing(name):
            self._execute(f"create table {name} as {_statement(self._package, name)}", parameters)

    def view(self, name: str, /) -> None:
        """Create a view from `sql/<name>.sql`, with the same name."""
        with self._failing(name):
            self._execute(f"create view {name} as {_statement(self._package, name)}", {})

    def fetch(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        """Return the result of `sql/<name>.sql` as rows of Python values."""
        with self._failing(name):
            return self._execute(_statement(self._package, name), parameters).fetchall()

    def arrow(self, name: str, /, **parameters: Any) -> pa.Table:
        """Return the result of `sql/<name>.sql` as an Arrow table, in the order of its `order by`."""
        with self._failing(name):
            # A relation is planned twice, but its rows are not copied.
            return self._connection.sql(_statement(self._package, name), params=dict(parameters)).to_arrow_table()

    def show(self, name: str, table: pa.Table) -> None:
        """Make an Arrow table visible to the statements under a name, without a copy."""
        self._connection.register(name, table)

    def _execute(self, statement: str, parameters: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(statement, dict(parameters))

    @contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            first = str(error).partition("\n\n")[0]  # advice on settings, which nobody can change here, follows
            raise EngineError(f"{name}: {' '.join(first.split())}") from None


@cache
def _statement(package: str, name: str) -> str:
    """Return the text of a room's statement; a process reads each file once."""
    return files(package).joinpath("sql", f"{name}.sql").read_text()


class _Instance:
    """A DuckDB instance, which one engine at a time uses."""

    def __init__(self, spill: Path, threads: int, memory: str) -> None:
        require_room()
        self._limits = (threads, memory)
        config: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": str(spill),
            "threads": threads,
            "memory_limit": memory,
            "autoinstall_known_extensions": "false",
        }
        self._connection = duckdb.connect(config=config)
        self._connection.execute("set enable_progress_bar = false")  # the bar would mix with the data on stdout

    def adapt(self, spill: Path, threads: int, memory: str) -> None:
        """Change the settings.

        Raises:
            duckdb.Error: it cannot spill elsewhere, since it has spilled already.
        """
        self._connection.execute("set temp_directory = ?", [str(spill)])
        if self._limits != (threads, memory):
            self._connection.execute("set threads = ?", [threads])
            self._connection.execute("set memory_limit = ?", [memory])
            self._limits = (threads, memory)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection."""
        return self._connection.cursor()


_idle: Final[list[_Instance]] = []  # at most one: opening and closing takes 13 ms, a database within it 2 ms


def _instance(spill: Path, threads: int, memory: str) -> _Instance:
    """Return an instance that no other engine uses: the idle one, or a new one."""
    with suppress(IndexError, duckdb.Error):
        found = _idle.pop()
        found.adapt(spill, threads, memory)
        return found
    return _Instance(spill, threads, memory)


def _give_back(instance: _Instance) -> None:
    if not _idle:
        _idle.append(instance)
