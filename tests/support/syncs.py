"""No wait for the disk: what a process has written survives its end, and no test cuts the power."""

import os
import sqlite3
from functools import partial
from typing import Any

import pytest


def skip_syncs(patch: pytest.MonkeyPatch) -> None:
    """Let nothing in this process wait until the disk has what was written, by anybody."""
    patch.setattr(os, "sync", lambda: None)
    patch.setattr(os, "fsync", lambda _: None)
    patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=_Unsynced))


class _Unsynced(sqlite3.Connection):
    """A connection that leaves it to the system when its transactions reach the disk."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Carry out a statement, but for the one that asks for syncs."""
        return super().execute("pragma synchronous = off" if sql == "pragma synchronous = full" else sql, *parameters)
