"""Local copies of the few objects that are replaced: the root, and the files of the directory.

Reads `published.json` and `directory/` of an object store, by ETag, once a second and once in two seconds; writes the
same files into a folder that all workers of a service share. So one `stat` shows a worker whether anything changed, as
in a data folder, and all workers change at the same moment. One of them looks at the store; if it dies, another does.
Nobody waits for that. While the store is away, the files stay as they are.

    published.json, directory/   the copies
    etags.json                   which objects they are
    looked                       its time of modification is when the store answered last
    leader                       locked by the worker that looks at the store
    look                         locked during a look, so that the root never goes back
"""

import fcntl
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import structlog

from pipeline.contract.directory import FILES
from pipeline.contract.layout import LayoutError, Root, decode_root
from pipeline.contract.object_errors import AccessError, ObjectStoreError
from pipeline.contract.object_names import ROOT
from pipeline.contract.settings import DIRECTORY

LATE_US: Final = 10_000_000  # without an answer, after which the store is away; five looks may fail before

_ROOT_SECONDS: Final = 1.0
_DIRECTORY_LOOKS: Final = 2  # looks at the root for one at the directory
_ETAGS: Final = "etags.json"
_LOOKED: Final = "looked"
_log: Final = structlog.stdlib.get_logger("service.tables.mirror")


class Mirror:
    """The copies in one folder.

    Args:
        client: of the store; it must not repeat requests for long.
        folder: exists, and is that of one service.
        prepare: called before a root becomes the current one, with the one before, so that what it names is at hand.
    """

    def __init__(self, client: Any, folder: Path, prepare: Callable[[Root | None, Root], object]) -> None:
        self._client, self.folder, self._prepare = client, folder, prepare
        self._looked = str(folder / _LOOKED)
        self._looks = 0
        self._reason: str | None = None  # why the store was away at the last look
        self._denied: set[str] = set()  # keys to which access is denied
        self._stopping = threading.Event()

    @property
    def reason(self) -> str | None:
        """Return why the last look of this worker failed; None if it did not."""
        return self._reason

    def away_since(self) -> int | None:
        """Return when the store answered last, in microseconds UTC, if that was long ago; None if it was not."""
        try:
            looked = os.stat(self._looked).st_mtime_ns // 1000  # noqa: PTH116 - before each fetch
        except FileNotFoundError:
            return None
        return looked if time.time_ns() // 1000 - looked > LATE_US else None

    def start(self) -> None:
        """Look once, unless another worker did, and then again and again in a thread."""
        self.look(first=True)
        threading.Thread(target=self._run, name="mirror", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end."""
        self._stopping.set()

    def look(self, *, first: bool = False) -> None:
        """Look at the store now. If it is away, nothing changes, and the reason is logged once.

        Args:
            first: whether a look of another worker is enough, even one that failed.
        """
        try:
            with _locked(self.folder / "look"):
                etags = self._etags()
                if not first or etags is None:
                    self._look(etags or {})
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look may succeed
            if self._reason != str(error):
                unforeseen = not isinstance(error, ObjectStoreError | LayoutError | OSError)
                _log.error(
                    "object store not readable, what was read last stays in force",
                    reason=str(error),
                    exc_info=unforeseen,
                )
            self._reason = str(error)
        else:
            if self._reason is not None:
                _log.info("object store readable again")
            self._reason = None

    def _run(self) -> None:
        with (self.folder / "leader").open("ab") as leader:
            leads = False
            while not self._stopping.wait(_ROOT_SECONDS):
                leads = leads or _try_lock(leader)
                if leads:
                    self.look()

    def _etags(self) -> dict[str, str] | None:
        """Return the ETags of the copies that are there; None before the first look."""
        try:
            etags: dict[str, str] = msgspec.json.decode((self.folder / _ETAGS).read_bytes())
        except FileNotFoundError:
            return None
        return {key: etag for key, etag in etags.items() if (self.folder / key).exists()}

    def _look(self, etags: dict[str, str]) -> None:
        try:
            self._look_at_root(etags)
            if self._looks % _DIRECTORY_LOOKS == 0 or not (self.folder / DIRECTORY).exists():
                self._look_at_directory(etags)
        finally:
            if etags != self._etags():
                self._write(_ETAGS, msgspec.json.encode(etags))
        self._looks += 1
        (self.folder / _LOOKED).touch()

    def _look_at_root(self, etags: dict[str, str]) -> None:
        content = self._client.changed(ROOT, etags[ROOT]) if ROOT in etags else self._first(ROOT)
        if content is not None:
            root = decode_root(content.bytes)
            self._prepare(decode_root((self.folder / ROOT).read_bytes()) if ROOT in etags else None, root)
            self._write(ROOT, content.bytes)
            etags[ROOT] = content.found.etag

    def _look_at_directory(self, etags: dict[str, str]) -> None:
        """Copy the files that changed. The folder appears with the first copies of all files in it."""
        keys = {f"{DIRECTORY}/{name}" for name in FILES}
        contents: dict[str, Any] = {key: self._first(key) for key in keys.difference(etags)}
        if keys.isdisjoint(etags) and not any(contents.values()) and keys & self._denied:
            # Otherwise clients would be told that their keys are not valid.
            raise AccessError(f"no file of {self._client.location.url}/{DIRECTORY} may be read")
        gone = set()
        for key in keys.intersection(etags):
            try:
                contents[key] = self._client.changed(key, etags[key])
            except FileNotFoundError:
                gone.add(key)
        folder = self.folder / DIRECTORY
        fresh = folder if folder.exists() else self.folder / f".{secrets.token_hex(8)}"
        fresh.mkdir(mode=0o700, exist_ok=True)
        for key, content in contents.items():
            if content is not None:
                self._write(f"{fresh.name}/{key.rpartition('/')[2]}", content.bytes)
                etags[key] = content.found.etag
        for key in gone:
            (self.folder / key).unlink(missing_ok=True)
            del etags[key]
        if fresh != folder:
            fresh.rename(folder)

    def _first(self, key: str) -> Any:
        """Return an object of which there is no copy; None if there is no such object.

        S3 denies access to an object that does not exist, unless the credentials allow to list.
        """
        content = None
        try:
            content = self._client.changed(key, "")
        except FileNotFoundError:
            pass
        except AccessError as error:
            if key not in self._denied:
                _log.warning("an object does not exist, or may not be read", key=key, reason=str(error))
            self._denied.add(key)
            return None
        self._denied.discard(key)
        return content

    def _write(self, name: str, content: bytes) -> None:
        temporary = self.folder / f".{secrets.token_hex(8)}"
        temporary.write_bytes(content)
        temporary.rename(self.folder / name)


def _try_lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
