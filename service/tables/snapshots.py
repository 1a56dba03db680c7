"""The published tables of one data folder: the current commit, and each workspace's months, loaded on demand.

Reads `published.json`, the manifests, and through `month_blocks` the cube and actors files; writes nothing. One `stat`
a request shows whether anything changed. The caches are bounded in bytes.

    StoreError  nothing is published yet, or the tables cannot be read
"""

import os
from collections.abc import Callable, Hashable, Iterator
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec
import pyarrow as pa

from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import utc_day
from pipeline.contract.files import open_file
from pipeline.contract.tables import PUBLISHED, SCHEMA_VERSION, Manifest, Month, Published, events_path, manifest_path
from service.lru import LruCache
from service.tables.month_blocks import Actors, LocaleTotals, Totals, read_actors, read_locale_totals, read_totals

# Of a file: modification time, inode, size. A rename changes at least one of them.
Identity = tuple[int, int, int]

DEFAULT_BLOCK_BYTES: Final = 64 << 20  # a worker takes about 300 MB in all
# What a workspace takes in memory: as Python objects, a manifest takes several times its text.
_WORKSPACE_BYTES: Final = 1000
_OBJECT_FACTOR: Final = 4
# What a cached value takes besides its own size: its key, its cache entry, the objects around its arrays.
_ENTRY_BYTES: Final = 700
# Raised by damaged files. Parquet footers have no checksum, so a column may have lost its name, or a text its encoding.
_DAMAGED: Final = (OSError, pa.ArrowException, msgspec.MsgspecError, UnicodeDecodeError, KeyError)

_T = TypeVar("_T")
_Block = TypeVar("_Block", Totals, LocaleTotals, Actors)


class StoreError(Exception):
    """Raised when nothing is published yet, or the tables cannot be read; the message is for the log only."""


class Snapshot(NamedTuple):
    """What `published.json` says, the identity of that file, and of its content `data_as_of` as text, and actions."""

    published: Published
    identity: Identity
    as_of: str | None
    actions: tuple[str, ...]


class Workspace:
    """The tables of one workspace as of one commit."""

    def __init__(self, data_dir: Path, workspace_id: str, months: dict[str, Month], blocks: LruCache[object]) -> None:
        self._data_dir = data_dir
        self._months = months
        self._blocks = blocks
        self.workspace_id = workspace_id

    def totals(self, start: int, end: int) -> Iterator[Totals]:
        """Yield the running totals of every month that `[start, end)` touches, oldest first."""
        return (self._block(month.cube, read_totals) for month in self._touched(start, end))

    def locale_totals(self, start: int, end: int) -> Iterator[LocaleTotals]:
        """Yield the running totals of the same months, separate for each locale."""
        return (self._block(month.cube, read_locale_totals) for month in self._touched(start, end))

    def actors(self, start: int, end: int) -> Iterator[Actors]:
        """Yield the actors of the same months."""
        return (self._block(month.actors, read_actors) for month in self._touched(start, end))

    def events_path(self, day: date) -> Path:
        """Return the path of the events of a UTC day."""
        return self._data_dir / events_path(self.workspace_id, day.isoformat())

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
        return (month for name, month in sorted(self._months.items()) if first <= name <= last)

    def _block(self, path: str, read: Callable[[Path], _Block]) -> _Block:
        # A file with a given name never changes: the next commit writes a file with another name.
        return self.cached((path, read), lambda: read(self._data_dir / path), lambda block: block.size_bytes)


class _Loaded(NamedTuple):
    """A workspace in memory."""

    workspace: Workspace
    manifest: Identity | None  # None: it has no manifest
    published: Identity  # of `published.json` when the manifest was last looked at
    size_bytes: int


class Snapshots:
    """The published tables of one data folder."""

    def __init__(self, data_dir: Path, block_bytes: int = DEFAULT_BLOCK_BYTES) -> None:
        self._data_dir = data_dir
        self._published = str(data_dir / PUBLISHED)  # not a Path, which would cost something at every request
        self._blocks: LruCache[object] = LruCache(block_bytes)
        self._workspaces: LruCache[_Loaded] = LruCache(block_bytes // 8)
        self._snapshot: Snapshot | None = None

    @property
    def loaded_workspaces(self) -> int:
        """Return how many workspaces are in memory."""
        return len(self._workspaces)

    @property
    def block_bytes(self) -> int:
        """Return how much memory the cached months, events and sums take."""
        return self._blocks.size_bytes

    def current(self) -> Snapshot:
        """Return what is published now.

        Raises:
            StoreError: nothing is published yet, or `published.json` cannot be read.
        """
        try:
            stat = os.stat(self._published)  # noqa: PTH116 - the one file that every request touches
            if self._snapshot is None or self._snapshot.identity != _identity(stat):
                content, identity = _read(Path(self._published))
                published = msgspec.json.decode(content, type=Published)
                if published.schema_version != SCHEMA_VERSION:
                    raise StoreError(
                        f"published tables have schema version {published.schema_version}, not {SCHEMA_VERSION}"
                    )
                self._snapshot = Snapshot(published, identity, published.as_of, published.actions)
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

    def read(self, workspace_id: str, compute: Callable[[Workspace], _T]) -> _T:
        """Return the result of `compute` on the tables of one workspace, all of one commit.

        If a file is missing, a commit has just replaced it: the manifest is read again, and `compute` called once more.

        Raises:
            StoreError: the tables cannot be read.
        """
        try:
            try:
                return compute(self._workspace(workspace_id))
            except FileNotFoundError:
                self._workspaces.drop(workspace_id)
                return compute(self._workspace(workspace_id))
        except _DAMAGED as error:
            raise StoreError(f"workspace {workspace_id}: {error}") from error

    def _workspace(self, workspace_id: str) -> Workspace:
        published = (self._snapshot or self.current()).identity  # one `stat` a request, however much it reads
        path = self._data_dir / manifest_path(workspace_id)
        known = self._workspaces.get(workspace_id)
        if known is not None and known.published == published:
            return known.workspace
        if known is not None and known.manifest == _stat(path):
            known = known._replace(published=published)
        else:
            try:
                content, identity = _read(path)
                months = msgspec.json.decode(content, type=Manifest).months
            except FileNotFoundError:  # no events so far
                content, identity, months = b"", None, {}
            workspace = Workspace(self._data_dir, workspace_id, months, self._blocks)
            known = _Loaded(workspace, identity, published, _WORKSPACE_BYTES + _OBJECT_FACTOR * len(content))
        self._workspaces.put(workspace_id, known, known.size_bytes)
        return known.workspace


def _read(path: Path) -> tuple[bytes, Identity]:
    """Return the content and the identity of a file, both of the same file even if it is being replaced."""
    with open_file(path) as file:
        return file.read(), _identity(os.fstat(file.fileno()))


def _stat(path: Path) -> Identity | None:
    try:
        return _identity(path.stat())
    except FileNotFoundError:
        return None


def _identity(stat: os.stat_result) -> Identity:
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
