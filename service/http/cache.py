"""Answers that can be given again: their bytes in memory, and the tags by which clients know theirs.

The key of the memory is what is published and the question; a question holds everything else an answer depends on. A
tag is over the data and who asks, not over `meta`, which is new each time. What a request came to is remembered too, so
that the same one need not be understood again.
"""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple
from weakref import ReferenceType, ref

import msgspec

from service.auth.authentication import Caller
from service.auth.directory import Directory
from service.lru import LruCache
from service.tables.snapshots import Identity

_LIMIT_BYTES: Final = 64 << 20  # every zone, range and view of one workspace
_REQUESTS_BYTES: Final = 8 << 20  # likewise
_REQUEST_BYTES: Final = 700  # key, reference and the rest
_ENTRY_BYTES: Final = 2000  # question, digest and the rest
_DIGEST_BYTES: Final = 16


class CachedAnswer(msgspec.Struct, frozen=True, weakref=True):
    """The JSON of an answer without `meta`, or another form of it, and the digest of that and its question."""

    data: bytes
    digest: bytes


class AnswerCache:
    """The most recent answers and their forms."""

    def __init__(self) -> None:
        self._recent: LruCache[CachedAnswer] = LruCache(_LIMIT_BYTES)

    def get(self, key: Hashable) -> CachedAnswer | None:
        """Return the answer to an equal question on the same tables, or one of its forms, or None."""
        return self._recent.get(key)

    def put(self, key: Hashable, data: bytes, digest: bytes) -> CachedAnswer:
        """Remember and return an answer."""
        answer = CachedAnswer(data, digest)
        self._recent.put(key, answer, _ENTRY_BYTES + len(data))
        return answer


class Request(NamedTuple):
    """Everything that is sent and that an answer depends on."""

    path: str
    query_string: bytes
    caller: Caller


class _Past(NamedTuple):
    """A request that was answered, and when and with what its meaning was the same."""

    answer: ReferenceType[CachedAnswer]  # gone when the answer is
    directory: Directory
    tables: Identity | None
    since: int
    until: int


class RequestCache:
    """What recent requests came to, as long as the answers are in memory.

    A request means the same question until the directory changes, or the local day or the billing period ends; and that
    has the same answer until something is published.
    """

    def __init__(self) -> None:
        self._recent: LruCache[_Past] = LruCache(_REQUESTS_BYTES)

    def get(self, request: Request, directory: Directory, tables: Identity | None, now: int) -> CachedAnswer | None:
        """Return the answer to a request that can only mean what it meant before."""
        past = self._recent.get(request)
        if past is None or past.directory is not directory or past.tables != tables:
            return None
        return past.answer() if past.since <= now < past.until else None

    def put(
        self,
        request: Request,
        directory: Directory,
        tables: Identity | None,
        now: int,
        until: int,
        answer: CachedAnswer,
    ) -> None:
        """Remember what a request came to; `until` is when it means something else."""
        past = _Past(ref(answer), directory, tables, now, until)
        self._recent.put(request, past, _REQUEST_BYTES + len(request.query_string))


def question_digest(path: str, question: msgspec.Struct, data: bytes) -> bytes:
    """Return the digest of an answer: the same in every process and after a restart."""
    return _digest(path.encode(), msgspec.msgpack.encode(question), data)


def form_digest(digest: bytes, columns: Sequence[str]) -> bytes:
    """Return the digest of an answer laid out in columns, without having to lay it out."""
    return _digest(digest, *(column.encode() for column in columns))


@lru_cache(maxsize=1 << 12)
def etag(digest: bytes, caller: Caller) -> bytes:
    """Return the weak tag of an answer given to a caller."""
    return b'W/"%b"' % _digest(digest, msgspec.msgpack.encode(caller)).hex().encode()


def matches(tag: bytes, if_none_match: Sequence[bytes]) -> bool:
    """Return whether a client already holds the answer with this tag; weak and strong tags compare alike."""
    opaque = tag.removeprefix(b"W/")
    return any(
        value.strip(b" \t") == b"*"  # alone: within a list it is no tag
        or any(candidate.strip(b" \t").removeprefix(b"W/") == opaque for candidate in value.split(b","))
        for value in if_none_match
    )


def _digest(*parts: bytes) -> bytes:
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()
