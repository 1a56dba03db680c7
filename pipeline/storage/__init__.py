"""The files of a data folder: tables, state, commit, tombstones, and the engine that computes on them.

Nothing enters that knows what a run does. Steps write through `store` and `parquet`, and publish through `commit`.
"""
