"""What the service says of itself: logs, and metrics over all of its workers.

Nothing enters that changes an answer, and nothing of any tenant is counted. `logs` and `metrics` are the doors.
"""
