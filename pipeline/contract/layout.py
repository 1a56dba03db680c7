"""How the tables lie on an object store: the root, and the index that says which objects are the current ones.

Defines what writers and readers agree on; reads and writes nothing. The root names the shards of the index, and these
name the object of each logical path. Whoever has read a root therefore knows one consistent set of tables, which stay
readable as long as no later root superseded them for more than a grace. Names are in `contract/object_names`.

    LayoutError  an object is not what the layout says
"""

import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from threading import Lock
from typing import Any, Final, TypeVar

import msgspec
import pyarrow as pa

from pipeline.contract.object_names import (
    CARRIED_OUT,
    ROOT,
    TOMBSTONES,
    index_key,
    ledger_key,
    object_key,
    superseded_key,
    table_file,
    table_path,
)
from pipeline.contract.tables import Published

RECENT: Final = 50  # runs that a root remembers

_TABLES: Final = ("events", "cube", "actors")
_LEVEL: Final = 3  # of zstd

_Value = TypeVar("_Value", bound=msgspec.Struct)

# Shards are decoded by several threads. msgspec 0.22 may end the process if two of them see a type for the first time.
_DECODERS_LOCK: Final = Lock()


class LayoutError(RuntimeError):
    """Raised when an object is not what the layout says: it cannot be decoded, or is not as it was written."""

    def __init__(self, key: str, cause: str) -> None:
        super().__init__(key, cause)  # exactly the arguments of __init__: otherwise it cannot be unpickled
        self.key, self.cause = key, cause

    def __str__(self) -> str:
        return f"{self.key} is damaged: {self.cause}"


class StoredFile(msgspec.Struct, frozen=True, array_like=True):
    """An object: the last part of its key, its size in bytes, and the CRC-32 of its bytes."""

    name: str
    size: int
    checksum: int

    @classmethod
    def of(cls, name: str, content: bytes | memoryview) -> "StoredFile":
        """Return what is recorded of an object with this content."""
        return cls(name, len(content), zlib.crc32(content))

    def refuse_damage(self, key: str, content: bytes | memoryview) -> None:
        """Compare the bytes of the object with what was recorded.

        Raises:
            LayoutError: they differ.
        """
        if self != StoredFile.of(self.name, content):
            raise LayoutError(key, "its bytes are not those that were written")


class StoredWorkspace(msgspec.Struct, frozen=True, omit_defaults=True):
    """The current files of one workspace: events by UTC day `YYYY-MM-DD`, cube and actors by UTC month `YYYY-MM`."""

    events: Mapping[str, StoredFile] = {}
    cube: Mapping[str, StoredFile] = {}
    actors: Mapping[str, StoredFile] = {}

    def files(self, workspace_id: str) -> Iterator[tuple[str, StoredFile]]:
        """Yield the logical paths of the workspace with their files."""
        for table in _TABLES:
            for partition, file in getattr(self, table).items():
                yield table_path(table, workspace_id, partition, file.name), file


class IndexShard(msgspec.Struct, frozen=True, omit_defaults=True):
    """The current files of the shard's workspaces, and its other files by logical path."""

    workspaces: Mapping[str, StoredWorkspace] = {}
    others: Mapping[str, StoredFile] = {}

    def find(self, path: str) -> StoredFile | None:
        """Return the current file of a logical path; None if there is none."""
        if not (wanted := table_file(path)):
            return self.others.get(path)
        workspace = self.workspaces.get(wanted.workspace_id, StoredWorkspace())
        return _current(getattr(workspace, wanted.table), path)

    def superseded_by(self, changes: Mapping[str, StoredFile | None]) -> set[str]:
        """Return the keys of the objects that are current now, but not after the changes, as `changed` makes them."""
        found = set()
        for path, file in changes.items():
            before = self.find(path)
            if file is not None and (wanted := table_file(path)):
                workspace = self.workspaces.get(wanted.workspace_id, StoredWorkspace())
                before = getattr(workspace, wanted.table).get(wanted.partition)
            if before is not None:
                found.add(object_key(path, before.name))
        return found.difference(object_key(path, file.name) for path, file in changes.items() if file is not None)

    def files(self) -> Iterator[tuple[str, StoredFile]]:
        """Yield all logical paths with their files."""
        for workspace_id, workspace in self.workspaces.items():
            yield from workspace.files(workspace_id)
        yield from self.others.items()

    def changed(self, changes: Mapping[str, StoredFile | None]) -> "IndexShard":
        """Return the shard with some logical paths added, replaced, or (None) removed.

        A new cube of a month takes the place of the earlier one, although the run in its logical path is another; so do
        actors. The removal of a file that is not current changes nothing.
        """
        others = dict(self.others)
        tables: dict[str, dict[str, dict[str, StoredFile]]] = {}
        # Removals come first: otherwise the month that a run replaced might be removed with its earlier files.
        for path, file in sorted(changes.items(), key=lambda change: change[1] is not None):
            if not (changed := table_file(path)):
                _set(others, path, file)
                continue
            if changed.workspace_id not in tables:
                before = self.workspaces.get(changed.workspace_id, StoredWorkspace())
                tables[changed.workspace_id] = {table: dict(getattr(before, table)) for table in _TABLES}
            files = tables[changed.workspace_id][changed.table]
            if file is not None or _current(files, path) is not None:
                _set(files, changed.partition, file)
        workspaces = dict(self.workspaces)
        for workspace_id, changed_tables in tables.items():
            after = StoredWorkspace(**{table: dict(sorted(files.items())) for table, files in changed_tables.items()})
            workspaces[workspace_id] = after
        return IndexShard(
            {name: workspace for name, workspace in sorted(workspaces.items()) if workspace != StoredWorkspace()},
            dict(sorted(others.items())),
        )


class SupersededKeys(msgspec.Struct, frozen=True):
    """The content of an object in `superseded/`: the keys that one commit replaced or deleted."""

    keys: list[str]


class Superseded(msgspec.Struct, frozen=True, array_like=True):
    """The objects that one commit superseded.

    Attributes:
        keys: the object in `superseded/` that lists them.
        at: when that commit was stored, in microseconds UTC by the store's clock: until then, a root named them. None
            in that commit's own root, of which it is the `Last-Modified`.
    """

    keys: StoredFile
    at: int | None = None


class Root(Published, frozen=True, kw_only=True, omit_defaults=True):
    """The content of `published.json` on an object store: what `Published` says, and which objects are current.

    Attributes:
        nonce: random, so no two roots are equal: ETags are hashes of content, and none may ever return.
        recent: the last `RECENT` runs that were committed, the latest last. A run that lost the answer to its commit
            finds itself here.
        index: the shards of the index by `shard_of`; those without files are left out.
        ledger: the shards of the ledger by `shard_of` the raw object's name.
        tombstones: the object of the logical path `tombstones.jsonl`.
        carried_out: the object of the logical path `carried_out.json`: the tombstones whose data are gone.
        is_complete: whether every raw file has been read since the ledger was created.
        superseded: what is not current any more but not deleted yet, by commit, the oldest first.
        orphans_at: when a run looked for orphans last, in microseconds UTC by the store's clock; 0 if none did.
    """

    nonce: str
    recent: tuple[str, ...] = ()
    index: Mapping[str, StoredFile] = {}
    ledger: Mapping[str, StoredFile] = {}
    tombstones: StoredFile | None = None
    carried_out: StoredFile | None = None
    is_complete: bool = False
    superseded: tuple[Superseded, ...] = ()
    orphans_at: int = 0

    def find(self, path: str) -> StoredFile | None:
        """Return the current file of `tombstones.jsonl` or `carried_out.json`; None if there is none."""
        return {TOMBSTONES: self.tombstones, CARRIED_OUT: self.carried_out}.get(path)

    def keys(self) -> set[str]:
        """Return the keys of the objects that the root itself names; the shards of the index name all others."""
        found = {index_key(shard, file.name) for shard, file in self.index.items()}
        found |= {ledger_key(shard, file.name) for shard, file in self.ledger.items()}
        found |= {superseded_key(one.keys.name) for one in self.superseded}
        return found | {object_key(path, file.name) for path in (TOMBSTONES, CARRIED_OUT) if (file := self.find(path))}


def encode_root(root: Root) -> bytes:
    """Return the content of `published.json`."""
    return msgspec.json.encode(root)


def decode_root(content: bytes | memoryview) -> Root:
    """Return the root.

    Raises:
        LayoutError: it is none.
    """
    return _decode(ROOT, content, Root)


def encode_packed(value: msgspec.Struct | Mapping[str, Any]) -> bytes:
    """Return the content of a shard or of a list of superseded keys: JSON, compressed by zstd."""
    packed: bytes = pa.Codec("zstd", compression_level=_LEVEL).compress(msgspec.json.encode(value), asbytes=True)
    return packed


def decode_packed(key: str, file: StoredFile, content: bytes | memoryview, kind: type[_Value]) -> _Value:
    """Return what a shard or a list of superseded keys holds.

    Args:
        key: of the object.
        file: what was recorded of the object.
        content: of the object.
        kind: what it holds.

    Raises:
        LayoutError: it is not as it was written, or holds something else.
    """
    file.refuse_damage(key, content)
    try:
        with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
            text = stream.read()
    except (OSError, pa.ArrowException) as error:
        raise LayoutError(key, str(error)) from None
    return _decode(key, text, kind)


@cache
def _decoder(kind: type[Any]) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(kind)


def _decode(key: str, content: bytes | memoryview, kind: type[_Value]) -> _Value:
    with _DECODERS_LOCK:
        decoder = _decoder(kind)
    try:
        value: _Value = decoder.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LayoutError(key, str(error)) from None
    return value


def _current(files: Mapping[str, StoredFile], path: str) -> StoredFile | None:
    """Return a table's file of the partition that a logical path names, if it is current under just that path."""
    wanted = table_file(path)
    file = None if wanted is None else files.get(wanted.partition)
    if wanted is None or file is None:
        return None
    return file if table_path(wanted.table, wanted.workspace_id, wanted.partition, file.name) == path else None


def _set(files: dict[str, StoredFile], name: str, file: StoredFile | None) -> None:
    if file is None:
        files.pop(name, None)
    else:
        files[name] = file
