"""What the service reports about itself: logs, and metrics over all workers.

Nothing enters that changes an answer or counts by tenant. The doors are `logs` and `metrics`.
"""
