"""The published tables as the service reads them: snapshots, months in memory, events, windows, billing periods.

Code that knows about HTTP, JSON or credentials does not belong here. The entry point is `snapshots.Snapshots`.
"""
