"""The tables of a session on an object store: each statement sees one root, and DuckDB reads copies of its files.

DuckDB asks this file system for logical paths, as they are in a data folder. The index says which files there are, so
nothing is listed in the bucket, and a file is fetched when it is opened. Manifests are made up from the index.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Final

import duckdb
import msgspec
from fsspec import AbstractFileSystem
from fsspec.utils import glob_translate

from pipeline.analysis import database
from pipeline.analysis.source import FILES, QueryError
from pipeline.analysis.statements import error_text
from pipeline.contract.layout import LayoutError
from pipeline.contract.object_errors import ObjectStoreError
from pipeline.contract.tables import Manifest
from pipeline.storage.objects.store import ObjectStore
from pipeline.storage.store import DamagedError

_ADDRESS: Final = "usage://data"
_FOLDERS: Final = frozenset(("events", "cube", "actors", "quarantine", "runs"))
_MANIFESTS: Final = "manifests/"
_ALL: Final = f"{_MANIFESTS}all.json"  # what `manifests/*.json` finds: a line for each workspace
_COPIES_BYTES: Final = 2 << 30  # of copies of files that are kept for other statements
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_magic: Final = re.compile(r"[*?\[]").search


class ObjectSource:
    """The tables of an object store, as of the root that is current when a statement begins.

    Args:
        store: as of the root that was current when the session was opened.
        most: bytes of the copies that are kept for other statements.
    """

    address: Final = _ADDRESS
    files: Final = list(FILES)

    def __init__(self, store: ObjectStore, most: int = _COPIES_BYTES) -> None:
        self._files = ObjectFiles(store, most)

    def database(self, temporary: Path) -> Path:
        """Return a database for this session alone.

        Raises:
            OSError: it cannot be written.
        """
        path = temporary / database.DATABASE
        database.build(path, _ADDRESS)
        return path

    def connect(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a connection read the tables through the file system."""
        connection.register_filesystem(self._files)
        # The same path may be another file in the next statement, and copies are on the disk anyway.
        connection.execute("set enable_external_file_cache = false")

    def begin(self) -> None:
        """Read the current root.

        Raises:
            QueryError: the store cannot be used.
        """
        try:
            self._files.renew()
        except (ObjectStoreError, LayoutError) as error:
            raise QueryError(str(error)) from None

    def is_overtaken(self, error: duckdb.Error) -> bool:  # noqa: ARG002 - DuckDB has it from the file system
        """Return whether a file was gone, and another root is current: the sweep has deleted it."""
        with suppress(ObjectStoreError, LayoutError):
            return isinstance(self._files.failure, DamagedError | LayoutError) and self._files.renew()
        return False

    def text(self, error: duckdb.Error) -> str:
        """Return why a file could not be read, or else DuckDB's message."""
        return error_text(error) if self._files.failure is None else str(self._files.failure)


class _Copy(BufferedReader):
    """A file that is closed when nobody has it any more: DuckDB does not always do so."""

    def __del__(self) -> None:
        self.close()


class ObjectFiles(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    """The current files by logical path; several threads may use it.

    Args:
        store: as of some root.
        most: bytes of the copies that are kept; one is always kept.
    """

    protocol = "usage"
    cachable = False

    def __init__(self, store: ObjectStore, most: int) -> None:
        super().__init__()
        self._store, self._most = store, most
        self._small: dict[str, bytes] = {}  # what statements read that is no object of the tables
        self._copies: OrderedDict[Path, int] = OrderedDict()  # with their sizes, that used last at the end
        self._bytes = 0  # of all of them
        self._lock = Lock()
        self.failure: Exception | None = None  # of the current statement

    def renew(self) -> bool:
        """Let another statement begin, and return whether another root is current.

        Raises:
            ObjectStoreError: the store cannot be used.
            LayoutError: the root cannot be decoded.
        """
        store = self._store.latest()
        is_other = store is not self._store
        self._store, self._small, self.failure = store, {}, None
        return is_other

    def glob(self, path: str, **_: Any) -> list[str]:
        """Return the paths of the files that a pattern matches."""
        with self._noted():
            return [f"{_ADDRESS}/{uri}" for uri in self._matching(_uri(path))]

    def open(self, path: str, mode: str = "rb", **_: Any) -> BinaryIO:
        """Open a file for reading."""
        if mode != "rb":
            raise PermissionError(path)
        uri = _uri(path)
        with self._noted():
            return BytesIO(self._content(uri)) if _is_small(uri) else self._copy(uri)

    def size(self, path: str) -> int:
        """Return the size of a file in bytes."""
        uri = _uri(path)
        with self._noted():
            return len(self._content(uri)) if _is_small(uri) else self._store.size(uri)

    def modified(self, _: str) -> datetime:
        """Return a constant: as long as a statement runs, no file changes."""
        return _LONG_AGO

    def _matching(self, pattern: str) -> list[str]:
        if pattern == f"{_MANIFESTS}*.json":
            return [_ALL]
        if pattern.startswith(_MANIFESTS) or pattern in FILES:
            return [pattern] if self._small_exists(pattern) else []
        if pattern.partition("/")[0] not in _FOLDERS:
            return []
        magic = _magic(pattern)
        if magic is None:
            return [pattern] if self._store.exists(pattern) else []
        matches = re.compile(glob_translate(pattern)).fullmatch
        names = self._store.names(pattern[: pattern.rindex("/", 0, magic.start()) + 1])
        return [name for name in names if matches(name)]

    def _small_exists(self, uri: str) -> bool:
        try:
            return bool(self._content(uri)) or uri in FILES
        except FileNotFoundError:
            return False

    def _content(self, uri: str) -> bytes:
        """Return the content of a manifest or of a file of the directory.

        Raises:
            FileNotFoundError: there is none.
        """
        if uri not in self._small:
            self._small[uri] = self._manifests(uri) if uri.startswith(_MANIFESTS) else self._read(uri)
        return self._small[uri]

    def _manifests(self, uri: str) -> bytes:
        wanted = [uri.removeprefix(_MANIFESTS).removesuffix(".json")] if uri != _ALL else self._store.workspaces()
        months = self._store.months(wanted)
        return b"".join(msgspec.json.encode(Manifest(name, "", found)) + b"\n" for name, found in months.items())

    def _read(self, uri: str) -> bytes:
        content = self._store.client.get(uri)
        if content is None:
            raise FileNotFoundError(uri)
        return content.bytes

    def _copy(self, uri: str) -> BinaryIO:
        """Open a copy of a published file; copies that were not used for long are removed."""
        while True:
            path = self._store.local(uri)
            # Another thread may remove the copy before it is open; afterwards it may.
            with self._lock, suppress(FileNotFoundError):
                file = _Copy(FileIO(path))
                self._keep(path, self._store.size(uri))
                return file

    def _keep(self, path: Path, size: int) -> None:
        """Note that a copy is used, and remove those that were not used for longest if there are too many bytes."""
        self._bytes += size - self._copies.pop(path, 0)
        self._copies[path] = size
        while self._bytes > self._most and len(self._copies) > 1:
            oldest, bytes_ = self._copies.popitem(last=False)
            self._bytes -= bytes_
            oldest.unlink(missing_ok=True)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Note a failure, of which DuckDB would show the traceback."""
        try:
            yield
        except Exception as error:
            self.failure = error
            raise


def _uri(path: str) -> str:
    return path.removeprefix(f"{_ADDRESS}/")


def _is_small(uri: str) -> bool:
    return uri.startswith(_MANIFESTS) or uri in FILES
