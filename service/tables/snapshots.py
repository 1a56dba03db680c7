"""What is published at one moment, and each workspace's months and events, loaded on demand.

Reads through a `source`, and through `month_blocks` the cube and actors files; writes nothing. The caches are bounded
in bytes.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Final, TypeVar

import msgspec
import pyarrow as pa

from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import utc_day
from pipeline.contract.tables import PUBLISHED, SCHEMA_VERSION, Month, Published
from service.lru import LruCache
from service.tables.month_blocks import Actors, LocaleTotals, Totals, read_actors, read_locale_totals, read_totals
from service.tables.source import (
    DayFile,
    Fetched,
    Files,
    Identity,
    NotFetchedError,
    Readable,
    Source,
    StoreError,
    gathered,
)

BLOCK_BYTES: Final = 64 << 20  # a worker takes about 300 MB in all
# What a cached value takes besides its own size: its key, its cache entry, the objects around its arrays.
_ENTRY_BYTES: Final = 700
# Raised by damaged files. Parquet footers have no checksum, so a column may have lost its name, or a text its encoding.
_DAMAGED: Final = (OSError, pa.ArrowException, msgspec.MsgspecError, UnicodeDecodeError, KeyError)

_T = TypeVar("_T")
_Block = TypeVar("_Block", Totals, LocaleTotals, Actors)


class Workspace:
    """The tables of one workspace as of one commit."""

    def __init__(self, files: Files, blocks: LruCache[object]) -> None:
        self._files = files
        self._blocks = blocks

    @property
    def is_empty(self) -> bool:
        """Return whether the tables have nothing of this workspace."""
        return not self._files.months

    def totals(self, start: int, end: int) -> list[Totals]:
        """Return the running totals of every month that `[start, end)` touches, oldest first."""
        return self._read([month.cube for month in self._touched(start, end)], read_totals)

    def locale_totals(self, start: int, end: int) -> list[LocaleTotals]:
        """Return the running totals of the same months, separate for each locale."""
        return self._read([month.cube for month in self._touched(start, end)], read_locale_totals)

    def actors(self, start: int, end: int) -> list[Actors]:
        """Return the actors of the same months."""
        return self._read([month.actors for month in self._touched(start, end)], read_actors)

    def events(self, day: date) -> DayFile:
        """Return the events of a UTC day.

        Raises:
            FileNotFoundError: there are none.
        """
        return self._files.day(day)

    def version(self, start: int, end: int) -> tuple[str, ...]:
        """Return a key that is different as soon as any month that `[start, end)` touches has changed."""
        return tuple(month.actors for month in self._touched(start, end))

    def cached(self, key: Hashable, make: Callable[[], _T], size_bytes: Callable[[_T], int]) -> _T:
        """Return the cached value of a key, or make it now and cache it.

        Args:
            key: everything that the value depends on.
            make: returns the value.
            size_bytes: returns how much memory a value takes.
        """
        known: _T | None = self._blocks.get(key)  # type: ignore[assignment]  # a key is always made by the same caller
        if known is None:
            known = make()
            self._blocks.put(key, known, _ENTRY_BYTES + size_bytes(known))
        return known

    def _touched(self, start: int, end: int) -> Iterator[Month]:
        first, last = (utc_day(instant).isoformat()[:7] for instant in (start, end - 1))
        return (month for name, month in sorted(self._files.months.items()) if first <= name <= last)

    def _read(self, paths: Sequence[str], read: Callable[[Readable], _Block]) -> list[_Block]:
        return gathered(partial(self._block, path, read) for path in paths)

    def _block(self, path: str, read: Callable[[Readable], _Block]) -> _Block:
        # A file with a given name never changes: the next commit writes a file with another name.
        return self.cached((path, read), lambda: read(self._files.month(path)), lambda block: block.size_bytes)


class Snapshot(msgspec.Struct, frozen=True, eq=False):
    """What is published at one moment. What is computed of one snapshot is of one commit.

    Attributes:
        published: the content of `published.json`.
        identity: of that file.
        as_of: its `data_as_of` as text.
        actions: its actions.
        source: where the tables are.
        blocks: the months, events and sums in memory.
        fetched: files that were fetched for an answer which is being computed.
    """

    published: Published
    identity: Identity
    as_of: str | None
    actions: tuple[str, ...]
    source: Source
    blocks: LruCache[object]
    fetched: Fetched = {}

    def read(self, workspace_id: str, compute: Callable[[Workspace], _T]) -> _T:
        """Return the result of `compute` on the tables of one workspace, all of one commit.

        If a file is missing, a commit has just replaced it: what names it is read again, and `compute` called again.

        Raises:
            NotFetchedError: files have to be fetched first, by `Snapshots.fetched`.
            StoreError: the tables cannot be read.
        """
        try:
            try:
                return compute(self._workspace(workspace_id))
            except FileNotFoundError:
                self.source.forget(workspace_id)
                return compute(self._workspace(workspace_id))
        except _DAMAGED as error:
            raise StoreError(f"workspace {workspace_id}: {error}") from error

    def _workspace(self, workspace_id: str) -> Workspace:
        return Workspace(self.source.files(workspace_id, self.published, self.identity, self.fetched), self.blocks)


class Snapshots:
    """What is published, moment by moment.

    Args:
        source: where the tables are.
        block_bytes: how much memory the months, events and sums may take.
    """

    def __init__(self, source: Source, block_bytes: int = BLOCK_BYTES) -> None:
        self._source = source
        self._blocks: LruCache[object] = LruCache(block_bytes)
        self._snapshot: Snapshot | None = None

    @property
    def loaded_workspaces(self) -> int:
        """Return how many workspaces are in memory."""
        return self._source.loaded_workspaces

    @property
    def block_bytes(self) -> int:
        """Return how much memory the cached months, events and sums take."""
        return self._blocks.size_bytes

    def away_since(self) -> int | None:
        """Return since when the tables cannot be read where they are, in microseconds UTC; None if they can."""
        return self._source.away_since()

    def close(self) -> None:
        """Stop what goes on in threads."""
        self._source.close()

    def current(self) -> Snapshot:
        """Return what is published now.

        Raises:
            StoreError: nothing is published yet, or what is published cannot be read.
        """
        try:
            if self._snapshot is None or self._snapshot.identity != self._source.identity():
                published, identity = self._source.published()
                if published.schema_version != SCHEMA_VERSION:
                    raise StoreError(
                        f"published tables have schema version {published.schema_version}, not {SCHEMA_VERSION}"
                    )
                self._snapshot = Snapshot(
                    published, identity, published.as_of, published.actions, self._source, self._blocks
                )
        except FileNotFoundError:
            raise StoreError("nothing is published yet") from None
        except _DAMAGED as error:
            raise StoreError(f"{PUBLISHED}: {error}") from error
        return self._snapshot

    def actions(self) -> tuple[str, ...]:
        """Return the actions that the last run accepted; if nothing is published, those of every installation."""
        try:
            return self.current().actions
        except StoreError:
            return ACTIONS

    async def fetched(self, snapshot: Snapshot, missing: NotFetchedError) -> Snapshot:
        """Return a snapshot with the files that an answer lacked: a later one if they do not exist any more.

        Raises:
            StoreError: they cannot be fetched.
        """
        try:
            files = await self._source.fetch(missing.files)
        except FileNotFoundError as error:
            await self._source.read_again()
            later = self.current()
            if later.identity == snapshot.identity:
                raise StoreError(str(error)) from error
            return later
        return msgspec.structs.replace(snapshot, fetched={**snapshot.fetched, **files})
