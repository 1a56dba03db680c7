"""Raw files that are objects: an object does not grow, so one that has changed is read again as a whole.

Lists and reads the objects below a location; writes a copy of each while it is read.
"""

import hashlib
import io
import os
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Final

from pipeline.contract.object_client import Client, Found
from pipeline.contract.object_errors import AccessError, ChangedError, NoBucketError, ObjectStoreError
from pipeline.load import checksums
from pipeline.load.discovery import Part
from pipeline.load.listing import Ignored, Listing, PathError, RawFile, RawFolderError, frequent
from pipeline.load.raw_names import escape, is_raw, is_unfinished, suffix, unescape
from pipeline.load.raw_source import REBUILDING, Opened

_PAUSE_STEPS: Final = 1000  # objects from one point where the listing can be stopped to the next
_COPY: Final = "object"
_BLOCK_BYTES: Final = 256 << 10
_BLOCKS: Final = 4  # of an object in memory: the first one, and those around one place


class ObjectRaw:
    """The raw files below a location.

    Args:
        client: of the location.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def require(self) -> None:
        """Check that the objects can be listed; there need not be any.

        Raises:
            RawFolderError: there is no such bucket, or it must not be listed.
            ObjectStoreError: the store cannot be used now.
        """
        try:
            next(self._client.list(), None)
        except (NoBucketError, AccessError) as error:
            raise RawFolderError(self._client.location.url, str(error)) from None

    def listed(self, paths: Collection[Path] = (), pause: Callable[[], None] = lambda: None) -> Listing:
        """Return the raw files in the order of their names, as `RawSource.listed` says.

        Raises:
            PathError: there are `paths`.
            RawFolderError: they cannot be listed.
        """
        if paths:
            raise PathError(f"raw files are in {self._client.location.url}: copy others there instead of naming them")
        files: dict[str, RawFile] = {}
        ignored: Counter[str] = Counter()
        try:
            for step, found in enumerate(self._client.list(), start=1):
                if step % _PAUSE_STEPS == 0:
                    pause()
                parts = found.key.encode().split(b"/")
                if any(part.startswith(b".") for part in parts) or not parts[-1]:
                    continue
                if is_raw(parts[-1]):
                    raw = _raw_file(found)
                    files[raw.name] = raw
                elif not is_unfinished(parts[-1]):
                    ignored[suffix(parts[-1])] += 1
        except (NoBucketError, AccessError) as error:
            raise RawFolderError(self._client.location.url, str(error)) from None
        return Listing([files[name] for name in sorted(files)], [], Ignored(ignored.total(), frequent(ignored)))

    def named(self, names: Iterable[str]) -> Listing:  # noqa: ARG002 - as `RawSource` has it
        """Return nothing: whatever was read is below the location."""
        return Listing()

    def state(self, name: str) -> tuple[int, int, int] | None:
        """Return what identifies an object, its size, and when it was stored (ns); None if it is gone."""
        found = self._client.head(_key(name))
        if found is None:
            return None
        raw = _raw_file(found)
        return raw.inode, raw.size, raw.mtime_ns

    def checksum(self, name: str, size: int) -> int:
        """Return the checksum of the first bytes of an object.

        Raises:
            OSError: it is gone.
            ObjectStoreError: the store cannot be used.
        """
        checksum = checksums.EMPTY
        for portion in self._client.stream(_key(name), size=size):
            checksum = zlib.crc32(portion, checksum)
        return checksum

    def rereading(self, _: str) -> str:
        """Return, for people, what makes a run read an object again that has not changed."""
        return REBUILDING

    def looked_at(self, part: Part) -> IO[bytes]:
        """Open the object of a part, which must be the one that was listed; its bytes are fetched where it is read.

        Raises:
            OSError: it was not listed; from the methods of the file, also as `opened` says.
        """
        return io.BufferedReader(_Blocks(self._client, _listed(part)))

    @contextmanager
    def opened(self, part: Part, folder: Callable[[], Path], ends: int) -> Iterator[Opened]:
        """Open a copy of the object of a part, which must be the one that was listed.

        The copy of a split is full of holes: it has only the bytes that are read.

        Raises:
            OSError: it is gone, is another one by now, or cannot be fetched.
        """
        raw = _listed(part)
        spans = [(0, raw.size)]
        if part.end:
            spans = [(0, min(ends, part.offset)), (max(0, part.offset - ends), part.end)]
        copy = folder() / _COPY
        try:
            with copy.open("xb") as target:
                for start, end in spans:
                    target.seek(start)
                    target.writelines(_stream(self._client, raw, start, end))
            with copy.open("rb") as file:
                yield Opened(file, raw.inode, raw.size, raw.mtime_ns)
        finally:
            copy.unlink(missing_ok=True)


class _Blocks(io.RawIOBase):
    """An object as a file, of which some blocks are kept: whoever looks at one place often looks beside it."""

    def __init__(self, client: Client, raw: RawFile) -> None:
        self._client, self._raw, self._at = client, raw, 0
        self._block = lru_cache(maxsize=_BLOCKS)(self._fetched)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._raw.size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read up to the end of a block."""
        number, start = divmod(self._at, _BLOCK_BYTES)
        found = self._block(number)[start : start + len(buffer)] if self._at < self._raw.size else b""
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def _fetched(self, number: int) -> bytes:
        start = number * _BLOCK_BYTES
        return b"".join(_stream(self._client, self._raw, start, min(start + _BLOCK_BYTES, self._raw.size)))


def _listed(part: Part) -> RawFile:
    """Return the object of a part.

    Raises:
        OSError: the part is of none.
    """
    if part.listed is None:
        raise OSError("it was not listed")
    return part.listed


def _stream(client: Client, raw: RawFile, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of an object from one offset to another.

    Raises:
        OSError: it is gone, is another one by now, or cannot be fetched.
    """
    try:
        yield from client.stream(raw.path.decode(), start=start, size=end - start, etag=raw.etag)
    except ChangedError:
        raise OSError("it was replaced while it was read") from None
    except ObjectStoreError as error:
        raise OSError(str(error)) from None


def _key(name: str) -> str:
    """Return the key of the object that has this name."""
    return unescape(name).decode()


def _raw_file(found: Found) -> RawFile:
    """Return an object as a raw file. Its ETag takes the place of the inode: another one is another file."""
    identity = int.from_bytes(hashlib.sha256(found.etag.encode()).digest()[:7], "big")
    stored = found.stored * 1000
    return RawFile(escape(found.key.encode()), found.key.encode(), identity, found.size, stored, stored, found.etag)
