"""Reads, creates, replaces and deletes objects, with every answer that may be lost in mind.

Speaks to the store through obstore. Its library repeats what only reads. A conditional PUT it must not repeat: the
second answer would be a refusal because the first PUT was carried out. So whoever writes decides here what a lost
answer means: an object of a name that nobody else uses is there or is not; a replaced one has to be read again.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
import obstore
import obstore.store
from obstore.exceptions import BaseError, NotModifiedError

from pipeline.contract.layout import LayoutError, StoredFile
from pipeline.contract.location import Location
from pipeline.contract.object_credentials import provider, variables
from pipeline.contract.object_errors import ChangedError, ExistsError, UnavailableError, explain

TRIES: Final = 5  # of a write, and of a delete

_FIRST_PAUSE: Final = 0.2  # seconds; each further one is twice as long
_CONNECT: Final = timedelta(seconds=5)
_SILENCE: Final = timedelta(seconds=30)  # in which a server that is sending must send something
_SMALL: Final = timedelta(seconds=30)  # for a request with a few kilobytes
_LARGE: Final = timedelta(minutes=10)  # for a file, either way
_READS: Final = 6  # repetitions of what only reads
_DELETES: Final = 1_000  # keys in one request, which is what S3 allows
_STREAMED_BYTES: Final = 4 << 20


class Found(msgspec.Struct, frozen=True):
    """An object that was listed or read: its key, ETag and size, and when it was stored (microseconds, UTC)."""

    key: str
    etag: str
    size: int
    stored: int


class Content(msgspec.Struct, frozen=True):
    """An object with its bytes."""

    found: Found
    bytes: bytes


class Client:
    """The objects of one location. It may be used by several threads, and be pickled: credentials are left behind.

    Args:
        location: where they are.
        api: obstore, or what a test has in its place.
        pause: waits for some seconds before a request is repeated.
        reads: how often the library repeats what only reads.
        limit: of the time that a read may take.

    Raises:
        ObjectStoreError: from every method, if the store cannot be used.
    """

    def __init__(
        self,
        location: Location,
        *,
        api: Any = obstore,
        pause: Callable[[float], None] = time.sleep,
        reads: int = _READS,
        limit: timedelta = _LARGE,
    ) -> None:
        self.location, self._api, self._pause = location, api, pause
        self._repetitions, self._limit = reads, limit

    @cached_property
    def _reads(self) -> Any:
        """Return the connection of what the library repeats by itself."""
        return self._connect(self._limit, retries=self._repetitions, silence=_SILENCE)

    @cached_property
    def _small(self) -> Any:
        return self._connect(_SMALL)

    @cached_property
    def _large(self) -> Any:
        return self._connect(_LARGE)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave connections and credentials behind: the other process has its own."""
        return Client, (self.location,)

    def get(self, key: str, *, unless: str = "") -> Content | None:
        """Return an object; None if it does not exist, or if its ETag is still the given one.

        Which of the two is the case, a caller with an ETag need not know: a root is never deleted.
        """
        try:
            return self.changed(key, unless)
        except FileNotFoundError:
            return None

    def changed(self, key: str, etag: str) -> Content | None:
        """Return an object, unless its ETag is still the given one, which may be empty.

        Raises:
            FileNotFoundError: there is no such object.
        """
        options: dict[str, Any] | None = {"if_none_match": etag} if etag else None
        try:
            with self._explained(key):
                answer = self._api.get(self._reads, key, options=options)
                return Content(_found(answer.meta), bytes(answer.bytes()))
        except NotModifiedError:
            return None

    def read(self, key: str, file: StoredFile) -> bytes:
        """Return an immutable object.

        Raises:
            LayoutError: it does not exist, or is not as it was written.
        """
        content = self.get(key)
        if content is None:
            raise LayoutError(key, "it does not exist")
        file.refuse_damage(key, content.bytes)
        return content.bytes

    def stream(self, key: str, *, start: int = 0, size: int | None = None, etag: str = "") -> Iterator[bytes]:
        """Yield the bytes of an object in portions, from an offset on.

        Args:
            key: of the object.
            start: the first byte, which must exist unless it is 0.
            size: how many bytes; None or more than there are: to the end.
            etag: that the object must have; any if empty.

        Raises:
            FileNotFoundError: there is no such object.
            ChangedError: the object has another ETag.
        """
        if size == 0:
            return
        options: dict[str, Any] = {"if_match": etag} if etag else {}
        if size is not None:
            options["range"] = (start, start + size)
        elif start:
            options["range"] = {"offset": start}
        with self._explained(key):
            for portion in self._api.get(self._reads, key, options=options).stream(min_chunk_size=_STREAMED_BYTES):
                yield bytes(portion)

    def head(self, key: str) -> Found | None:
        """Return what is known of an object without its bytes; None if it does not exist."""
        try:
            with self._explained(key):
                return _found(self._api.head(self._reads, key))
        except FileNotFoundError:
            return None

    def list(self, prefix: str = "") -> Iterator[Found]:
        """Yield the objects below a folder, which is given without a `/` at its end."""
        with self._explained(prefix):
            for portion in self._api.list(self._reads, prefix or None, chunk_size=1_000):
                yield from map(_found, portion)

    def create(self, key: str, content: bytes | Path, file: StoredFile) -> None:
        """Store an object under a name that only this caller uses; if an answer is lost, try again.

        Args:
            key: of the object.
            content: its bytes, or the local file that has them.
            file: what is recorded of it, by which an object that exists already is recognized.

        Raises:
            LayoutError: there is an object of this name with other bytes.
        """
        for tried in range(1, TRIES + 1):
            try:
                with self._explained(key):
                    self._api.put(self._large, key, content, mode="create")
            except UnavailableError:
                if tried == TRIES:
                    raise
            except ExistsError:
                if (there := self.get(key)) is not None:
                    file.refuse_damage(key, there.bytes)
                    return
            else:
                return
            self.wait(tried)
        raise UnavailableError(f"{self.location.url}/{key} cannot be created: others keep creating and deleting it")

    def replace(self, key: str, content: bytes, etag: str | None) -> str:
        """Store a small object in place of the one that was read, and return its ETag. Never repeated.

        Args:
            key: of the object.
            content: its bytes.
            etag: of the object that is replaced; None if there was none.

        Raises:
            ChangedError: the object is another one by now, or exists by now.
            UnavailableError: the answer was lost: whoever wants to know reads the object.
        """
        try:
            with self._explained(key):
                mode = "create" if etag is None else {"e_tag": etag}
                return str(self._api.put(self._small, key, content, mode=mode)["e_tag"])
        except ExistsError:
            raise ChangedError(f"{self.location.url}/{key} was created by somebody else") from None

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that does not exist is no error."""
        pending = list(keys)
        for start in range(0, len(pending), _DELETES):
            portion = pending[start : start + _DELETES]
            for tried in range(1, TRIES + 1):
                try:
                    with self._explained(portion[0]):
                        self._api.delete(self._small, portion)
                except FileNotFoundError:
                    pass
                except UnavailableError:
                    if tried == TRIES:
                        raise
                    self.wait(tried)
                    continue
                break

    def wait(self, tried: int) -> None:
        """Wait before a request is repeated, the longer the more often it was tried."""
        self._pause(_FIRST_PAUSE * 2.0 ** (tried - 1))

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except NotModifiedError:
            raise
        except (BaseError, FileNotFoundError, ValueError) as error:
            raise explain(error, self.location.url, key, variables(self.location)) from None

    def _connect(self, limit: timedelta, *, retries: int = 0, silence: timedelta | None = None) -> Any:
        """Return the store as obstore has it, which all clients of this process share.

        The credentials are the location's own, those of AWS variables, or a role's.

        Args:
            limit: of the time that a request may take, with its answer.
            retries: how often the library repeats a request.
            silence: after which a server that should send something is given up. It would also limit how long a file
                may take to be sent, so what writes has none.
        """
        prefix = variables(self.location)
        credentials = tuple(sorted(item for item in os.environ.items() if item[0].startswith(prefix)))
        return _connection(os.getpid(), credentials, self._api, self.location, limit, retries, silence)


# Making one takes 11 ms of processor time, mostly to read certificates, and a piece of work takes less than a second.
@lru_cache(maxsize=16)
def _connection(
    process: int,  # noqa: ARG001 - its threads do not survive a fork
    credentials: object,  # noqa: ARG001 - those of the environment, or of the machine's role, as obstore finds them
    api: Any,
    location: Location,
    limit: timedelta,
    retries: int,
    silence: timedelta | None,
) -> Any:
    config: dict[str, Any] = {"conditional_put": "etag"}
    if location.endpoint:  # both names of it, since the environment may have either
        config |= {"endpoint": location.endpoint, "aws_endpoint_url_s3": location.endpoint}
        config["virtual_hosted_style_request"] = False
    options: dict[str, Any] = {"allow_http": location.is_plain, "connect_timeout": _CONNECT, "timeout": limit}
    if silence is not None:
        options["read_timeout"] = silence
    backoff = {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2}
    return api.store.S3Store(
        location.bucket,
        prefix=location.prefix or None,
        config=config,
        client_options=options,
        credential_provider=provider(location),
        retry_config={"max_retries": retries, "retry_timeout": timedelta(minutes=1), "backoff": backoff},
    )


def _found(meta: Any) -> Found:
    stored = meta["last_modified"]
    return Found(meta["path"], meta["e_tag"] or "", meta["size"], int(stored.timestamp() * 1_000_000))
