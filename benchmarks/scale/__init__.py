"""What it costs to go past one machine: tables and logs on an object store, and the work on a cluster.

Everything runs on this machine, with a real object store and real workers on loopback. `place` starts them, each other
module measures some figures, and `report` writes them to `docs/scale.md`.
"""
