"""Ad-hoc SQL over the tables: `usage.duckdb`, which any DuckDB client opens, and what `usage sql` adds to it.

spans      every zone's local days, from `pipeline.contract.calendar`
database   `usage.duckdb`: views and macros from `sql/`, and the spans
statements what a statement may be
session    runs them, so that nothing is written and nothing else is read
writing    rows as a table, CSV, JSON or Parquet
prompt     asks for statements on a terminal
"""
