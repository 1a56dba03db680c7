"""DuckDB as the steps use it: one private database in memory, SQL from the files in `sql/`, Arrow tables out."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import pyarrow as pa

_SQL: Final = files("pipeline").joinpath("sql")


class Engine:
    """One connection; what it spills goes to `spill` and it needs no more than `memory` (e.g. `512MB`)."""

    def __init__(self, spill: Path, *, threads: int, memory: str) -> None:
        spill.mkdir(parents=True, exist_ok=True)
        config: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": str(spill),
            "threads": threads,
            "memory_limit": memory,
            "autoinstall_known_extensions": "false",
        }
        self._connection = duckdb.connect(config=config)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def create(self, name: str, /, **parameters: Any) -> None:
        """Make the result of `sql/<name>.sql` a table of that name."""
        self._relation(name, parameters).to_table(name)

    def view(self, name: str, /) -> None:
        """Make `sql/<name>.sql` a view of that name."""
        self._relation(name, {}).create_view(name)

    def append(self, name: str, table: str, /, **parameters: Any) -> None:
        """Add the result of `sql/<name>.sql`, whose columns are the table's in its order, to a table."""
        self._relation(name, parameters).insert_into(table)

    def fetch(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of `sql/<name>.sql`."""
        return self._relation(name, parameters).fetchall()

    def arrow(self, name: str, /, **parameters: Any) -> pa.Table:
        """Return the result of `sql/<name>.sql`, in the order that it asks for."""
        return self._relation(name, parameters).to_arrow_table()

    def empty(self, name: str, schema: pa.Schema) -> None:
        """Make an empty table of a schema's columns."""
        nothing = schema.empty_table()
        self._connection.from_arrow(nothing).to_table(name)

    def _relation(self, name: str, parameters: Mapping[str, Any]) -> duckdb.DuckDBPyRelation:
        return self._connection.sql(_SQL.joinpath(f"{name}.sql").read_text(), params=dict(parameters))
