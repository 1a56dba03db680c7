"""Finds forgotten users and workspaces and expired days in all tables, and erases them for good.

Code that loads lines does not belong here. The entry point is `erase`: it adds tombstones, and carries them out before
a load.
"""
