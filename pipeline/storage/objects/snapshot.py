"""The tables as of one root: which object is the current file of a logical path.

Reads the root, and the shards of the index and the ledger when somebody asks for them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

import msgspec

from pipeline.contract.layout import (
    IndexShard,
    LayoutError,
    Root,
    StoredFile,
    SupersededKeys,
    decode_packed,
    decode_root,
)
from pipeline.contract.object_client import Client
from pipeline.contract.object_names import (
    CARRIED_OUT,
    ROOT,
    TOMBSTONES,
    index_key,
    ledger_key,
    object_key,
    shard_of,
    shard_of_path,
    superseded_key,
)
from pipeline.storage.objects.ledger import LedgerShard, RawObject

_THREADS: Final = 16  # requests at a time

_Shard = TypeVar("_Shard", IndexShard, LedgerShard)


def at_once(function: Callable[[str], object], names: Collection[str]) -> None:
    """Call a function that waits for the store for each of some names, for several at a time."""
    threads = min(_THREADS, len(names))
    if threads < 2:  # noqa: PLR2004 - then a thread would only cost time
        for name in sorted(names):
            function(name)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(function, sorted(names)))


class Snapshot:
    """What a root names, and with it everything that is published.

    Args:
        client: of the store.
        root: None if nothing was ever published.
        etag: of the root; None without one.
        stored: when the root was stored, in microseconds UTC by the store's clock.

    Raises:
        ObjectStoreError: from every method, if the store cannot be used.
        LayoutError: from every method, if an object is missing or damaged.
    """

    def __init__(self, client: Client, root: Root | None = None, etag: str | None = None, stored: int = 0) -> None:
        self.client, self.root, self.etag, self.stored = client, root, etag, stored
        self._index: dict[str, IndexShard] = {}
        self._ledger: dict[str, LedgerShard] = {}

    @classmethod
    def read(cls, client: Client) -> "Snapshot":
        """Return what is published now."""
        content = client.get(ROOT)
        if content is None:
            return cls(client)
        return cls(client, decode_root(content.bytes), content.found.etag, content.found.stored)

    def latest(self) -> "Snapshot":
        """Return what is published now: this snapshot, unless the root is another one."""
        content = self.client.get(ROOT, unless=self.etag or "")
        if content is None:
            return self
        return Snapshot(self.client, decode_root(content.bytes), content.found.etag, content.found.stored)

    def index(self, shard: str) -> IndexShard:
        """Return a shard of the index; an empty one if there is none."""
        if shard not in self._index:
            file = None if self.root is None else self.root.index.get(shard)
            self._index[shard] = self._shard(index_key, shard, file, IndexShard)
        return self._index[shard]

    def ledger(self, shard: str) -> LedgerShard:
        """Return a shard of the ledger; an empty one if there is none."""
        if shard not in self._ledger:
            file = None if self.root is None else self.root.ledger.get(shard)
            self._ledger[shard] = self._shard(ledger_key, shard, file, LedgerShard)
        return self._ledger[shard]

    def load(self, *, index: Iterable[str] = (), ledger: Iterable[str] = ()) -> None:
        """Read several shards at a time."""
        at_once(self.index, {shard for shard in index if shard not in self._index})
        at_once(self.ledger, {shard for shard in ledger if shard not in self._ledger})

    def intact(self) -> tuple["Snapshot", list[LayoutError]]:
        """Read all shards, and return the snapshot without those that are damaged, and what is wrong with them."""
        if self.root is None:
            return self, []
        damage: dict[str, LayoutError] = {}

        def read(read_shard: Callable[[str], object], shard: str) -> None:
            try:
                read_shard(shard)
            except LayoutError as error:
                damage[error.key] = error

        at_once(partial(read, self.index), self.root.index)
        at_once(partial(read, self.ledger), self.root.ledger)
        root = msgspec.structs.replace(
            self.root,
            index={shard: file for shard, file in self.root.index.items() if index_key(shard, file.name) not in damage},
            ledger={
                shard: file for shard, file in self.root.ledger.items() if ledger_key(shard, file.name) not in damage
            },
        )
        found = Snapshot(self.client, root, self.etag, self.stored)
        found._index, found._ledger = self._index, self._ledger
        return found, [error for _, error in sorted(damage.items())]

    def file(self, path: str) -> StoredFile | None:
        """Return the current file of a logical path; None if none is published."""
        if path in {TOMBSTONES, CARRIED_OUT}:
            return None if self.root is None else self.root.find(path)
        return self.index(shard_of_path(path)).find(path)

    def files(self) -> Iterator[tuple[str, StoredFile]]:
        """Yield all logical paths with their files."""
        if self.root is None:
            return
        self.load(index=self.root.index)
        for shard in self.root.index:
            yield from self.index(shard).files()
        for path in (TOMBSTONES, CARRIED_OUT):
            if (file := self.root.find(path)) is not None:
                yield path, file

    def read_file(self, path: str) -> bytes | None:
        """Return the content of a small published file; None if there is none."""
        file = self.file(path)
        return None if file is None else self.client.read(object_key(path, file.name), file)

    def raw_object(self, name: str) -> RawObject | None:
        """Return what the ledger has of a raw object; None if it was never read."""
        return self.ledger(shard_of(name)).objects.get(name)

    def raw_objects(self) -> dict[str, RawObject]:
        """Return the whole ledger."""
        if self.root is None:
            return {}
        self.load(ledger=self.root.ledger)
        return {name: record for shard in self.root.ledger for name, record in self.ledger(shard).objects.items()}

    def superseded(self) -> list[tuple[StoredFile, int]]:
        """Return the lists of superseded objects, each with the instant until which a root named these objects."""
        lists = () if self.root is None else self.root.superseded
        return [(one.keys, self.stored if one.at is None else one.at) for one in lists]

    def superseded_keys(self, file: StoredFile) -> list[str]:
        """Return the keys in a list of superseded objects."""
        key = superseded_key(file.name)
        return decode_packed(key, file, self.client.read(key, file), SupersededKeys).keys

    def _shard(
        self, named: Callable[[str, str], str], shard: str, file: StoredFile | None, kind: type[_Shard]
    ) -> _Shard:
        if file is None:
            return kind()
        key = named(shard, file.name)
        return decode_packed(key, file, self.client.read(key, file), kind)
