"""The limiter alone: what it asks of a store and when, and how it counts while the store fails."""

import asyncio
import itertools
from typing import Any

import pytest
from limits.aio.storage import MemoryStorage, Storage
from structlog.testing import capture_logs

from service.errors import RateLimitedError
from service.http import rate_limit
from service.http.rate_limit import RateLimiter, open_store

MINUTE = 60_000_000


@pytest.mark.parametrize(
    ("ticks", "asked", "logged"),
    [
        ((0.0, 4.9, 5.0, 9.9, 10.0), [0.0, 5.0, 10.0], 1),
        ((0.0, 54.9, 59.9), [0.0, 54.9, 59.9], 1),
        ((0.0, 55.0, 60.0), [0.0, 55.0, 60.0], 2),
    ],
)
def test_pause_after_a_failure(ticks: tuple[float, ...], asked: list[float], logged: int) -> None:
    """A store that failed is called again after five seconds, and its failures are logged again after a minute."""
    calls: list[float] = []
    now = [0.0]

    class Broken(MemoryStorage):
        async def incr(self, *_: Any) -> int:
            calls.append(now[0])
            raise ConnectionError

    async def run() -> None:
        limiter = RateLimiter(Broken(), lambda: now[0])
        for now[0] in ticks:
            await limiter.settle("key", 99, 0, free=False)

    with capture_logs() as logs:
        asyncio.run(run())
    assert calls == asked
    assert len(logs) == logged


def test_free_answers_without_a_store() -> None:
    """While the store fails or is left alone, a free answer does not count, and every other answer does."""

    class Broken(MemoryStorage):
        async def incr(self, *_: Any) -> int:
            raise ConnectionError

        async def get(self, *_: Any) -> int:
            raise ConnectionError

    async def run(pause: float) -> list[tuple[int, bool]]:
        clock = itertools.count(0, pause)
        limiter = RateLimiter(Broken(), lambda: next(clock))
        states = [await limiter.settle("key", 2, 0, free=free) for free in (True, False, True, False, True, False)]
        return [(state.used, state.refused) for state in states]

    for pause in (0.0, 60.0):
        with capture_logs():
            expected = [(0, False), (1, False), (1, False), (2, False), (2, True), (2, True)]
            assert asyncio.run(run(pause)) == expected


def test_counts_in_the_store_expire() -> None:
    """A store keeps a key's count of a minute under a name of its own, for that minute and the one after it."""
    calls = []

    class Noted(MemoryStorage):
        async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
            calls.append((key, expiry, amount))
            return await super().incr(key, expiry, amount)

    async def run() -> None:
        store = Noted()
        first, second = RateLimiter(store), RateLimiter(store)
        assert not (await first.settle("a:b/c", 1, 3 * MINUTE, free=False)).refused
        assert (await second.settle("a:b/c", 1, 3 * MINUTE, free=False)).refused  # and its count is taken back

    asyncio.run(run())
    name = "usage:3:a%3Ab%2Fc"
    assert calls == [(name, 120, 1), (name, 120, 1), (name, 120, -1)]


@pytest.mark.parametrize("uri", ["redis://localhost:1", "rediss://localhost:1", "redis+unix:///nowhere"])
def test_uri_of_a_store(uri: str) -> None:
    """A store is named by its URI and not called before the first count; `memory://` counts in this process."""
    assert isinstance(open_store(uri), Storage)
    assert open_store("memory://") is None


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("limit", [2, 3])
def test_spent(shared: bool, limit: int) -> None:
    """If a key has used its limit, or more than that since it was lowered, every worker refuses, free or not."""

    async def run() -> None:
        store = MemoryStorage() if shared else None
        limiter = RateLimiter(store)
        for _ in range(3):
            limiter.check("key", 5, 0)
            await limiter.settle("key", 5, 0, free=False)
        with pytest.raises(RateLimitedError):
            limiter.check("key", limit, 0)
        with pytest.raises(RateLimitedError):
            limiter.check("another key", 0, 0)
        workers = [limiter, RateLimiter(store), RateLimiter(store)] if shared else [limiter, limiter]
        for worker, free in zip(workers, (False, True, False), strict=False):
            assert (await worker.settle("key", limit, 0, free=free)).refused, free
        raised = await limiter.settle("key", 5, 0, free=False)
        assert (raised.used, raised.refused) == (4, False)  # no refusal counts

    asyncio.run(run())


def test_a_late_call_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of the store that takes too long is cancelled, and the log says that it was too slow."""
    monkeypatch.setattr(rate_limit, "_TIMEOUT_SECONDS", 0.0)
    cancelled = []

    class Stuck(MemoryStorage):
        async def incr(self, *_: Any) -> int:
            try:
                return await asyncio.Future()
            except asyncio.CancelledError:
                cancelled.append("incr")
                raise

    async def run() -> list[str]:
        await RateLimiter(Stuck()).settle("key", 1, 0, free=False)
        await asyncio.sleep(0)
        return [*cancelled]

    with capture_logs() as logs:
        assert asyncio.run(run()) == ["incr"]
    assert [log["reason"] for log in logs] == ["TimeoutError"]
