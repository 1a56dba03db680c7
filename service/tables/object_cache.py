"""Copies of objects on the local disk, which all workers of a machine share.

Reads the object store and writes the folder of the copies. An object never changes, so a copy is good as long as its
bytes are those that were recorded: they are compared when it is fetched, and again by each process that opens it. A
copy gets its name by a rename, once it is whole. The least recently used copies go first, by their time of access,
which is set at each use, because file systems may not keep it.
"""

import fcntl
import hashlib
import os
import secrets
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import structlog

from pipeline.contract.layout import LayoutError, StoredFile
from pipeline.contract.object_errors import AccessError, ObjectStoreError
from service.tables.source import Readable, StoreError

_AT_ONCE_BYTES: Final = 1 << 20  # a copy up to this size is read and compared in less than a millisecond
_PORTION_BYTES: Final = 4 << 20
_TRIES: Final = 2  # an object that arrives damaged is fetched once more
_MOST_COMPARED: Final = 100_000  # larger copies that this process remembers to have compared
_LEFT_SECONDS: Final = 3_600  # a copy that is not whole after this time was left by a process that was killed
_UNFINISHED: Final = "unfinished-"
_log: Final = structlog.stdlib.get_logger("service.tables.object_cache")


class ObjectCache:
    """The copies in one folder.

    Args:
        client: of the store.
        root: the folder, which exists.
        limit_bytes: how much the copies may take.
    """

    def __init__(self, client: Any, root: Path, limit_bytes: int) -> None:
        self._client, self._root = client, root
        self._address = f"{client.location.endpoint} {client.location.url}/".encode()
        # Each worker looks at the folder when it has written a portion of the last quarter.
        self._kept_bytes = limit_bytes * 3 // 4
        self._portion_bytes = limit_bytes // (4 * max(8, os.cpu_count() or 1))
        self._written_bytes = self._portion_bytes  # also before the first copy
        self._compared: dict[str, tuple[int, ...]] = {}  # identities of large copies, by key

    def has(self, key: str) -> bool:
        """Return whether there is a copy of an object."""
        return self._path(key).exists()

    def at_hand(self, key: str, file: StoredFile) -> Readable | None:
        """Return an open copy within a millisecond; None if it has to be fetched, or is too large for that."""
        path = self._path(key)
        try:
            if file.size <= _AT_ONCE_BYTES:
                content = path.read_bytes()
                copy = pa.BufferReader(content) if file == StoredFile.of(file.name, content) else None
            else:
                opened = pa.OSFile(str(path))
                copy = opened if self._compared.get(key) == _identity(opened.fileno()) else None
            if copy is not None:
                _touch(path)
        except OSError:  # `fetch` finds out what it is
            return None
        return copy

    def fetch(self, key: str, file: StoredFile) -> Readable:
        """Return an open copy, which is fetched unless it is there; may take as long as the store does.

        Raises:
            FileNotFoundError: there is no such object any more, as far as the store says.
            StoreError: it cannot be fetched, or is not as it was written.
        """
        path = self._path(key)
        try:
            copy = self._compare(key, file, path)
            if copy is None:
                self._download(key, file, path)
                copy = self._compare(key, file, path)
                with suppress(OSError):  # somebody else's copies
                    self._make_room(file.size)
        except LayoutError as error:
            raise StoreError(str(error)) from error
        except AccessError as error:  # what S3 says of an object that does not exist to whoever may not list
            raise FileNotFoundError(str(error)) from error
        except ObjectStoreError as error:
            raise StoreError(str(error)) from error
        if copy is None:
            raise StoreError(f"the copy of {key} in {self._root} was removed or damaged as soon as it was written")
        return copy

    def _compare(self, key: str, file: StoredFile, path: Path) -> Readable | None:
        """Return an open copy whose bytes are those that were recorded; remove any other."""
        try:
            copy = pa.OSFile(str(path))
            size, checksum = 0, 0
            while portion := copy.read(_PORTION_BYTES):
                size, checksum = size + len(portion), zlib.crc32(portion, checksum)
            if (size, checksum) == (file.size, file.checksum):
                _touch(path)
                if len(self._compared) >= _MOST_COMPARED:
                    self._compared.clear()
                self._compared[key] = _identity(copy.fileno())
                return copy
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"the copy of {key} in {self._root} cannot be read: {error.strerror}") from error
        _log.error("damaged copy of an object, fetched again", key=key)
        path.unlink(missing_ok=True)
        return None

    def _download(self, key: str, file: StoredFile, path: Path) -> None:
        for tried in range(1, _TRIES + 1):
            temporary = self._root / f"{_UNFINISHED}{secrets.token_hex(8)}"
            size, checksum = 0, 0
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with temporary.open("xb") as copy:
                    for portion in self._client.stream(key):
                        size, checksum = size + len(portion), zlib.crc32(portion, checksum)
                        copy.write(portion)
                if (size, checksum) == (file.size, file.checksum):
                    temporary.replace(path)
                    return
            except FileNotFoundError as error:
                if error.filename is None:  # of the store
                    raise
                raise StoreError(f"the folder {self._root} for copies of objects vanished") from error
            except OSError as error:
                raise StoreError(f"a copy of {key} cannot be written to {self._root}: {error.strerror}") from error
            finally:
                temporary.unlink(missing_ok=True)
            _log.error("an object arrived damaged", key=key, tried=tried)
        raise LayoutError(key, "its bytes are not those that were written")

    def _make_room(self, size: int) -> None:
        """Remove the least recently used copies, if enough was written since the last look at all of them."""
        self._written_bytes += size
        if self._written_bytes < self._portion_bytes:
            return
        with (self._root / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._written_bytes < self._portion_bytes:  # another thread has just made room
                return
            self._written_bytes = 0
            copies = sorted(_copies(self._root))
            surplus = sum(size for _, size, _ in copies) - self._kept_bytes
            for _, freed, path in copies:
                if surplus <= 0:
                    break
                path.unlink(missing_ok=True)
                surplus -= freed

    def _path(self, key: str) -> Path:
        digest = hashlib.sha256(self._address + key.encode()).hexdigest()
        return self._root / digest[:2] / digest[2:]


def _copies(root: Path) -> Iterator[tuple[int, int, Path]]:
    """Yield the time of the last use, in nanoseconds, the size and the path of each copy, and remove what was left."""
    for path in (*root.glob("??/*"), *root.glob(f"{_UNFINISHED}*")):
        try:
            stat = path.stat()
        except FileNotFoundError:  # removed by another worker
            continue
        if path.parent != root:
            yield stat.st_atime_ns, stat.st_size, path
        elif stat.st_mtime < time.time() - _LEFT_SECONDS:
            path.unlink(missing_ok=True)


def _touch(path: Path) -> None:
    """Note that a copy was used. Its time of modification stays, which is part of its identity."""
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def _identity(descriptor: int) -> tuple[int, ...]:
    stat = os.fstat(descriptor)
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
