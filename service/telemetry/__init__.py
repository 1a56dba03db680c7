"""What the service reports about itself: logs, and metrics over all workers.

Code that changes an answer or counts by tenant does not belong here. The entry points are `logs` and `metrics`.
"""
