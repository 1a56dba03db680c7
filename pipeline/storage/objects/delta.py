"""A Delta log of `events` on an object store, from which other engines read snapshots; written after each commit.

Reads the log and the index; writes `events/_delta_log/`. The root stays what counts: each version says which root it
describes, and a run first writes what an earlier one did not, because it was killed after its commit. Checkpoints keep
the log short.
"""

import json
import re
from collections.abc import Callable, Collection
from typing import Final, TypeVar

from pipeline.contract.layout import LayoutError, StoredFile
from pipeline.contract.object_client import Client
from pipeline.contract.object_errors import ChangedError, UnavailableError
from pipeline.contract.object_names import DELTA_LOG, object_key
from pipeline.storage.objects.delta_format import (
    Version,
    decode_checkpoint,
    decode_version,
    encode_checkpoint,
    encode_version,
)
from pipeline.storage.objects.snapshot import Snapshot

CHECKPOINTS: Final = 20  # versions from one to the next
_TRIES: Final = 3
_EVENTS: Final = "events/"
_HINT: Final = f"{DELTA_LOG}/_last_checkpoint"
_REMEDY: Final = f"delete {DELTA_LOG}, and the next run writes it from scratch"
_name: Final = re.compile(rf"{DELTA_LOG}/([0-9]{{20}})\.(json|checkpoint\.parquet)").fullmatch

_Decoded = TypeVar("_Decoded")

Files = dict[str, int]  # sizes in bytes by path relative to `events/`


class DeltaLog:
    """The log.

    Args:
        client: of the store.

    Raises:
        ObjectStoreError: from every method, if the store cannot be used.
        LayoutError: from every method, if a part of the log is not what this program wrote.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._versions: set[int] = set()
        self._checkpoints: set[int] = set()

    def sync(self, before: Snapshot | None = None) -> bool:
        """Write a version for the current root, and return whether there was none.

        The end of the log is read first and the root afterwards, so a version never describes an older root than the
        one before it. If somebody else is first, the name of the version exists.

        Args:
            before: what was published before the commit that was just made, from which the difference follows at once.
        """
        for _ in range(_TRIES):
            self._list()
            last = max(self._versions, default=-1)
            known = self._read(last).root if last >= 0 else None
            after = Snapshot.read(self._client)
            if after.root is None or known == after.root.nonce:
                return False
            if before is not None and before.root is not None and known == before.root.nonce:
                old_index, new_index = before.root.index, after.root.index
                changed = {name for name in old_index.keys() | new_index if old_index.get(name) != new_index.get(name)}
                old, new = _events(before, changed), _events(after, changed)
            else:
                old, new = self._files(last), _events(after)
            try:
                self._write(last + 1, after, Version(after.root.nonce, _without(new, old), _without(old, new)))
            except LayoutError:
                continue
            if (last + 1) % CHECKPOINTS == CHECKPOINTS - 1:
                self._checkpoint(last + 1, after)
            return True
        raise self._busy()

    def forget_earlier(self) -> None:
        """Leave nothing in the log but the current files: names of what was erased are in earlier versions."""
        for _ in range(_TRIES):
            self.sync()
            self._list()
            snapshot, last = Snapshot.read(self._client), max(self._versions, default=-1)
            if snapshot.root is None:
                return
            if self._read(last).root == snapshot.root.nonce:  # else somebody else has just committed
                self._write(last + 1, snapshot, Version(snapshot.root.nonce, {}, ()))
                self._checkpoint(last + 1, snapshot)
                self._delete(last + 1)
                return
        raise self._busy()

    def _list(self) -> None:
        self._versions, self._checkpoints = set(), set()
        for found in self._client.list(DELTA_LOG):
            if match := _name(found.key):
                (self._versions if match[2] == "json" else self._checkpoints).add(int(match[1]))

    def _read(self, version: int) -> Version:
        return self._decoded(_version_key(version), decode_version)

    def _decoded(self, key: str, decode: Callable[[bytes], _Decoded]) -> _Decoded:
        content = self._client.get(key)
        if content is None:
            raise LayoutError(key, f"it does not exist; {_REMEDY}")
        try:
            return decode(content.bytes)
        except ValueError as error:
            raise LayoutError(key, f"{error}; {_REMEDY}") from None

    def _files(self, last: int) -> Files:
        """Return the files that the log names in its last version."""
        start = max(self._checkpoints, default=-1)
        files: Files = {}
        if start >= 0:
            files = self._decoded(_checkpoint_key(start), decode_checkpoint)
        for number in range(start + 1, last + 1):
            version = self._read(number)
            for path in version.removed:
                files.pop(path, None)
            files |= version.added
        return files

    def _write(self, number: int, snapshot: Snapshot, version: Version) -> None:
        content = encode_version(version, snapshot.stored // 1000, self._table if number == 0 else None)
        key = _version_key(number)
        self._client.create(key, content, StoredFile.of(key, content))
        self._versions.add(number)

    def _checkpoint(self, number: int, snapshot: Snapshot) -> None:
        """Write a checkpoint, and delete what comes before the one before it: a reader may have begun there."""
        files = _events(snapshot)
        content, key = encode_checkpoint(files, snapshot.stored // 1000, self._table), _checkpoint_key(number)
        self._client.create(key, content, StoredFile.of(key, content))
        hint = json.dumps({"version": number, "size": len(files) + 2}).encode()
        found = self._client.head(_HINT)
        try:
            self._client.replace(_HINT, hint, None if found is None else found.etag)
        except ChangedError:
            return  # somebody else writes later versions, and deletes as well
        earlier = max(self._checkpoints, default=0)
        self._checkpoints.add(number)
        self._delete(earlier)

    def _delete(self, before: int) -> None:
        """Delete all versions and checkpoints before one."""
        old = [_version_key(number) for number in self._versions if number < before]
        self._client.delete([*old, *(_checkpoint_key(number) for number in self._checkpoints if number < before)])

    def _busy(self) -> UnavailableError:
        return UnavailableError(f"others keep writing {self._client.location.url}/{DELTA_LOG}")

    @property
    def _table(self) -> str:
        return f"{self._client.location.url}/{_EVENTS}"


def delete_log(client: Client) -> None:
    """Delete the log, if there is one.

    Raises:
        ObjectStoreError: the store cannot be used.
    """
    client.delete(found.key for found in client.list(DELTA_LOG))


def _version_key(number: int) -> str:
    return f"{DELTA_LOG}/{number:020}.json"


def _checkpoint_key(number: int) -> str:
    return f"{DELTA_LOG}/{number:020}.checkpoint.parquet"


def _events(snapshot: Snapshot, shards: Collection[str] | None = None) -> Files:
    """Return the files of `events` of some shards of the index, or of all."""
    wanted = (() if snapshot.root is None else snapshot.root.index) if shards is None else shards
    snapshot.load(index=wanted)
    found = (item for shard in wanted for item in snapshot.index(shard).files())
    keys = {object_key(path, file.name): file.size for path, file in found if path.startswith(_EVENTS)}
    return {key.removeprefix(_EVENTS): size for key, size in keys.items()}


def _without(files: Files, others: Files) -> Files:
    return {path: size for path, size in files.items() if path not in others}
