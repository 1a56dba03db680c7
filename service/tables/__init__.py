"""The published tables as the service reads them: snapshots, months in memory, events, windows, billing periods.

Nothing enters that knows HTTP, JSON or credentials. `snapshots.Snapshots` is the door.
"""
