"""The batch side: raw activity logs in, tables out.

    raw/*.jsonl ─▶ validate ─▶ events/workspace_id=…/day=…/ ─▶ cube, actors /workspace_id=…/month=…/ ─▶ service: windows ─▶ JSON
                      └──▶ quarantine/
    directory/*.jsonl (members, accounts, API keys) ──────────────────────────────────────────────────▶ service

`pipeline` writes the tables, `service` reads them. `pipeline.run` lists the steps of a run.

The rooms (packages), from bottom to top; each room imports only rooms below it:

    contract     what the pipeline and the service agree on: tables, paths, the calendar, settings
    storage      the files of a data folder or the objects of a bucket: tables, state, commit, tombstones
    validation   turns a line into a row, or into the reason for its rejection
    load         the steps of a run, from raw files to published tables
    erasure      removes forgotten users and workspaces, and expired days, for good
    analysis     `usage.duckdb` and `usage sql`
    tz_diff      compares two releases of the zone data
    sample       writes realistic logs for demos, tests and benchmarks
    check        recomputes every published number in another way
    commands     the command line, one file per command
"""
