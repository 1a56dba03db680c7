"""Seeded, realistic logs and a directory for demos, tests and benchmarks.

Nothing enters that real data pass through. `generate.write` is the door.
"""
