"""Skip syncs to the disk: writes survive the end of a process, and no test cuts the power."""

import os
import sqlite3
from functools import partial
from typing import Any

import pytest

from pipeline.storage import folder


def skip_syncs(patch: pytest.MonkeyPatch) -> None:
    """Make every sync to the disk in this process do nothing."""
    patch.setattr(folder, "sync_file_system", lambda *_: None)
    patch.setattr(os, "fsync", lambda _: None)
    patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=_Unsynced))


class _Unsynced(sqlite3.Connection):
    """A connection whose transactions reach the disk when the operating system decides."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Run a statement, and replace the one that turns syncs on."""
        return super().execute("pragma synchronous = off" if sql == "pragma synchronous = full" else sql, *parameters)
