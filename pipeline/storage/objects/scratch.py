"""Local copies of objects, for libraries that read files themselves.

Creates a folder that only its owner may enter, below the folder for temporary files or another one, and removes it at
the end. What a killed process left there is removed when the next one begins. A file has its final name only once its
bytes were compared with what the index records.
"""

import os
import secrets
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from pipeline.contract.layout import LayoutError, StoredFile
from pipeline.contract.object_client import Client

_PREFIX: Final = "usage-scratch-"
_TRIES: Final = 2  # a file that arrives damaged is fetched once more


class Scratch:
    """A scratch folder. It may be pickled: another process of the same machine uses the same folder.

    Args:
        client: of the store.
        root: the folder.
    """

    def __init__(self, client: Client, root: Path) -> None:
        self._client, self.root = client, root

    def __reduce__(self) -> tuple[Any, ...]:
        return Scratch, (self._client, self.root)

    def path(self, key: str) -> Path:
        """Return where the copy of an object is, or will be.

        Raises:
            ValueError: the key leads out of the folder.
        """
        if key in {"", "."} or key != os.path.normpath(key) or key.startswith(("/", "..")):
            raise ValueError(f"not the key of an object: {key!r}")
        return self.root / key

    def fetch(self, key: str, file: StoredFile) -> Path:
        """Return the path of a copy of an immutable object, which is fetched unless it is there.

        Raises:
            LayoutError: the object does not exist, or is not as it was written.
            ObjectStoreError: the store cannot be used.
            OSError: the copy cannot be written.
        """
        path = self.path(key)
        if path.exists():
            return path
        for tried in range(1, _TRIES + 1):
            try:
                return self._fetch(key, path, file)
            except LayoutError:
                if tried == _TRIES:
                    raise
            except FileNotFoundError:
                raise LayoutError(key, "it does not exist") from None
        raise AssertionError("the last try returns or raises")

    def _fetch(self, key: str, path: Path, file: StoredFile) -> Path:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary, size, checksum = self.root / f".part-{secrets.token_hex(8)}", 0, 0
        with _removed_on_failure(temporary):
            with temporary.open("xb") as copy:
                for portion in self._client.stream(key):
                    size, checksum = size + len(portion), zlib.crc32(portion, checksum)
                    copy.write(portion)
            if (size, checksum) != (file.size, file.checksum):
                raise LayoutError(key, "its bytes are not those that were written")
            temporary.replace(path)
        return path


@contextmanager
def scratch(client: Client, parent: Path | None = None) -> Iterator[Scratch]:
    """Create a scratch folder, and remove it at the end.

    Args:
        client: of the store.
        parent: the folder in which it is created; that for temporary files if it is None.

    Raises:
        OSError: it cannot be created.
    """
    base = Path(tempfile.gettempdir()) if parent is None else parent
    _remove_leftovers(base)
    root = base / f"{_PREFIX}{secrets.token_hex(8)}"
    lock = FileLock(_lock_of(root))  # whose end shows that the process has ended, too
    with lock:
        root.mkdir(mode=0o700)
        try:
            yield Scratch(client, root)
        finally:
            shutil.rmtree(root, ignore_errors=True)
            _lock_of(root).unlink(missing_ok=True)


def _remove_leftovers(base: Path) -> None:
    """Remove the scratch folders of processes that were killed: nobody holds their locks any more."""
    for lock in base.glob(f"{_PREFIX}*.lock"):
        with suppress(OSError, Timeout):
            if lock.lstat().st_uid == os.getuid() and stat.S_ISREG(lock.lstat().st_mode):
                with FileLock(lock, timeout=0):
                    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                    lock.unlink(missing_ok=True)


def _lock_of(root: Path) -> Path:
    return root.with_name(f"{root.name}.lock")


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
