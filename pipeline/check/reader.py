"""Load the Parquet files of the tables into the engine, in full, and report those that cannot be read.

Reads events, cube and actors; writes only the engine's spill files. An unreadable file is a fault. It is left out from
then on, and so are all numbers that depend on it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.check.digests import Digests
from pipeline.check.files import Unit
from pipeline.check.forgotten import Forgotten
from pipeline.check.report import CheckReport, Scope
from pipeline.contract.tables import ACTORS, CUBE, EVENTS
from pipeline.grouping import grouped
from pipeline.load.rebuild import remedy
from pipeline.storage.checked import CheckedTables
from pipeline.storage.damage import READING, refuse_shortage
from pipeline.storage.engine import Engine
from pipeline.storage.parquet import to_schema
from pipeline.storage.store import DamagedError

_BATCH_ROWS: Final = 10_000
_PLACE: Final = (
    pa.field("workspace_id", pa.string()),
    pa.field("partition", pa.string()),
    pa.field("position", pa.int64()),
)


class Kind(NamedTuple):
    """The files of one table; `sql/<table>.sql` creates the engine's table from their rows."""

    table: str
    columns: pa.Schema  # of the files
    kept: pa.Schema  # the columns that the check needs, then `workspace_id`, `partition` and `position` in the file
    of: Callable[[Unit], Iterable[str | None]]  # the files of a unit


def _kind(table: str, columns: pa.Schema, of: Callable[[Unit], Iterable[str | None]], kept: Iterable[str]) -> Kind:
    return Kind(table, columns, pa.schema([*(columns.field(name) for name in kept), *_PLACE]), of)


STORED_EVENTS: Final = _kind(
    "stored_events",
    EVENTS,
    lambda unit: unit.events,
    ("id", "timestamp", "action", "user_id", "run_status", "credits", "audio_ms", "languages"),
)
PUBLISHED_CUBE: Final = _kind("published_cube", CUBE, lambda unit: [unit.cube], CUBE.names)
PUBLISHED_ACTORS: Final = _kind("published_actors", ACTORS, lambda unit: [unit.actors], ACTORS.names)


class TableReader:
    """Loads files into engines, and leaves out the files that turned out to be unreadable.

    Args:
        tables: with the published files.
        spill: the folder for data that do not fit into an engine's memory.
        threads: how many threads an engine may use.
        scope: the days to check.
        report: collects the faults.
        digests: of the published files.
        forgotten: looks at every row of events.
        memory: the limit of an engine, such as `200MB`.
    """

    def __init__(
        self,
        tables: CheckedTables,
        spill: str,
        threads: int,
        scope: Scope,
        report: CheckReport,
        digests: Digests,
        forgotten: Forgotten,
        memory: str,
    ) -> None:
        self._store = tables.store
        self._spill, self._threads, self._report = spill, threads, report
        self._digests, self._forgotten, self._memory = digests, forgotten, memory
        self.days = {"first": scope.first, "last": scope.last}
        self._left_out: set[str] = set()
        self.actions: set[str] = set()  # of all events

    def engine(self) -> Engine:
        """Return a new engine."""
        return Engine(__package__, self._store.folder(self._spill), threads=self._threads, memory=self._memory)

    def files(self, kind: Kind, unit: Unit) -> list[str]:
        """Return the files of a unit in one table, except those that are left out."""
        return [uri for uri in kind.of(unit) if uri is not None and uri not in self._left_out]

    def copies(self, units: Iterable[Unit], *kinds: Kind) -> AbstractContextManager[None]:
        """Keep copies of the files of some units meanwhile, where they are needed."""
        return self._store.copies([uri for unit in units for kind in kinds for uri in self.files(kind, unit)])

    def paths(self, kind: Kind, units: Iterable[Unit]) -> list[str]:
        """Return the paths on disk of the files of some units, without those that are gone by now."""
        found = []
        for uri in [uri for unit in units for uri in self.files(kind, unit)]:
            try:
                found.append(str(self._store.local(uri)))
            except DamagedError as error:
                self._digests.lose(error, self._report.events)
        return found

    def load(self, engine: Engine, units: list[Unit]) -> bool:
        """Create the engine's tables from the files of some units; return whether all files could be read.

        If not, the caller repeats this with a new engine, without the unreadable files. Cube and actors are limited to
        the days in scope whose events can be read.
        """
        before = len(self._left_out)
        unread = [(unit.workspace_id, uri) for unit in units for uri in unit.events if uri in self._left_out]
        only = {
            **self.days,
            "unread_workspaces": [workspace_id for workspace_id, _ in unread],
            "unread_days": [_partition(uri) for _, uri in unread],
        }
        for kind in (STORED_EVENTS, PUBLISHED_CUBE, PUBLISHED_ACTORS):
            rows = pa.RecordBatchReader.from_batches(kind.kept, _joined(self._rows(kind, units)))
            engine.show(f"{kind.table}_rows", rows)
            engine.create(kind.table, **({} if kind is STORED_EVENTS else only))
        return len(self._left_out) == before

    def _rows(self, kind: Kind, units: list[Unit]) -> Iterator[pa.Table]:
        for unit in units:
            for uri in self.files(kind, unit):
                result = self._report.events if kind is STORED_EVENTS else self._report.manifests
                try:
                    if self._digests.agrees(uri, result):  # so it is in the cache of the system when it is read
                        yield from self._read(kind, unit.workspace_id, uri)
                    else:
                        self._left_out.add(uri)
                except READING as error:
                    refuse_shortage(error)
                    self._left_out.add(uri)
                    why = str(error).splitlines()[0].replace(str(self._store.local(uri)), uri)
                    result.fault(f"{uri} cannot be read: {why}; {remedy(uri)}")

    def _read(self, kind: Kind, workspace_id: str, uri: str) -> Iterator[pa.Table]:
        """Yield the rows of one file, with the columns `kind.kept`.

        Raises:
            OSError, ValueError, pa.ArrowException: the file cannot be read, or lacks a column.
        """
        rows = 0
        if kind is STORED_EVENTS:
            self._forgotten.begin(uri)
        with pa.OSFile(str(self._store.local(uri))) as file:
            for found in pq.ParquetFile(file).iter_batches(_BATCH_ROWS, use_threads=False):
                found.validate(full=True)
                table = to_schema(pa.Table.from_batches([found]), kind.columns)
                if kind is STORED_EVENTS:
                    self._forgotten.look(uri, table)
                    self.actions.update(table["action"].unique().to_pylist())
                place = {
                    "workspace_id": pa.repeat(_text(workspace_id), table.num_rows),
                    "partition": pa.repeat(_text(_partition(uri)), table.num_rows),
                    "position": pa.arange(rows, rows + table.num_rows),
                }
                rows += table.num_rows
                yield pa.Table.from_arrays(
                    [place[name] if name in place else table[name] for name in kind.kept.names], schema=kind.kept
                )


def _joined(tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    """Yield the rows in larger batches, which the engine loads faster than many small ones."""
    for group in grouped(tables, lambda table: int(table.num_rows), _BATCH_ROWS):
        yield from pa.concat_tables(group).combine_chunks().to_batches()


@lru_cache(maxsize=4096)
def _text(value: str) -> pa.Scalar:
    """Return a cached scalar: creating one costs as much as reading ten rows."""
    return pa.scalar(value)


def _partition(uri: str) -> str:
    """Return the day or month that a file's folder names."""
    return uri.split("/")[-2].partition("=")[2]
