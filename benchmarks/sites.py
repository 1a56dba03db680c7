"""Where the data of a soak test lie: a folder, or an object store with services that may only read it.

Writes raw logs and files of the directory, as producers and the product would.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from pipeline.contract.location import Location
from pipeline.contract.settings import DIRECTORY, RAW


class Site(Protocol):
    """Where the data lie.

    Attributes:
        address: for commands that change them.
        seen: for services.
        is_read_only: whether nothing that a service does could change them.
        directory_seconds: by then a change of the directory is certainly in force.
    """

    address: str
    seen: str
    is_read_only: bool
    directory_seconds: float

    def write(self, path: str, content: bytes) -> None:
        """Write a file below the data folder, in place of another of its name, so that nobody sees a part of it."""

    def append(self, path: str, content: bytes) -> None:
        """Append to a file, which need not exist."""

    def settings(self, number: int) -> Mapping[str, str]:
        """Return the environment variables of the service of a number."""


class FolderSite:
    """A folder.

    Args:
        root: the folder, which is created.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.address = self.seen = str(root)
        self.is_read_only, self.directory_seconds = False, 1.5
        for folder in (RAW, DIRECTORY):
            (root / folder).mkdir(parents=True)

    def write(self, path: str, content: bytes) -> None:
        """Write a file."""
        temporary = (self._root / path).with_suffix(".tmp")
        temporary.write_bytes(content)
        temporary.replace(self._root / path)

    def append(self, path: str, content: bytes) -> None:
        """Append to a file."""
        with (self._root / path).open("ab") as file:
            file.write(content)

    def settings(self, number: int) -> Mapping[str, str]:  # noqa: ARG002 - as `Site` has it
        """Return nothing."""
        return {}


class ObjectSite:
    """A location on an object store.

    Args:
        location: with nothing in it.
        folder: for the copies that services keep.
        reader: the environment variables with which a service may only read.
    """

    def __init__(self, location: Location, folder: Path, reader: Mapping[str, str]) -> None:
        from pipeline.contract.object_client import Client  # noqa: PLC0415 - a folder does without its package

        self.is_read_only = False
        self._client, self._folder, self._reader = Client(location), folder, reader
        self._appended: dict[str, bytes] = {}
        self.address = self.seen = location.url
        self.directory_seconds = 4.5

    def refuse_writing(self) -> None:
        """Check that the credentials of the environment, which are a service's now, do not allow to write.

        Raises:
            RuntimeError: they do.
        """
        from pipeline.contract.object_client import Client  # noqa: PLC0415 - likewise
        from pipeline.contract.object_errors import AccessError  # noqa: PLC0415 - likewise

        try:
            Client(self._client.location).replace("probe", b"", None)
        except AccessError:
            self.is_read_only = True
        else:
            raise RuntimeError("the reader's key may write")

    def write(self, path: str, content: bytes) -> None:
        """Put an object."""
        found = self._client.head(path)
        self._client.replace(path, content, found.etag if found else None)

    def append(self, path: str, content: bytes) -> None:
        """Put an object that begins with what it was: objects do not grow."""
        self._appended[path] = self._appended.get(path, b"") + content
        self.write(path, self._appended[path])

    def settings(self, number: int) -> Mapping[str, str]:
        """Return the credentials of a reader, and a folder for copies of its own."""
        return {**self._reader, "USAGE_CACHE_DIR": str(self._folder / f"cache-{number}")}


@contextmanager
def folder_site() -> Iterator[FolderSite]:
    """Yield a folder; services see it through a read-only mount if root may make one."""
    with tempfile.TemporaryDirectory() as folder:
        site = FolderSite(Path(folder) / "data")
        seen = Path(folder) / "seen"
        seen.mkdir()
        mount = shutil.which("mount")
        if os.geteuid() or not mount or subprocess.run([mount, "--bind", site.seen, seen], check=False).returncode:  # noqa: S603
            yield site
            return
        try:
            subprocess.run([mount, "-o", "remount,bind,ro", seen], check=True)  # noqa: S603 - a tool
            site.seen, site.is_read_only = str(seen), True
            yield site
        finally:
            subprocess.run(["umount", "-l", seen], check=True)  # noqa: S603, S607 - a tool


@contextmanager
def object_site() -> Iterator[ObjectSite]:
    """Yield a location on a new object store; commands of this process find it by their environment."""
    from tests.support.object_servers import BUCKET, ENVIRONMENT, READER_KEYS, seaweedfs  # noqa: PLC0415 - likewise

    before = dict(os.environ)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "store").mkdir()
        endpoint = stack.enter_context(seaweedfs(folder / "store"))
        reader = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), READER_KEYS, strict=True))
        try:
            site = ObjectSite(Location(BUCKET, f"soak-{secrets.token_hex(4)}", endpoint), folder, reader)
            os.environ.update(ENVIRONMENT, USAGE_S3_ENDPOINT=endpoint)
            site.write("raw/first.tmp", b"")  # creates the bucket
            os.environ.update(reader)
            site.refuse_writing()
            os.environ.update(ENVIRONMENT)
            yield site
        finally:
            os.environ.clear()
            os.environ.update(before)
