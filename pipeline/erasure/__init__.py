"""Forgotten users and workspaces, and expired days: found in all tables, and erased from them for good.

Nothing enters that loads lines. `erase` is the door: it adds tombstones, and carries them out before a load.
"""
