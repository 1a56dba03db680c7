"""The tables in a data folder: what is published, each workspace's manifest, and the files that it names.

Reads `published.json`, the manifests and the tables; writes nothing. One `stat` a request shows whether anything
changed. The manifests in memory are bounded in bytes.
"""

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa

from pipeline.contract.files import open_file
from pipeline.contract.layout import StoredFile
from pipeline.contract.tables import PUBLISHED, Manifest, Month, Published, events_path, manifest_path
from service.lru import LruCache
from service.tables.source import Fetched, Identity, Readable

_MEMORY_BYTES: Final = 8 << 20
# What a workspace takes in memory: as Python objects, a manifest takes several times its text.
_WORKSPACE_BYTES: Final = 1000
_OBJECT_FACTOR: Final = 4


class FolderFiles(NamedTuple):
    """The files of one workspace as of one manifest."""

    data_dir: Path
    workspace_id: str
    months: Mapping[str, Month]

    def month(self, path: str) -> Readable:
        """Return the path of a file of a month."""
        return self.data_dir / path

    def day(self, day: date) -> "FolderDay":
        """Return the events of a UTC day, opened, so that they are read as they were if they are replaced."""
        return FolderDay(self.data_dir / events_path(self.workspace_id, day.isoformat()))


class FolderDay:
    """The events of one day in an open file."""

    def __init__(self, path: Path) -> None:
        self._file = pa.OSFile(str(path))
        stat = os.fstat(self._file.fileno())
        self.identity: Identity = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)

    def open(self) -> Readable:
        """Return the open file."""
        return self._file

    def close(self) -> None:
        """Close it."""
        self._file.close()


class _Loaded(NamedTuple):
    """A workspace in memory."""

    files: FolderFiles
    manifest: Identity  # None: it has no manifest
    published: Identity  # of `published.json` when the manifest was last looked at
    size_bytes: int


class FolderSource:
    """The tables of one data folder.

    Args:
        data_dir: the folder.
        memory_bytes: how much memory the manifests may take.
    """

    def __init__(self, data_dir: Path, memory_bytes: int = _MEMORY_BYTES) -> None:
        self._data_dir = data_dir
        self._published = PublishedFile(data_dir, Published)
        self._workspaces: LruCache[_Loaded] = LruCache(memory_bytes)
        self.identity = self._published.identity
        self.published = self._published.read

    @property
    def loaded_workspaces(self) -> int:
        """Return how many workspaces are in memory."""
        return len(self._workspaces)

    def files(self, workspace_id: str, published: Published, identity: Identity, fetched: Fetched) -> FolderFiles:  # noqa: ARG002 - those of a folder need not be fetched
        """Return the files that the manifest of a workspace names."""
        path = self._data_dir / manifest_path(workspace_id)
        known = self._workspaces.get(workspace_id)
        if known is not None and known.published == identity:
            return known.files
        if known is not None and known.manifest == _stat(path):
            known = known._replace(published=identity)
        else:
            manifest: Identity
            try:
                content, manifest = _read(path)
                months = msgspec.json.decode(content, type=Manifest).months
            except FileNotFoundError:  # no events so far
                content, manifest, months = b"", None, {}
            files = FolderFiles(self._data_dir, workspace_id, months)
            known = _Loaded(files, manifest, identity, _WORKSPACE_BYTES + _OBJECT_FACTOR * len(content))
        self._workspaces.put(workspace_id, known, known.size_bytes)
        return known.files

    def forget(self, workspace_id: str) -> None:
        """Read the manifest of a workspace again."""
        self._workspaces.drop(workspace_id)

    async def fetch(self, missing: Mapping[str, StoredFile]) -> Fetched:
        """Return nothing: the files of a folder are always at hand."""
        raise NotImplementedError(missing)

    async def read_again(self) -> None:
        """Do nothing: each request looks."""

    def away_since(self) -> int | None:
        """Return None: a folder that is away answers no request."""
        return None

    def close(self) -> None:
        """Do nothing: there are no threads."""


class PublishedFile:
    """`published.json` in a folder, and its identity by one `stat`.

    Args:
        folder: in which the file is, or will be.
        kind: what it holds.
    """

    def __init__(self, folder: Path, kind: type[Published]) -> None:
        self._path = str(folder / PUBLISHED)  # not a Path, which would cost something at every request
        self._kind = kind

    def identity(self) -> Identity:
        """Return the identity of the file."""
        return _identity(os.stat(self._path))  # noqa: PTH116 - the one file that every request touches

    def read(self) -> tuple[Published, Identity]:
        """Return the content and the identity of the file."""
        content, identity = _read(Path(self._path))
        return msgspec.json.decode(content, type=self._kind), identity


def _read(path: Path) -> tuple[bytes, Identity]:
    """Return the content and the identity of a file, both of the same file even if it is being replaced."""
    with open_file(path) as file:
        return file.read(), _identity(os.fstat(file.fileno()))


def _stat(path: Path) -> Identity:
    try:
        return _identity(path.stat())
    except FileNotFoundError:
        return None


def _identity(stat: os.stat_result) -> Identity:
    # A rename changes at least one of them.
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
