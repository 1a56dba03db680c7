"""The tables for analysts: `usage.duckdb` for any DuckDB client, the guarded `usage sql`, and lists of files.

Only code that reads the tables belongs here; nothing in this room changes them. A run and `usage sql` keep the file
current with `database.refresh`; `usage sql` runs statements in a session of `session.open_session`.

    spans        every zone's local days, from `pipeline.contract.calendar`
    database     builds `usage.duckdb`: the views and macros of `sql/`, and the spans
    current      lists the current files, for tools that read Parquet by themselves
    statements   decides which statements may run
    source       finds the tables of a session in a data folder; `object_source` on an object store
    session      runs them so that they write nothing and read nothing but the tables
    values       turns Arrow values into text and JSON
    writers      write rows as a table, CSV, JSON or Parquet
    held         holds the first bytes of a result back
    prompt       reads statements from a terminal
"""
