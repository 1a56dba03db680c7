"""The shards of the index as the service reads them, and what a new root changed of what is at hand.

A shard holds hundreds of workspaces, of which only those are decoded that somebody asks for.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final

import msgspec

from pipeline.contract.layout import LayoutError, Root, StoredFile, StoredWorkspace, decode_packed
from pipeline.contract.object_names import index_key, object_key, table_path
from service.tables.object_cache import ObjectCache
from service.tables.source import Readable

_SECONDS: Final = 2.0  # for which a root waits until what it changed is at hand
_THREADS: Final = 16
_TABLES: Final = ("cube", "actors", "events")
_ABSENT: Final = msgspec.Raw(b"{}")


class Shard(msgspec.Struct, frozen=True):
    """A shard of the index, with the texts of its workspaces."""

    workspaces: dict[str, msgspec.Raw] = {}

    def size_bytes(self, workspace_id: str) -> int:
        """Return the length of what is said of a workspace."""
        return len(bytes(self.workspaces.get(workspace_id, _ABSENT)))


def decode_shard(key: str, file: StoredFile, source: Readable) -> Shard:
    """Return a shard that was fetched.

    Raises:
        LayoutError: it is not what the layout says.
    """
    return decode_packed(key, file, source.read_at(file.size, 0), Shard)


def stored_workspace(key: str, shard: Shard, workspace_id: str) -> StoredWorkspace:
    """Return the files of a workspace; none if the shard does not name it.

    Raises:
        LayoutError: the shard is not what the layout says.
    """
    try:
        return msgspec.json.decode(shard.workspaces.get(workspace_id, _ABSENT), type=StoredWorkspace)
    except msgspec.MsgspecError as error:
        raise LayoutError(key, str(error)) from None


def table_key(table: str, workspace_id: str, partition: str, file: StoredFile) -> str:
    """Return the key of a file of a table."""
    return object_key(table_path(table, workspace_id, partition, file.name), file.name)


class Preparation:
    """Fetches what a new root changed of what there are copies of, before it becomes the current one.

    So the first request after a commit does not wait for the store. What takes too long is fetched afterwards.
    """

    def __init__(self, cache: ObjectCache) -> None:
        self._cache = cache
        self._threads = ThreadPoolExecutor(_THREADS, "prepare")
        self._pending: list[Future[Any]] = []

    def __call__(self, before: Root | None, root: Root) -> None:
        """Fetch for at most some seconds, while the earlier root is the current one."""
        for future in self._pending:  # of the root before
            future.cancel()
        until = time.monotonic() + _SECONDS
        shards = [] if before is None else list(_changed_shards(before, root))
        comparing = [self._threads.submit(self._changed_tables, *shard) for shard in shards]
        wait(comparing, _SECONDS)
        fetching = [
            self._threads.submit(self._cache.fetch, key, file)
            for future in comparing
            if future.done() and not future.exception()
            for key, file in future.result()
        ]
        self._pending = [*comparing, *fetching]
        wait(fetching, max(0.0, until - time.monotonic()))

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(cancel_futures=True)

    def _changed_tables(
        self, before: str, old: StoredFile, after: str, file: StoredFile
    ) -> list[tuple[str, StoredFile]]:
        """Return the keys and files that take the place of files of which there are copies, the small ones first."""
        if not self._cache.has(before):
            return []
        earlier = decode_shard(before, old, self._cache.fetch(before, old))
        later = decode_shard(after, file, self._cache.fetch(after, file))
        changed = []
        for workspace_id, text in later.workspaces.items():
            if bytes(earlier.workspaces.get(workspace_id, _ABSENT)) == bytes(text):
                continue
            was, now = (stored_workspace(before, shard, workspace_id) for shard in (earlier, later))
            for table in _TABLES:
                files = getattr(was, table)
                for partition, new in getattr(now, table).items():
                    known = files.get(partition)
                    if known not in {None, new} and self._cache.has(table_key(table, workspace_id, partition, known)):
                        changed.append((table_key(table, workspace_id, partition, new), new))
        return sorted(changed, key=lambda found: found[1].size)


def _changed_shards(before: Root, root: Root) -> Iterator[tuple[str, StoredFile, str, StoredFile]]:
    """Yield the keys and files of the shards that are not the same, before and after."""
    for shard, file in root.index.items():
        old = before.index.get(shard)
        if old is not None and old != file:
            yield index_key(shard, old.name), old, index_key(shard, file.name), file
