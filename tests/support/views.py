"""`usage.duckdb` in a fifth of the time: it is built once, and copies of it are pointed at other data folders."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Final

import duckdb
import pytest

from pipeline.analysis import database

build: Final = database.build


def copy_views(patch: pytest.MonkeyPatch) -> None:
    """Make this process copy `usage.duckdb` where it would build it: only the folder's path differs."""
    patch.setattr(database, "build", copied)


def copied(path: Path, folder: str, listed: database.Listed | None = None) -> None:
    """Do as `database.build`.

    Raises:
        OSError: the file cannot be written.
    """
    if listed is not None:
        build(path, folder, listed)
        return
    path.unlink(missing_ok=True)
    path.write_bytes(built())
    try:
        with duckdb.connect(path) as connection:
            database.set_folder(connection, folder)
    except duckdb.Error as error:
        raise OSError(f"{path}: {error}") from None


@cache
def built() -> bytes:
    """Return a database over some folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, database.DATABASE)
        build(path, folder)
        return path.read_bytes()
