"""The caches of answers and of requests, and the entity tags by which clients recognise an answer.

The key of an answer is the identity of `published.json` together with the question, which holds everything else that
the answer depends on. An entity tag covers the data and the caller, not `meta`, which is new for every request. A
repeated request leads to its answer without being parsed.
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
from service.tables.source import Identity

_ANSWERS_BYTES: Final = 64 << 20  # room for every zone, range and view of one workspace
_REQUESTS_BYTES: Final = 8 << 20  # likewise
_REQUEST_BYTES: Final = 700  # what an entry takes besides its query string
_ENTRY_BYTES: Final = 2000  # what an entry takes besides its data
_DIGEST_BYTES: Final = 16


class CachedAnswer(msgspec.Struct, frozen=True, weakref=True):
    """An answer without `meta`, as JSON or in another form."""

    data: bytes
    digest: bytes  # of the JSON and its question


class AnswerCache:
    """The recently used answers and their forms."""

    def __init__(self) -> None:
        self._recent: LruCache[CachedAnswer] = LruCache(_ANSWERS_BYTES)

    def get(self, key: Hashable) -> CachedAnswer | None:
        """Return the answer or the form that was put under an equal key, or None."""
        return self._recent.get(key)

    def put(self, key: Hashable, data: bytes, digest: bytes) -> CachedAnswer:
        """Keep an answer or a form, and return it."""
        answer = CachedAnswer(data, digest)
        self._recent.put(key, answer, _ENTRY_BYTES + len(data))
        return answer


class Request(NamedTuple):
    """Everything in a request that its answer depends on."""

    path: str
    query_string: bytes
    caller: Caller
    is_csv: bool


class _Answered(NamedTuple):
    """The answer to an earlier request, and the conditions under which the same request has the same answer."""

    answer: ReferenceType[CachedAnswer]  # weak, so that an evicted answer frees its memory
    directory: Directory
    tables: Identity | None
    since: int  # [since, until) in microseconds UTC
    until: int


class RequestCache:
    """The answers to recent requests, as long as these answers are in memory.

    A request means the same question until the directory changes, or until the local day, the billing period or (if it
    matters) the quarter-hour ends. The question has the same answer until something is published. For how much this
    cache saves, see docs/decisions/0010-what-was-tried-for-reading.md.
    """

    def __init__(self) -> None:
        self._recent: LruCache[_Answered] = LruCache(_REQUESTS_BYTES)

    def get(self, request: Request, directory: Directory, tables: Identity | None, now: int) -> CachedAnswer | None:
        """Return the answer to an equal request if it still has the same answer at this instant, or None."""
        earlier = self._recent.get(request)
        if earlier is None or earlier.directory is not directory or earlier.tables != tables:
            return None
        return earlier.answer() if earlier.since <= now < earlier.until else None

    def put(
        self,
        request: Request,
        directory: Directory,
        tables: Identity | None,
        now: int,
        until: int,
        answer: CachedAnswer,
    ) -> None:
        """Keep the answer to a request; `until` is the instant from which the request means another question."""
        answered = _Answered(ref(answer), directory, tables, now, until)
        self._recent.put(request, answered, _REQUEST_BYTES + len(request.query_string))


def question_digest(path: str, question: msgspec.Struct, data: bytes) -> bytes:
    """Return the digest of an answer, which is the same in every process and after a restart."""
    return _digest(path.encode(), msgspec.msgpack.encode(question), data)


def form_digest(digest: bytes, columns: Sequence[str]) -> bytes:
    """Return the digest of an answer as CSV with these columns, from the digest of its JSON."""
    return _digest(digest, *(column.encode() for column in columns))


@lru_cache(maxsize=1 << 12)
def etag(digest: bytes, caller: Caller) -> bytes:
    """Return the weak entity tag of an answer for one caller."""
    return b'W/"%b"' % _digest(digest, msgspec.msgpack.encode(caller)).hex().encode()


def matches(tag: bytes, if_none_match: Sequence[bytes]) -> bool:
    """Return whether a client already holds the answer with this tag; weak and strong tags compare as equal.

    Args:
        tag: of the answer.
        if_none_match: the values of the request's `If-None-Match` headers.
    """
    opaque = tag.removeprefix(b"W/")
    return any(
        value.strip(b" \t") == b"*"  # only if it is alone: in a list it is not a tag
        or any(candidate.strip(b" \t").removeprefix(b"W/") == opaque for candidate in value.split(b","))
        for value in if_none_match
    )


def _digest(*parts: bytes) -> bytes:
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()
