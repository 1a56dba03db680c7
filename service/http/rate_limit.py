"""The rate limits of API keys: how much of its limit each key has used in the current minute of UTC.

Answers are counted, not requests, because only an answer shows whether it is free. So a limit of N lets exactly N
answers through in a minute, in whatever order they begin and end, and once they are spent a request is refused before
any work is done. A single process counts in its own memory. Several processes count exactly in a shared store, any that
the package `limits` supports.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, cast
from urllib.parse import quote

import structlog
from limits.aio.storage import Storage
from limits.storage import storage_from_string

from pipeline.contract.calendar import SECOND_US
from pipeline.contract.settings import SettingError
from service.errors import RateLimitedError

IN_PROCESS: Final = "memory://"

_MINUTE_SECONDS: Final = 60
_MINUTE_US: Final = _MINUTE_SECONDS * SECOND_US
_MINUTES_KEPT: Final = 2  # requests of the previous minute may still be under way
_STORE_KEEPS_SECONDS: Final = _MINUTES_KEPT * _MINUTE_SECONDS

_TIMEOUT_SECONDS: Final = 0.25  # for one call of the store
_LAST_STEPS: Final = 10  # steps of the event loop between the arrival of the bytes and the number they hold
_PAUSE_SECONDS: Final = 5.0  # how long the store is not called after a call has failed
_LOG_INTERVAL_SECONDS: Final = 60.0

_log: Final = structlog.stdlib.get_logger("service.http.rate_limit")


class RateLimitState(NamedTuple):
    """What a key has used of its limit once an answer is counted."""

    limit: int  # answers a minute
    used: int
    refused: bool  # other answers spent the limit meanwhile, so that this one must not be given
    now: int  # the instant of the request, in microseconds UTC

    def fields(self, refused: bool) -> list[tuple[bytes, bytes]]:
        """Return the headers that inform the client, with `Retry-After` if the answer is a refusal.

        These are the customary `X-RateLimit-*` and the fields of draft-ietf-httpapi-ratelimit-headers (since version
        08).
        """
        reset = (self.now // _MINUTE_US + 1) * _MINUTE_SECONDS
        wait = -((self.now - reset * SECOND_US) // SECOND_US)  # rounded up: 1 to 60
        remaining = max(self.limit - self.used, 0)
        fields = [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % remaining),
            (b"x-ratelimit-reset", b"%d" % reset),
            (b"ratelimit-policy", b'"key";q=%d;w=60' % self.limit),
            (b"ratelimit", b'"key";r=%d;t=%d' % (remaining, wait)),
        ]
        if refused:
            fields.append((b"retry-after", b"%d" % wait))
        return fields


class RateLimiter:
    """Counts the answers of limited API keys.

    `_minutes` holds the counts of each minute by key: its own, or the last ones read from the store. A spent limit
    stays spent, so the store is called once for each answer that is given and never for a refusal. While the store
    cannot be reached, each process counts for itself; after a pause it calls the store again.
    """

    def __init__(self, store: Storage | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._minutes: dict[int, dict[str, int]] = {}
        self._paused_until = self._next_log = float("-inf")

    def check(self, key_id: str, limit: int, now: int) -> None:
        """Pass a request unless the limit of its key is known to be spent.

        Args:
            key_id: the key of the request.
            limit: answers a minute.
            now: the instant of the request, in microseconds UTC.

        Raises:
            RateLimitedError: the limit is spent.
        """
        if self._counts(now // _MINUTE_US).get(key_id, 0) >= limit:
            raise RateLimitedError

    async def settle(self, key_id: str, limit: int, now: int, *, free: bool) -> RateLimitState:
        """Count an answer, unless it is free, and return what the key has used.

        Args:
            key_id: the key of the request.
            limit: answers a minute.
            now: the instant of the request, in microseconds UTC.
            free: whether the answer does not count against the limit.
        """
        minute = now // _MINUTE_US
        counts = self._counts(minute)
        used = counts.get(key_id, 0)
        if used >= limit:
            return RateLimitState(limit, used, True, now)
        if self._store is None or self._monotonic() < self._paused_until:
            total = used + (not free)
        else:
            try:
                total = await _in_time(
                    _count(self._store, f"usage:{minute}:{quote(key_id, safe='')}", limit, free=free)
                )
            except Exception as error:  # noqa: BLE001 - each kind of store fails in its own way
                self._pause(error)
                total = counts.get(key_id, 0) + (not free)
        refused = total >= limit if free else total > limit
        counts[key_id] = min(total, limit)  # no more than that: the limit may be raised within the minute
        return RateLimitState(limit, total, refused, now)

    def _counts(self, minute: int) -> dict[str, int]:
        counts = self._minutes.get(minute)
        if counts is None:
            counts = self._minutes[minute] = {}
            if len(self._minutes) > _MINUTES_KEPT:
                del self._minutes[next(iter(self._minutes))]
        return counts

    def _pause(self, error: Exception) -> None:
        now = self._monotonic()
        self._paused_until = now + _PAUSE_SECONDS
        if now >= self._next_log:
            self._next_log = now + _LOG_INTERVAL_SECONDS
            _log.warning("rate limit store out of reach, each worker counts for itself", reason=type(error).__name__)


def open_store(uri: str) -> Storage | None:
    """Return the store that a URI names, not yet connected, or None to count in this process.

    Raises:
        SettingError: there is no such store; the message does not repeat the URI, which may hold a password.
    """
    if uri == IN_PROCESS:
        return None
    scheme = uri.partition(":")[0]
    options = {"implementation": "redispy"} if scheme.startswith("redis") else {}
    try:
        return cast(Storage, storage_from_string(f"async+{uri}", **options))
    except Exception:  # noqa: BLE001 - each kind of store refuses a URI in its own way
        raise SettingError("USAGE_RATE_LIMIT_STORE names no store that can be used: try redis://host:6379") from None


async def _in_time(counting: Coroutine[Any, Any, int]) -> int:
    """Return the result of a call of the store.

    A result that arrived while this process was busy with something else still counts as in time.

    Raises:
        TimeoutError: the store took longer than `_TIMEOUT_SECONDS`.
    """
    task = asyncio.ensure_future(counting)
    await asyncio.wait([task], timeout=_TIMEOUT_SECONDS)
    for _ in range(_LAST_STEPS):
        if not task.done():
            await asyncio.sleep(0)
    if not task.done():
        task.cancel()
        raise TimeoutError
    return task.result()


async def _count(store: Storage, name: str, limit: int, *, free: bool) -> int:
    """Return how many answers a key has had in a minute, including this one unless it is free."""
    if free:
        return await store.get(name)
    total = await store.incr(name, _STORE_KEEPS_SECONDS)
    if total > limit:  # it is refused, and must not count if the limit is raised within the minute
        await store.incr(name, _STORE_KEEPS_SECONDS, -1)
    return total
