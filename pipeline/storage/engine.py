"""DuckDB as the steps use it: private databases in memory, SQL from the caller's room, Arrow tables out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import pyarrow as pa

_NUMBERS: Final = count()


class EngineError(RuntimeError):
    """Raised when a statement cannot be carried out, for example because the disk is full."""


class Engine:
    """A database of its own.

    Args:
        package: the room whose folder `sql/` holds the statements, as `__package__` names it.
        spill: the folder for what does not fit into memory.
        threads: how many a statement may use.
        memory: the limit of all engines of this process that are open at once, such as `512MB`.
    """

    def __init__(self, package: str, spill: Path, *, threads: int, memory: str) -> None:
        self._package = package
        self._name = f"engine_{next(_NUMBERS)}"
        with self._failing("attach"):
            self._connection = _instance(spill, threads, memory).cursor()
            self._connection.execute(f"attach ':memory:' as {self._name}")
            self._connection.execute(f"use {self._name}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(duckdb.Error):  # of an instance that failed as a whole; what failed first was said
            self._connection.execute("use memory")
            self._connection.execute(f"detach {self._name}")
        self._connection.close()

    def create(self, name: str, /, **parameters: Any) -> None:
        """Make the result of `sql/<name>.sql` a table of that name."""
        with self._failing(name):
            self._relation(name, parameters).to_table(name)

    def view(self, name: str, /) -> None:
        """Make `sql/<name>.sql` a view of that name."""
        with self._failing(name):
            self._relation(name, {}).create_view(name)

    def fetch(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of `sql/<name>.sql`."""
        with self._failing(name):
            return self._relation(name, parameters).fetchall()

    def arrow(self, name: str, /, **parameters: Any) -> pa.Table:
        """Return the result of `sql/<name>.sql`, in the order that it asks for."""
        with self._failing(name):
            return self._relation(name, parameters).to_arrow_table()

    def show(self, name: str, table: pa.Table) -> None:
        """Let the statements see an Arrow table under a name; nothing is copied."""
        self._connection.register(name, table)

    def _relation(self, name: str, parameters: Mapping[str, Any]) -> duckdb.DuckDBPyRelation:
        return self._connection.sql(_statement(self._package, name), params=dict(parameters))

    @contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise EngineError(f"{name}: {error}") from None


@cache
def _statement(package: str, name: str) -> str:
    """Return the text of a room's statement; a process reads each file once."""
    return files(package).joinpath("sql", f"{name}.sql").read_text()


@lru_cache(maxsize=1)
def _instance(spill: Path, threads: int, memory: str) -> duckdb.DuckDBPyConnection:
    """Return what the engines of this process share as long as they ask for the same.

    It takes 13 ms to set up and to take down, a database in it 2.
    """
    spill.mkdir(parents=True, exist_ok=True)  # of other processes too: its files' names tell whose they are
    config: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": str(spill),
        "threads": threads,
        "memory_limit": memory,
        "autoinstall_known_extensions": "false",
    }
    connection = duckdb.connect(config=config)
    connection.execute("set enable_progress_bar = false")  # it would come between the data on stdout
    return connection
