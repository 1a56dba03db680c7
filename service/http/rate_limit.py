"""How much of its limit each API key has used in the minute of UTC that runs.

Answers are counted, not requests: only then is it known which are free. A limit of N so lets exactly N answers through
in a minute, in whatever order they begin and end, and whoever comes when they are spent is refused before any work. One
process counts for itself; several count exactly together in a store that `limits` can talk to.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, cast
from urllib.parse import quote

import structlog
from limits.aio.storage import Storage
from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from pipeline.contract.calendar import SECOND_US
from pipeline.contract.settings import SettingError
from service.errors import RateLimitedError

IN_PROCESS: Final = "memory://"

_MINUTE_SECONDS: Final = 60
_MINUTE_US: Final = _MINUTE_SECONDS * SECOND_US
_MINUTES_KEPT: Final = 2  # requests of the minute before may still be on their way
_STORE_KEEPS_SECONDS: Final = _MINUTES_KEPT * _MINUTE_SECONDS

_TIMEOUT_SECONDS: Final = 0.25
_LAST_STEPS: Final = 10  # of the event loop, from bytes that have arrived to the number in them
_REST_SECONDS: Final = 5.0
_LOG_INTERVAL_SECONDS: Final = 60.0

_log: Final = structlog.stdlib.get_logger("service.http.rate_limit")


class RateLimitState(NamedTuple):
    """Where a key stands once an answer is counted: `used` of `limit` at an instant, in microseconds UTC."""

    limit: int
    used: int
    refused: bool
    now: int

    def fields(self, refused: bool) -> list[tuple[bytes, bytes]]:
        """Return the headers that tell a client, `Retry-After` with them where the answer is a refusal.

        Both the customary `X-RateLimit-*` and the fields of draft-ietf-httpapi-ratelimit-headers (since version 08).
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
    """The counts of every limited key.

    `_minutes` holds what is counted here, or was last heard from the store: what is spent stays spent, so that the
    store is asked once for each answer that is given and never for a refusal. When the store cannot be reached, each
    process counts for itself, and asks again after a rest.
    """

    def __init__(self, store: Storage | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._minutes: dict[int, dict[str, int]] = {}
        self._resting_until = self._silent_until = float("-inf")

    def check(self, key_id: str, limit: int, now: int) -> None:
        """Let a request pass if, as far as is known, its key may still have an answer.

        Raises:
            RateLimitedError: the limit is spent.
        """
        if self._counts(now // _MINUTE_US).get(key_id, 0) >= limit:
            raise RateLimitedError

    async def settle(self, key_id: str, limit: int, now: int, *, free: bool) -> RateLimitState:
        """Count an answer, unless it is free, and say where the key stands.

        Args:
            key_id: whose answer it is.
            limit: how many a minute may have.
            now: the instant of the request, in microseconds UTC.
            free: whether the answer costs nothing.

        Returns:
            The standing; `refused` where other answers spent the limit meanwhile: then it must not be given.
        """
        minute = now // _MINUTE_US
        counts = self._counts(minute)
        used = counts.get(key_id, 0)
        if used >= limit:
            return RateLimitState(limit, used, True, now)
        if self._store is None or self._monotonic() < self._resting_until:
            total = used + (not free)
        else:
            try:
                total = await _in_time(
                    _count(self._store, f"usage:{minute}:{quote(key_id, safe='')}", limit, free=free)
                )
            except Exception as error:  # noqa: BLE001 - each kind of store fails in its own way
                self._rest(error)
                total = counts.get(key_id, 0) + (not free)
        refused = total >= limit if free else total > limit
        counts[key_id] = min(total, limit)  # not more: the limit may be raised within the minute
        return RateLimitState(limit, total, refused, now)

    def _counts(self, minute: int) -> dict[str, int]:
        counts = self._minutes.get(minute)
        if counts is None:
            counts = self._minutes[minute] = {}
            if len(self._minutes) > _MINUTES_KEPT:
                del self._minutes[next(iter(self._minutes))]
        return counts

    def _rest(self, error: Exception) -> None:
        now = self._monotonic()
        self._resting_until = now + _REST_SECONDS
        if now >= self._silent_until:
            self._silent_until = now + _LOG_INTERVAL_SECONDS
            _log.warning("rate limit store out of reach, each worker counts for itself", reason=type(error).__name__)


def open_store(uri: str) -> Storage | None:
    """Return the store that a URI names, not connected yet, or None for counting in this process.

    Raises:
        SettingError: there is no such store; the text never holds the URI, which may hold a password.
    """
    if uri == IN_PROCESS:
        return None
    scheme = uri.partition(":")[0]
    options = {"implementation": "redispy"} if scheme.startswith("redis") else {}
    try:
        return cast(Storage, storage_from_string(f"async+{uri}", **options))
    except (ConfigurationError, ValueError, TypeError):
        raise SettingError("USAGE_RATE_LIMIT_STORE names no store that can be used: try redis://host:6379") from None


async def _in_time(counting: Coroutine[Any, Any, int]) -> int:
    """Return what the store says, unless it takes too long; what arrived while this process was busy is in time."""
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
    """Return how many answers a key has had in a minute, this one among them unless it is free."""
    if free:
        return await store.get(name)
    total = await store.incr(name, _STORE_KEEPS_SECONDS)
    if total > limit:  # it will not be given: a limit that is raised within the minute must not find it counted
        await store.incr(name, _STORE_KEEPS_SECONDS, -1)
    return total
