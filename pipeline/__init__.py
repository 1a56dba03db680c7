"""The batch side: raw activity logs in, tables out.

    raw/*.jsonl ─▶ validate ─▶ events/workspace_id=…/day=…/ ─▶ cube, actors /workspace_id=…/month=…/ ─▶ service: windows ─▶ JSON
                      └──▶ quarantine/
    directory/*.jsonl (members, accounts, API keys) ──────────────────────────────────────────────────▶ service

`pipeline` writes, `service` reads. The steps of a run are listed in `pipeline.run`.
"""
