"""The pieces of work of a run, on the cluster of an existing engine.

Adapters belong here, one file an engine; code that knows what a piece does belongs elsewhere. The entry point is
`connection.connected`, which yields an executor.
"""
