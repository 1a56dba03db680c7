"""The tables on an object store: what a root names, by way of the shards of its index.

Reads the root through `mirror`, and shards and tables through `object_cache`; writes nothing itself. What is not at
hand is fetched in threads while other requests are answered.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from typing import Final

import msgspec

from pipeline.contract.calendar import rfc3339
from pipeline.contract.layout import LayoutError, Root, StoredFile, StoredWorkspace
from pipeline.contract.object_names import index_key, shard_of
from pipeline.contract.tables import Month, Published
from service.lru import LruCache
from service.tables.folder_source import PublishedFile
from service.tables.mirror import Mirror
from service.tables.object_cache import ObjectCache
from service.tables.shards import Shard, decode_shard, stored_workspace, table_key
from service.tables.source import Fetched, Identity, NotFetchedError, Readable, StoreError

_THREADS: Final = 16  # requests to the store at a time
_SHARDS_BYTES: Final = 16 << 20
_WORKSPACES_BYTES: Final = 8 << 20
_ENTRY_BYTES: Final = 1000
_OBJECT_FACTOR: Final = 8  # as Python objects and keys, what a shard says of a workspace takes several times its text

_Open = Callable[[str, StoredFile, Fetched], Readable]


class ObjectFiles(msgspec.Struct, frozen=True, eq=False):
    """The files of one workspace as of one root.

    Attributes:
        workspace_id: of the workspace.
        open: opens an object.
        months: the paths of each month, which are keys here.
        tables: the files of the months, by key.
        days: the files of events, by UTC day.
        fetched: files that were fetched for an answer which is being computed.
    """

    workspace_id: str
    open: _Open
    months: Mapping[str, Month]
    tables: Mapping[str, StoredFile]
    days: Mapping[str, StoredFile]
    fetched: Fetched = {}

    def month(self, path: str) -> Readable:
        """Return an open file of a month."""
        return self.open(path, self.tables[path], self.fetched)

    def day(self, day: date) -> "ObjectDay":
        """Return the events of a UTC day."""
        file = self.days.get(day.isoformat())
        if file is None:
            raise FileNotFoundError(day)
        return ObjectDay(self, table_key("events", self.workspace_id, day.isoformat(), file), file)


class ObjectDay:
    """The events of one day. The file is opened only if they are not in memory, which its key tells."""

    def __init__(self, files: ObjectFiles, key: str, file: StoredFile) -> None:
        self._files, self._key, self._file = files, key, file
        self._opened: Readable | None = None

    @property
    def identity(self) -> Identity:
        """Return the key, which no other object ever has."""
        return self._key

    def open(self) -> Readable:
        """Return the open file."""
        if self._opened is None:
            self._opened = self._files.open(self._key, self._file, self._files.fetched)
        return self._opened

    def close(self) -> None:
        """Let it be closed as soon as nobody else needs it."""
        self._opened = None


class ObjectSource:
    """The tables of one object store.

    Args:
        mirror: has the root.
        cache: has copies of the other objects.
    """

    def __init__(self, mirror: Mirror, cache: ObjectCache) -> None:
        self._mirror, self._cache = mirror, cache
        self._published = PublishedFile(mirror.folder, Root)
        self._shards: LruCache[Shard] = LruCache(_SHARDS_BYTES)
        self._workspaces: LruCache[ObjectFiles] = LruCache(_WORKSPACES_BYTES)
        self._threads = ThreadPoolExecutor(_THREADS, "fetch")
        self._fetching: dict[str, Future[Readable]] = {}  # by key

    @property
    def loaded_workspaces(self) -> int:
        """Return how many workspaces are in memory."""
        return len(self._workspaces)

    def identity(self) -> Identity:
        """Return the identity of the root."""
        try:
            return self._published.identity()
        except FileNotFoundError:
            self._raise_if_away()
            raise

    def published(self) -> tuple[Published, Identity]:
        """Return the root, and its identity."""
        try:
            return self._published.read()
        except FileNotFoundError:
            self._raise_if_away()
            raise

    def _raise_if_away(self) -> None:
        """Raise an error if there is no copy of a root because the store could not be read."""
        if self._mirror.reason is not None:
            raise StoreError(self._mirror.reason)

    def files(self, workspace_id: str, published: Published, identity: Identity, fetched: Fetched) -> ObjectFiles:  # noqa: ARG002 - the root names all there is
        """Return the files of a workspace, all of one root."""
        number = shard_of(workspace_id)
        file = published.index.get(number) if isinstance(published, Root) else None
        if file is None:
            return ObjectFiles(workspace_id, self._open, {}, {}, {})
        key = index_key(number, file.name)
        known = self._workspaces.get((key, workspace_id))
        if known is None:
            try:
                shard = self._shard(key, file, fetched)
                known = self._files(workspace_id, stored_workspace(key, shard, workspace_id))
            except LayoutError as error:
                raise StoreError(str(error)) from error
            size_bytes = _ENTRY_BYTES + _OBJECT_FACTOR * shard.size_bytes(workspace_id)
            self._workspaces.put((key, workspace_id), known, size_bytes)
        return msgspec.structs.replace(known, fetched=fetched) if fetched else known

    def forget(self, workspace_id: str) -> None:
        """Do nothing: a root always says the same."""

    async def fetch(self, missing: Mapping[str, StoredFile]) -> Fetched:
        """Return files that were not at hand."""
        since = self._mirror.away_since()
        if since is not None:
            raise StoreError(f"the object store has not answered since {rfc3339(since)}")
        futures = [asyncio.wrap_future(self._begin(key, file)) for key, file in missing.items()]
        # Others may wait for the same files, even if this request is given up.
        found = await asyncio.shield(asyncio.gather(*futures, return_exceptions=True))
        for result in found:
            if isinstance(result, BaseException):
                raise result
        return dict(zip(missing, found, strict=True))

    async def read_again(self) -> None:
        """Look at the root now."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._mirror.look)

    def away_since(self) -> int | None:
        """Return when the store answered last, if that was long ago."""
        return self._mirror.away_since()

    def close(self) -> None:
        """Let the threads end."""
        self._mirror.stop()
        self._threads.shutdown(cancel_futures=True)

    def _begin(self, key: str, file: StoredFile) -> "Future[Readable]":
        """Fetch an object in a thread, once for all who wait for it."""
        future = self._fetching.get(key)
        if future is None:
            future = self._fetching[key] = self._threads.submit(self._cache.fetch, key, file)
            future.add_done_callback(lambda _: self._fetching.pop(key, None))
        return future

    def _open(self, key: str, file: StoredFile, fetched: Fetched) -> Readable:
        found = fetched.get(key) or self._cache.at_hand(key, file)
        if found is None:
            raise NotFetchedError({key: file})
        return found

    def _shard(self, key: str, file: StoredFile, fetched: Fetched) -> Shard:
        known = self._shards.get(key)
        if known is None:
            known = decode_shard(key, file, self._open(key, file, fetched))
            self._shards.put(key, known, _ENTRY_BYTES + sum(map(known.size_bytes, known.workspaces)))
        return known

    def _files(self, workspace_id: str, stored: StoredWorkspace) -> ObjectFiles:
        tables: dict[str, StoredFile] = {}
        months: dict[str, Month] = {}
        for month, cube in stored.cube.items():
            actors = stored.actors[month]
            keys = table_key("cube", workspace_id, month, cube), table_key("actors", workspace_id, month, actors)
            months[month] = Month(*keys)
            tables |= zip(keys, (cube, actors), strict=True)
        return ObjectFiles(workspace_id, self._open, months, tables, stored.events)
