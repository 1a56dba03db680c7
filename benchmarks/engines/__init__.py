"""The engines of the comparison, in the order of its tables.

Each module here makes one engine load logs and answer questions, as `engine.Engine` defines it. An engine's module is
imported only when `EngineSpec.create` is called, so that no engine adds to the memory of another's process.
"""

from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.engines.engine import Engine

OURS: Final = "ours"
SERVED: Final = "ours-served"
HOURS: Final = "postgres-hours"


class EngineSpec(NamedTuple):
    """Where the class of an engine is, and what the engine can do.

    Attributes:
        module: the name of its module in this package.
        kind: the name of its class.
        title: its name in tables.
        based_on: the engine whose loaded data it reads, or gets a copy of if it adds to them.
        can_append: further logs can be appended.
        own_zones: it can compute local days itself, from its own zone data.
    """

    module: str
    kind: str
    title: str
    based_on: str | None = None
    can_append: bool = True
    own_zones: bool = False

    def create(self, root: Path) -> Engine:
        """Create the engine in a root folder.

        Raises:
            UnavailableError: the engine is not installed.
        """
        engine: Engine = getattr(import_module(f"benchmarks.engines.{self.module}"), self.kind)(root)
        return engine


ENGINES: Final[dict[str, EngineSpec]] = {
    OURS: EngineSpec("ours", "Ours", "this project, in process"),
    SERVED: EngineSpec("ours", "OursServed", "this project, over HTTP", OURS, can_append=False),
    "duckdb-files": EngineSpec("duckdb_files", "DuckdbFiles", "DuckDB, the Parquet files", OURS, can_append=False),
    "polars-files": EngineSpec("polars_files", "PolarsFiles", "Polars, the Parquet files", OURS, can_append=False),
    "duckdb": EngineSpec("duckdb_table", "DuckdbTable", "DuckDB, tables", own_zones=True),
    "postgres": EngineSpec("postgres", "Postgres", "PostgreSQL, tables", own_zones=True),
    "postgres-quarters": EngineSpec("postgres", "PostgresQuarters", "PostgreSQL, quarter-hour roll-up", "postgres"),
    HOURS: EngineSpec("postgres", "PostgresHours", "PostgreSQL, hourly roll-up", "postgres", can_append=False),
    "clickhouse": EngineSpec("clickhouse", "Clickhouse", "ClickHouse, tables", own_zones=True),
    "clickhouse-quarters": EngineSpec(
        "clickhouse", "ClickhouseQuarters", "ClickHouse, quarter-hour roll-up", "clickhouse"
    ),
}
