"""Where a session finds the tables, and what it knows of changes to them: one interface, whatever keeps the tables.

Here is that of a data folder, whose files change beneath a statement; `object_source` has that of an object store.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

import duckdb

from pipeline.analysis import database
from pipeline.analysis.statements import error_text
from pipeline.contract.directory import ACCOUNTS, MEMBERS
from pipeline.contract.settings import DIRECTORY, Settings
from pipeline.storage.folder import FolderStore
from pipeline.storage.opened import open_store

if TYPE_CHECKING:
    from pipeline.storage.objects.store import ObjectStore

FILES: Final = (f"{DIRECTORY}/{MEMBERS}", f"{DIRECTORY}/{ACCOUNTS}")  # what a statement may read of the directory
# Error texts which show that a run committed after the files were listed and before they were read: a manifest names a
# file that was not listed, or a listed file is gone.
_OVERTAKEN: Final = ("a run published new files", "No such file or directory", "No files found that match")
# What a statement may have begun before and still see: clocks of file systems are coarse, and may be those of a server.
_CLOCK_SLACK_NS: Final = 2_000_000_000


class QueryError(RuntimeError):
    """Raised when a statement fails; the message is for its author."""


class Source(Protocol):
    """The tables of a session."""

    @property
    def address(self) -> str:
        """Return how statements name the data folder."""

    @property
    def files(self) -> list[str]:
        """Return the files outside the tables that statements may read, relative to the data folder."""

    def database(self, temporary: Path) -> Path:
        """Return a database with the views and macros; it may be created in a temporary folder.

        Raises:
            OSError: it can be written nowhere.
        """

    def connect(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a connection read the tables."""

    def begin(self) -> None:
        """Prepare for an attempt to run a statement.

        Raises:
            QueryError: the tables cannot be reached.
        """

    def is_overtaken(self, error: duckdb.Error) -> bool:
        """Return whether the attempt failed because a run published something, so that another one may succeed."""

    def text(self, error: duckdb.Error) -> str:
        """Return why the attempt failed."""


class FolderSource:
    """The tables of a data folder.

    Args:
        store: of the folder, whose path is absolute.
    """

    def __init__(self, store: FolderStore) -> None:
        self._store, self._start = store, 0

    @property
    def address(self) -> str:
        """Return the path of the folder."""
        return str(self._store.root)

    @property
    def files(self) -> list[str]:
        """Return the files that statements may read.

        A pipe in the place of a file would never end, and a folder would look like an empty file: they stay forbidden.
        """
        paths = ((name, self._store.root / name) for name in FILES)
        return [name for name, path in paths if not path.exists() or path.is_file()]

    def database(self, temporary: Path) -> Path:
        """Return the folder's own database, rebuilt if necessary, or else one for this session alone.

        Raises:
            OSError: it can be written nowhere.
        """
        path = self._store.root / database.DATABASE
        try:
            database.refresh(self._store.root)
            duckdb.connect(path, read_only=True).close()
        except (OSError, duckdb.Error):  # the folder is read-only, or the file was damaged after it was built
            path = temporary / database.DATABASE
            database.build(path, self.address)
        return path

    def connect(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Do nothing: DuckDB reads files."""

    def begin(self) -> None:
        """Remember when the attempt begins."""
        self._start = time.time_ns() - _CLOCK_SLACK_NS

    def is_overtaken(self, error: duckdb.Error) -> bool:
        """Return whether files changed while the statement ran.

        A file that is replaced while DuckDB reads it looks damaged, in words of many kinds. Only the next attempt shows
        whether it is.
        """
        if any(words in str(error) for words in _OVERTAKEN):
            return True
        is_reading = isinstance(error, duckdb.IOException) or type(error) is duckdb.Error or ".parquet" in str(error)
        return is_reading and self._store.changed_since(self._start)

    def text(self, error: duckdb.Error) -> str:
        """Return DuckDB's message."""
        return error_text(error)


@contextmanager
def open_source(settings: Settings) -> Iterator[Source]:
    """Open the tables for a session.

    Raises:
        SettingError: they lie on an object store, and the packages for that are not installed.
        ObjectStoreError: the store cannot be used.
    """
    with open_store(settings) as store:
        if isinstance(store, FolderStore):
            yield FolderSource(store)
            return
        from pipeline.analysis.object_source import ObjectSource  # noqa: PLC0415 - no folder needs it

        yield ObjectSource(cast("ObjectStore", store))
