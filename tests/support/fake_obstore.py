"""An object store in memory, in place of the functions of obstore: exact about conditions, and faulty on demand.

ETags are hashes of content, as those of S3. obstore's own `MemoryStore` counts instead, so that a content that returns
would have a new ETag; and the one that it reports is not the one that it compares.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

from obstore.exceptions import AlreadyExistsError, GenericError, NotModifiedError, PreconditionError

Fault = Literal["", "lost request", "lost answer", "delayed", "conflict", "killed before", "killed after"]


class Killed(BaseException):
    """Raised where a process is killed: no code of it runs any more."""


class Stored(NamedTuple):
    """An object: its bytes, and the second in which it was stored."""

    content: bytes
    stored: int

    @property
    def etag(self) -> str:
        """Return the ETag."""
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'


class _Result:
    def __init__(self, meta: dict[str, Any], content: bytes) -> None:
        self.meta, self._content = meta, content

    def stream(self, min_chunk_size: int) -> Iterator[Any]:
        for start in range(0, len(self._content), min_chunk_size):
            yield self._content[start : start + min_chunk_size]

    def bytes(self) -> bytes:
        return self._content


class FakeObstore:
    """The functions of obstore that a client calls, on objects in memory.

    Args:
        now: the store's clock, in seconds.
        fault: returns what happens to a request, by method and key.
    """

    def __init__(self, now: Callable[[], int], fault: Callable[[str, str], Fault] = lambda *_: "") -> None:
        self.objects: dict[str, Stored] = {}
        self.store = SimpleNamespace(S3Store=lambda *_, **__: None)
        self.fault, self._now = fault, now
        self.when_put: Callable[[str], None] = lambda _: None
        self.when_deleted: Callable[[str], None] = lambda _: None
        self._late: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    def deliver_late(self) -> None:
        """Carry out the delayed requests now; nobody gets the answers."""
        late, self._late = self._late, []
        for request in late:
            with suppress(AlreadyExistsError, PreconditionError):
                request()

    def result(self, path: str) -> "_Result":
        """Return an object, whatever faults are planned."""
        return _Result(self._meta(path), self._found(path).content)

    def get(self, _: object, path: str, *, options: Any = None) -> Any:
        """Return an object."""
        options = options or {}

        def answer() -> _Result:
            found = self._found(path)
            if options.get("if_none_match") == found.etag:
                raise NotModifiedError("status code: 304")
            if options.get("if_match", found.etag) != found.etag:
                raise PreconditionError("status code: 412")
            wanted = options.get("range", {"offset": 0})
            start, end = wanted if isinstance(wanted, tuple) else (wanted["offset"], None)
            return _Result(self._meta(path), found.content[start:end])

        return self._sent("get", path, answer)

    def head(self, _: object, path: str) -> Any:
        """Return what is known of an object."""
        return self._sent("head", path, lambda: self._meta(path))

    def put(self, _: object, path: str, file: bytes | Path, *, mode: Any = None) -> Any:
        """Store an object."""
        content = file.read_bytes() if isinstance(file, Path) else bytes(file)

        def answer() -> dict[str, Any]:
            current = self.objects.get(path)
            if mode == "create" and current is not None:
                raise AlreadyExistsError("status code: 412")
            if isinstance(mode, dict) and (current is None or current.etag != mode["e_tag"]):
                raise PreconditionError("status code: 412")
            self.objects[path] = Stored(content, self._now())
            self.when_put(path)
            return {"e_tag": self.objects[path].etag}

        return self._sent("put", path, answer)

    def delete(self, _: object, paths: list[str]) -> None:
        """Delete objects."""

        def answer() -> None:
            for path in paths:
                self.objects.pop(path, None)
                self.when_deleted(path)

        self._sent("delete", paths[0], answer)

    def list(self, _: object, prefix: str | None = None, *, chunk_size: int = 50) -> Iterator[list[dict[str, Any]]]:
        """List the objects below a folder."""
        folder = f"{prefix}/" if prefix else ""
        names = sorted(name for name in self.objects if name.startswith(folder))
        for start in range(0, len(names), chunk_size):
            yield [self._meta(name) for name in names[start : start + chunk_size] if name in self.objects]

    def _sent(self, method: str, path: str, answer: Callable[[], Any]) -> Any:
        fault = self.fault(method, path)
        with self._lock:
            if fault == "conflict":
                raise AlreadyExistsError("status code: 409")
            if fault == "killed before":
                raise Killed
            if fault == "delayed":
                self._late.append(answer)
            if fault in {"lost request", "delayed"}:
                raise GenericError("error sending request")
            result = answer()
            if fault == "lost answer":
                raise GenericError("error sending request")
            if fault == "killed after":
                raise Killed
            return result

    def _found(self, path: str) -> Stored:
        if path not in self.objects:
            raise FileNotFoundError(path)
        return self.objects[path]

    def _meta(self, path: str) -> dict[str, Any]:
        found = self._found(path)
        stored = datetime.fromtimestamp(found.stored, UTC)
        return {"path": path, "e_tag": found.etag, "size": len(found.content), "last_modified": stored}
