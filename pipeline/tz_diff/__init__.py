"""Compare two releases of the zone data: which local days move, and which workspaces' numbers change with them.

Only code that no other room needs belongs here. `pipeline.commands.tz_diff` is the only caller: it finds the releases
(`releases.find_release`), compares them (`changes.compare`) and looks up the workspaces (`effects.effects`).
"""
