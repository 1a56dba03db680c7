"""Publishes what a run has put: writes the touched shards of the index and the ledger, and flips the root.

Reads the snapshot that the run began with. Until the flip nothing that was written is named by anything, so a run that
fails before it, or is overtaken by another, leaves the tables as they were, and objects that the sweep deletes.
"""

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

import msgspec

from pipeline.contract.layout import RECENT, IndexShard, Root, StoredFile, Superseded, SupersededKeys, encode_packed
from pipeline.contract.object_errors import OvertakenError
from pipeline.contract.object_names import (
    CARRIED_OUT,
    TOMBSTONES,
    index_key,
    ledger_key,
    object_key,
    packed_name,
    shard_of,
    shard_of_path,
    superseded_key,
)
from pipeline.contract.tables import Published
from pipeline.storage.objects.flip import flip
from pipeline.storage.objects.ledger import LedgerShard, RawObject
from pipeline.storage.objects.snapshot import Snapshot, at_once

_SECOND: Final = 1_000_000  # microseconds


class RootChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit changes in what the root names.

    Attributes:
        run: the id of the run, or of whatever else commits.
        attempt: the random part of the names of this commit's objects.
        published: what the root says to all readers.
        files: by logical path, the objects that were put for it; None removes the path.
        raw_objects: by name, the records of the ledger; None removes one.
        rebuilt: whether all other records of the ledger are removed.
        is_complete: whether every raw file has now been read since the ledger was created; None: as before.
        swept: the lists of superseded objects, by the last part of their keys, that were swept meanwhile.
        orphans_at: if the run looks for orphans next, when that is, in microseconds UTC by the store's clock.
    """

    run: str
    attempt: str
    published: Published
    files: Mapping[str, StoredFile | None] = {}
    raw_objects: Mapping[str, RawObject | None] = {}
    rebuilt: bool = False
    is_complete: bool | None = None
    swept: Collection[str] = frozenset()
    orphans_at: int | None = None


def new_token() -> str:
    """Return a random token that nobody has: a nonce, or the name of an attempt."""
    return secrets.token_hex(8)


def commit(before: Snapshot, changes: RootChanges) -> None:
    """Publish the changes, all at once.

    Args:
        before: what the run began with.
        changes: what it changes.

    Raises:
        OvertakenError: another run committed first, or this one did already: nothing was changed. A run that begins
            again takes another id, since the PUT whose answer was lost may still be on its way.
        UnavailableError: the store does not answer; after the flip, whether it was carried out is unknown.
        ObjectStoreError: the store refuses something.
        LayoutError: a shard is missing or damaged.
    """
    old = before.root
    if old is not None and changes.run in old.recent:
        raise OvertakenError(f"run {changes.run} is committed already")
    draft = _Draft(before, changes)
    draft.change_index()
    draft.change_ledger()
    root = draft.root()
    draft.write()
    flip(before.client, root, before.etag)


class _Draft:
    """The new shards and the new root, as long as nobody has seen them."""

    def __init__(self, before: Snapshot, changes: RootChanges) -> None:
        old = before.root
        self._before, self._changes, self._old = before, changes, old
        self._name = packed_name(changes.run, changes.attempt)
        self._index = {} if old is None else dict(old.index)
        self._ledger = {} if old is None else dict(old.ledger)
        self._single = {path: None if old is None else old.find(path) for path in (TOMBSTONES, CARRIED_OUT)}
        self._new: dict[str, bytes] = {}
        self._superseded: set[str] = set()

    def change_index(self) -> None:
        """Compose the shards of the index that change."""
        touched: dict[str, dict[str, StoredFile | None]] = {}
        for path, file in self._changes.files.items():
            if path in self._single:
                self._supersede(path, self._single[path])
                self._single[path] = file
            else:
                touched.setdefault(shard_of_path(path), {})[path] = file
        self._before.load(index=touched)
        for shard, files in touched.items():
            stored = self._before.index(shard)
            after = stored.changed(files)
            if after != stored:
                self._superseded |= stored.superseded_by(files)
                self._replace(self._index, index_key, shard, after if after != IndexShard() else None)

    def change_ledger(self) -> None:
        """Compose the shards of the ledger that change."""
        touched: dict[str, dict[str, RawObject | None]] = {}
        if self._changes.rebuilt:
            touched = {shard: {} for shard in self._ledger}
        for name, record in self._changes.raw_objects.items():
            touched.setdefault(shard_of(name), {})[name] = record
        self._before.load(ledger=touched)
        for shard, records in touched.items():
            stored = self._before.ledger(shard)
            after = stored.changed(records, rebuilt=self._changes.rebuilt)
            if after != stored:
                self._replace(self._ledger, ledger_key, shard, after if after.objects else None)

    def root(self) -> Root:
        """Return the new root, once the shards are composed."""
        old, changes = self._old, self._changes
        is_complete = changes.is_complete
        if is_complete is None:
            is_complete = old is not None and old.is_complete
        return Root(
            **{name: getattr(changes.published, name) for name in Published.__struct_fields__},
            nonce=new_token(),
            recent=(*(() if old is None else old.recent), changes.run)[-RECENT:],
            index=dict(sorted(self._index.items())),
            ledger=dict(sorted(self._ledger.items())),
            tombstones=self._single[TOMBSTONES],
            carried_out=self._single[CARRIED_OUT],
            is_complete=is_complete,
            superseded=tuple(self._lists()),
            orphans_at=(0 if old is None else old.orphans_at) if changes.orphans_at is None else changes.orphans_at,
        )

    def write(self) -> None:
        """Put all new objects except the root."""
        client = self._before.client

        def create(key: str) -> None:
            client.create(key, self._new[key], StoredFile.of(self._name, self._new[key]))

        at_once(create, self._new)

    def _lists(self) -> Iterator[Superseded]:
        """Yield the lists of superseded objects, the last of which is this commit's."""
        for one in () if self._old is None else self._old.superseded:
            if one.keys.name in self._changes.swept:
                self._superseded.add(superseded_key(one.keys.name))
            else:
                # `Last-Modified` leaves out the fraction of the second.
                yield Superseded(one.keys, self._before.stored + _SECOND if one.at is None else one.at)
        if self._superseded:
            content = encode_packed(SupersededKeys(sorted(self._superseded)))
            self._new[superseded_key(self._name)] = content
            yield Superseded(StoredFile.of(self._name, content))

    def _replace(
        self,
        shards: dict[str, StoredFile],
        key: Callable[[str, str], str],
        shard: str,
        after: IndexShard | LedgerShard | None,
    ) -> None:
        if shard in shards:
            self._superseded.add(key(shard, shards.pop(shard).name))
        if after is not None:
            content = encode_packed(after)
            self._new[key(shard, self._name)] = content
            shards[shard] = StoredFile.of(self._name, content)

    def _supersede(self, path: str, file: StoredFile | None) -> None:
        if file is not None:
            self._superseded.add(object_key(path, file.name))
