"""Run statements over one data folder's `usage.duckdb` in a session that can only read, and only the tables.

Reads the tables, the members and the accounts. Writes only what does not fit into memory, to a temporary folder that is
deleted with the session. API keys, the writer's state, other files, the network and extensions are out of reach.
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
from pipeline.analysis.statements import Statement, error_text
from pipeline.contract.directory import ACCOUNTS, MEMBERS
from pipeline.contract.tables import DIRECTORY

_MEMORY_LIMIT: Final = "1GB"
_BATCH_ROWS: Final = 10_000
_FOLDERS: Final = ("events", "cube", "actors", "quarantine", "runs", "manifests")
_FILES: Final = (f"{DIRECTORY}/{MEMBERS}", f"{DIRECTORY}/{ACCOUNTS}")
_ATTEMPTS: Final = 5
# Error texts which show that a run committed after the files were listed and before they were read: a manifest names a
# file that was not listed, or a listed file is gone.
_OVERTAKEN: Final = ("a run published new files", "No such file or directory", "No files found that match")

_T = TypeVar("_T")


class QueryError(RuntimeError):
    """Raised when a statement fails; the message is for its author."""


class Session:
    """An open session.

    Args:
        connection: to the database, already restricted.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def run(self, statement: Statement, consume: Callable[[pa.RecordBatchReader], _T]) -> _T:
        """Execute a statement; repeat it if a run publishes new files in the meantime.

        Args:
            statement: what to run.
            consume: reads the rows, starting over with each attempt; its result is returned.

        Raises:
            QueryError: the statement fails.
        """
        self._connection.execute("set variable statement = ?", [statement.select])
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._attempt(statement, consume)
            except (duckdb.Error, OSError) as error:
                text = error_text(error)
                if attempt == _ATTEMPTS or not any(words in text for words in _OVERTAKEN):
                    raise QueryError(text) from None
        raise AssertionError

    def _attempt(self, statement: Statement, consume: Callable[[pa.RecordBatchReader], _T]) -> _T:
        """Run a statement in another thread, so that this one notices Ctrl-C while DuckDB is busy."""

        def rows() -> _T:
            with self._connection.sql(statement.command).to_arrow_reader(_BATCH_ROWS) as reader:
                return consume(reader)

        with ThreadPoolExecutor(1) as thread:
            result = thread.submit(rows)
            try:
                return result.result()
            except KeyboardInterrupt:
                self._connection.interrupt()
                raise


@contextmanager
def open_session(root: Path, now: int | None) -> Iterator[Session]:
    """Open a session.

    Args:
        root: the data folder, as an absolute path.
        now: the instant that decides what today is, in microseconds UTC; None for the clock.

    Raises:
        OSError: the database can be written neither to the data folder nor to a temporary one.
    """
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="usage-sql-")))
        connection = stack.enter_context(_connected(_current(root, temporary), temporary))
        if now is not None:
            connection.execute("set variable now = make_timestamp(?)", [now])
        _restrict(connection, root)
        yield Session(connection)


def _current(root: Path, temporary: Path) -> Path:
    """Return a current database: the data folder's own, rebuilt if necessary, or else one for this session alone."""
    path = root / database.DATABASE
    try:
        database.refresh(root)
        duckdb.connect(path, read_only=True).close()
    except (OSError, duckdb.Error):  # the folder is read-only, or the file was damaged after it was built
        path = temporary / database.DATABASE
        database.build(path, root)
    return path


def _connected(path: Path, temporary: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        path,
        read_only=True,
        config={
            "memory_limit": _MEMORY_LIMIT,
            "temp_directory": str(temporary / "spill"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_persistent_secrets": "false",
        },
    )


def _restrict(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Allow only the files of the tables, and lock the configuration so that no statement can undo it."""
    roots = {str(root), database.escaped_glob(root)}
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_progress_bar = false")  # it would mix with the data on stdout
    connection.execute("set python_enable_replacements = false")  # else this program's variables are tables
    connection.execute("set allowed_directories = ?", [[f"{at}/{name}/" for at in roots for name in _FOLDERS]])
    connection.execute("set allowed_paths = ?", [[f"{at}/{name}" for at in roots for name in _FILES]])
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
