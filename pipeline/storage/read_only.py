"""Open a SQLite database for reading alone, without creating or changing a file.

Reads the database that it is given.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database without creating a file.

    SQLite creates the files of a missing write-ahead log even for a read-only connection, unless the database is
    declared immutable. Declaring it so is safe here: if these files are missing, nobody is writing.
    """
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True)) as database:
        yield database
