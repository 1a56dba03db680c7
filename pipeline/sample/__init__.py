"""Write seeded, realistic logs and a directory for demos, tests and benchmarks.

Nothing that real data passes through belongs here. The one entry point is `generate.write`.
"""
