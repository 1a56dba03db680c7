"""Who takes part in the comparison, in the order of its tables."""

from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.engines.engine import Engine

OURS: Final = "ours"
SERVED: Final = "ours-served"
HOURS: Final = "postgres-hours"


class Contender(NamedTuple):
    """One engine: where its class is, and what it is called in tables.

    `based_on` has loaded what this one reads; where it adds to that, it gets a copy.
    """

    module: str  # imported when it is made: nobody's memory shall hold the others
    kind: str
    title: str
    based_on: str | None = None
    takes_more: bool = True  # logs can be appended
    own_zones: bool = False  # it can make local days itself, by zone data of its own

    def make(self, root: Path) -> Engine:
        """Return the engine in a root folder.

        Raises:
            UnavailableError: it is not installed.
        """
        engine: Engine = getattr(import_module(f"benchmarks.engines.{self.module}"), self.kind)(root)
        return engine


CONTENDERS: Final[dict[str, Contender]] = {
    OURS: Contender("ours", "Ours", "this project, in process"),
    SERVED: Contender("ours", "OursServed", "this project, over HTTP", OURS, takes_more=False),
    "duckdb-files": Contender("duckdb_files", "DuckdbFiles", "DuckDB, the Parquet files", OURS, takes_more=False),
    "polars-files": Contender("polars_files", "PolarsFiles", "Polars, the Parquet files", OURS, takes_more=False),
    "duckdb": Contender("duckdb_table", "DuckdbTable", "DuckDB, tables", own_zones=True),
    "postgres": Contender("postgres", "Postgres", "PostgreSQL, tables", own_zones=True),
    "postgres-quarters": Contender("postgres", "PostgresQuarters", "PostgreSQL, quarter-hour roll-up", "postgres"),
    HOURS: Contender("postgres", "PostgresHours", "PostgreSQL, hourly roll-up", "postgres", takes_more=False),
    "clickhouse": Contender("clickhouse", "Clickhouse", "ClickHouse, tables", own_zones=True),
    "clickhouse-quarters": Contender(
        "clickhouse", "ClickhouseQuarters", "ClickHouse, quarter-hour roll-up", "clickhouse"
    ),
}
