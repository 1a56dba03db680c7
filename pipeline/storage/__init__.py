"""The files of a data folder: tables, state, commit, tombstones, and the engine that computes on them.

Code that knows what happens in a run does not belong here. Steps write through `store` and `parquet`, and publish
through `commit`.
"""
