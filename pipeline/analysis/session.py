"""Run statements over the views and macros in a session that can only read, and only the tables.

Reads the tables, the members and the accounts. Writes only what does not fit into memory, to a temporary folder that is
deleted with the session. API keys, the writer's state, other files, the network and extensions are out of reach.
"""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import duckdb
import msgspec
import pyarrow as pa

from pipeline.analysis import database
from pipeline.analysis.source import QueryError, Source
from pipeline.analysis.statements import Statement

_BATCH_ROWS: Final = 10_000
_FOLDERS: Final = ("events", "cube", "actors", "quarantine", "runs", "manifests")
_ATTEMPTS: Final = 5
_REPEAT: Final = "a run published new files: repeat the statement"
# Types that Arrow has not: their values would be cut or become bytes. As text they are whole.
_AS_TEXT: Final = frozenset(("UHUGEINT", "BIGNUM", "BIT", "TIME WITH TIME ZONE", "GEOMETRY", "VARIANT"))
# How often DuckDB is asked to stop: it forgets what it was asked before a statement begins.
_INTERRUPT_SECONDS: Final = 0.05

_T = TypeVar("_T")
_R = TypeVar("_R")


class Limits(msgspec.Struct, frozen=True):
    """What the statements of a session may take, in DuckDB's notation."""

    memory: str = "1GB"
    spill: str = "10GB"  # of the temporary folder


_LIMITS: Final = Limits()


class Session:
    """An open session.

    Args:
        connection: to the database, already restricted.
        source: of the tables.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: Source) -> None:
        self._connection, self._source = connection, source

    def run(
        self,
        statement: Statement,
        consume: Callable[[pa.RecordBatchReader], _T],
        may_repeat: Callable[[], bool] = lambda: True,
    ) -> _T:
        """Execute a statement; repeat it if a run publishes new files in the meantime.

        Args:
            statement: what to run.
            consume: reads the rows as they come, starting over with each attempt; its result is returned.
            may_repeat: asked before a statement is run again, which is too late if its rows were passed on.

        Raises:
            QueryError: the statement fails.
        """
        self._connection.execute("set variable statement = ?", [statement.select])
        for attempt in range(1, _ATTEMPTS + 1):
            self._source.begin()
            try:
                return self._attempt(statement, consume)
            except duckdb.Error as error:
                text = self._source.text(error)
                if not self._source.is_overtaken(error):
                    raise QueryError(text) from None
                if attempt == _ATTEMPTS or not may_repeat():
                    raise QueryError(text if _REPEAT in text else f"{_REPEAT} ({text})") from None
        raise AssertionError

    def _attempt(self, statement: Statement, consume: Callable[[pa.RecordBatchReader], _T]) -> _T:
        """Run a statement; DuckDB works in another thread, so that this one, which takes rows, notices signals."""
        with ThreadPoolExecutor(1) as thread:

            def call(function: Callable[[], _R]) -> _R:
                result = thread.submit(function)
                try:
                    return result.result()
                except BaseException:
                    while wait([result], _INTERRUPT_SECONDS).not_done:
                        self._connection.interrupt()
                    raise

            with call(lambda: self._reader(statement)) as reader:
                batches = iter(lambda: call(lambda: next(reader, None)), None)
                return consume(pa.RecordBatchReader.from_batches(reader.schema, batches))

    def _reader(self, statement: Statement) -> pa.RecordBatchReader:
        rows = self._connection.sql(statement.command)
        if not _AS_TEXT.isdisjoint(map(str, rows.types)):
            columns = zip(rows.columns, rows.types, strict=True)
            rows = rows.project(", ".join(_projected(*column) for column in enumerate(columns, 1)))
        return rows.to_arrow_reader(_BATCH_ROWS)


def _projected(number: int, column: tuple[str, object]) -> str:
    """Return the expression for a column by its place in a result, as text where Arrow lacks its type."""
    name, kind = column
    quoted = name.replace('"', '""')
    return f'#{number}{"::varchar" if str(kind) in _AS_TEXT else ""} as "{quoted}"'


@contextmanager
def open_session(source: Source, now: int | None, limits: Limits = _LIMITS) -> Iterator[Session]:
    """Open a session.

    Args:
        source: of the tables.
        now: the instant that decides what today is, in microseconds UTC; None for the clock.
        limits: what the statements may take.

    Raises:
        OSError: the database can be written neither to the data folder nor to a temporary one.
    """
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="usage-sql-")))
        connection = stack.enter_context(_connected(source.database(temporary), temporary, limits))
        if now is not None:
            connection.execute("set variable now = make_timestamp(?)", [now])
        source.connect(connection)
        _restrict(connection, source)
        yield Session(connection, source)


def _connected(path: Path, temporary: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        path,
        read_only=True,
        config={
            "memory_limit": limits.memory,
            "temp_directory": str(temporary / "spill"),
            "max_temp_directory_size": limits.spill,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_persistent_secrets": "false",
        },
    )


def _restrict(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Allow only the files of the tables, and lock the configuration so that no statement can undo it."""
    roots = {source.address, database.escaped_glob(source.address)}
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_progress_bar = false")  # it would mix with the data on stdout
    connection.execute("set python_enable_replacements = false")  # else this program's variables are tables
    connection.execute("set allowed_directories = ?", [[f"{at}/{name}/" for at in roots for name in _FOLDERS]])
    connection.execute("set allowed_paths = ?", [[f"{at}/{name}" for at in roots for name in source.files]])
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
