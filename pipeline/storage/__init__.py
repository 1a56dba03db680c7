"""The tables and what is remembered of them: store, state, commit, tombstones, and the engine that computes on them.

Code that knows what happens in a run does not belong here. Commands open it by `opened`; their steps read and write
through `store` and `parquet`, and publish through `writer`.
"""
