"""A session over one data folder's `usage.duckdb` that can only look: at the tables and at nothing else.

Reads the tables, the members and the accounts; writes nothing but what does not fit into memory, to a folder of its own
that goes with it. API keys, the writer's state, other files, the network and extensions are out of reach.
"""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import duckdb
import pyarrow as pa

from pipeline.analysis import database
from pipeline.analysis.statements import Statement, said_by
from pipeline.contract.directory import ACCOUNTS, MEMBERS
from pipeline.contract.tables import DIRECTORY

_MEMORY: Final = "1GB"
_BATCH_ROWS: Final = 10_000
_FOLDERS: Final = ("events", "cube", "actors", "quarantine", "runs", "manifests")
_FILES: Final = (f"{DIRECTORY}/{MEMBERS}", f"{DIRECTORY}/{ACCOUNTS}")
_ATTEMPTS: Final = 5
# What a commit between the listing of files and their reading looks like: a file that is not named in the manifests
# any more, or is named and not listed, or is gone.
_OVERTAKEN: Final = ("a run published meanwhile", "No such file or directory", "No files found that match")

_T = TypeVar("_T")


class QueryError(RuntimeError):
    """Raised when a statement fails; its text is for whoever wrote it."""


class Session:
    """An open session.

    Args:
        connection: to the database, guarded.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def run(self, statement: Statement, take: Callable[[pa.RecordBatchReader], _T]) -> _T:
        """Return what `take` makes of the rows; where a run publishes meanwhile, it is given them once more.

        Raises:
            QueryError: the statement fails.
        """
        self._connection.execute("set variable statement = ?", [statement.select])
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._attempt(statement, take)
            except (duckdb.Error, OSError) as error:
                text = said_by(error)
                if attempt == _ATTEMPTS or not any(words in text for words in _OVERTAKEN):
                    raise QueryError(text) from None
        raise AssertionError

    def _attempt(self, statement: Statement, take: Callable[[pa.RecordBatchReader], _T]) -> _T:
        """Run a statement in another thread: this one could not notice Ctrl-C while DuckDB is at work."""

        def rows() -> _T:
            with self._connection.sql(statement.run_by).to_arrow_reader(_BATCH_ROWS) as reader:
                return take(reader)

        with ThreadPoolExecutor(1) as thread:
            taken = thread.submit(rows)
            try:
                return taken.result()
            except KeyboardInterrupt:
                self._connection.interrupt()
                raise


@contextmanager
def opened(root: Path, now: int | None) -> Iterator[Session]:
    """Open a session; `now`, in microseconds UTC, decides what today is.

    Raises:
        OSError: there is no place for the database.
    """
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="usage-sql-")))
        connection = stack.enter_context(_connected(_current(root, temporary), temporary))
        if now is not None:
            connection.execute("set variable now = make_timestamp(?)", [now])
        _guard(connection, root)
        yield Session(connection)


def _current(root: Path, temporary: Path) -> Path:
    """Return a database that fits the data folder: its own, mended where need be, else one of this session."""
    own = root / database.DATABASE
    try:
        database.refresh(root)
        duckdb.connect(own, read_only=True).close()
    except (OSError, duckdb.Error):  # the folder is not to be written to, or the file was damaged behind its mark
        own = temporary / database.DATABASE
        database.make(own, root)
    return own


def _connected(path: Path, temporary: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        path,
        read_only=True,
        config={
            "memory_limit": _MEMORY,
            "temp_directory": str(temporary / "spill"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_persistent_secrets": "false",
        },
    )


def _guard(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Shut out whatever is not to be seen, for good."""
    roots = {str(root), database.pattern(root)}
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_progress_bar = false")  # it would come between the data on stdout
    connection.execute("set python_enable_replacements = false")  # variables of this program are no tables
    connection.execute("set allowed_directories = ?", [[f"{at}/{name}/" for at in roots for name in _FOLDERS]])
    connection.execute("set allowed_paths = ?", [[f"{at}/{name}" for at in roots for name in _FILES]])
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
