"""The limiter alone and with a shared store: overlapping requests, and slow or unreachable stores."""

import asyncio
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits.aio.storage import MemoryStorage, Storage
from structlog.testing import capture_logs

from pipeline.contract.settings import SettingError, Settings
from service.errors import RateLimitedError
from service.http.rate_limit import RateLimiter, open_store
from tests.support.forked_command import command
from tests.support.process import start, stop

SUMMARY = "/api/v1/usage/summary"
MINUTE = 60_000_000


async def _request(limiter: RateLimiter, limit: int, now: int, free: bool, pauses: list[int]) -> bool:
    """Return whether a request got its answer; other requests run before and after its work."""
    try:
        limiter.check("key", limit, now)
    except RateLimitedError:
        return False
    for _ in range(pauses[0]):
        await asyncio.sleep(0)
    state = await limiter.settle("key", limit, now, free=free)
    return not state.refused


_REQUESTS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 1),
        st.booleans(),
        st.lists(st.integers(0, 5), min_size=2, max_size=2),
    ),
    max_size=40,
)


class _Slow(MemoryStorage):
    """A store whose answers take some steps of the event loop, and overtake each other."""

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count, with pauses before and after."""
        await asyncio.sleep(0)
        total = await super().incr(key, expiry, amount)
        for _ in range(total % 3):
            await asyncio.sleep(0)
        return total


@pytest.mark.parametrize("shared", [False, True])
@given(limit=st.integers(0, 8), requests=_REQUESTS)
def test_any_interleaving(shared: bool, limit: int, requests: list[tuple[int, int, bool, list[int]]]) -> None:
    """However requests of two minutes and two workers overlap, each minute has exactly its limit of answers."""

    async def run() -> list[bool]:
        store: Storage | None = _Slow() if shared else None
        workers = [RateLimiter(store), RateLimiter(store)] if shared else [RateLimiter()] * 2

        async def one(worker: int, minute: int, free: bool, pauses: list[int]) -> bool:
            for _ in range(pauses[1]):
                await asyncio.sleep(0)
            return await _request(workers[worker], limit, minute * MINUTE, free, pauses)

        return await asyncio.gather(*(one(*request) for request in requests))

    given_answers = asyncio.run(run())
    for minute in (0, 1):
        asked = sum(request[1] == minute and not request[2] for request in requests)
        got = sum(
            passed
            for passed, request in zip(given_answers, requests, strict=True)
            if request[1] == minute and not request[2]
        )
        assert got == min(limit, asked)


def test_shared_limit_is_raised() -> None:
    """If two workers count at once and refuse a request, a raised limit makes its answer available."""

    async def run() -> list[bool]:
        store = MemoryStorage()
        workers = [RateLimiter(store), RateLimiter(store)]
        passed = await asyncio.gather(*(_request(worker, 1, 0, False, [1]) for worker in workers))
        return [*passed, await _request(workers[1], 2, 0, False, [1]), await _request(workers[0], 2, 0, False, [1])]

    assert asyncio.run(run()) == [True, False, True, False]


def test_refusals_ask_no_store() -> None:
    """A worker that knows that a limit is used up does not call the store again in that minute."""
    asked: list[str] = []

    class Counted(MemoryStorage):
        async def get(self, key: str) -> int:
            asked.append(key)
            return await super().get(key)

    async def run() -> int:
        limiter = RateLimiter(Counted())
        assert await _request(limiter, 1, 0, False, [1])
        spent = len(asked)
        for _ in range(3):
            assert (await limiter.settle("key", 1, 0, free=True)).refused
        return len(asked) - spent

    assert asyncio.run(run()) == 0


def test_store_out_of_reach() -> None:
    """Without its store a worker counts alone, calls the store again after a pause, and logs once a minute at most."""
    ticks = [0.0]
    asked: list[tuple[Any, ...]] = []

    class Broken(MemoryStorage):
        async def incr(self, *words: Any) -> int:
            asked.append(words)
            raise ConnectionError("redis://user:secret@host")

    async def run() -> list[bool]:
        limiter = RateLimiter(Broken(), lambda: ticks[0])
        passed = []
        for tick in (0, 1, 4.9, 5, 5.1, 61):
            ticks[0] = tick
            passed.append(await _request(limiter, 5, 0, False, [0]))
        return passed

    with capture_logs() as logs:
        assert asyncio.run(run()) == [True] * 5 + [False]
    assert len(asked) == 2
    assert [(line["log_level"], line["reason"]) for line in logs] == [("warning", "ConnectionError")]


def test_busy_worker_waits_for_what_has_arrived() -> None:
    """A store whose answer arrived while the worker was busy does not count as too slow."""

    class Prompt(MemoryStorage):
        async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
            await asyncio.sleep(0.05)
            await asyncio.sleep(0)
            return await super().incr(key, expiry, amount)

    async def run() -> None:
        store = Prompt()
        counting = asyncio.ensure_future(_request(RateLimiter(store), 5, 0, False, [0]))
        for _ in range(30):  # by then the worker waits for the timeout or the answer, and no longer counts steps
            await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(time.sleep, 0.3)  # longer than the timeout
        assert await counting
        assert await store.get("usage:0:key") == 1

    with capture_logs() as logs:
        asyncio.run(run())
    assert logs == []


def test_slow_store_holds_up_nobody() -> None:
    """A store that does not answer is abandoned after the timeout, and blocks no other request meanwhile."""

    class Silent(MemoryStorage):
        async def incr(self, *_: Any) -> int:
            await asyncio.Event().wait()
            raise AssertionError

    async def run() -> None:
        limiter = RateLimiter(Silent())
        waiting = asyncio.ensure_future(_request(limiter, 5, 0, False, [0]))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        assert await asyncio.wait_for(waiting, 5)

    asyncio.run(run())


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "secret",
        "nosuch://user:secret@host",
        "redis://host:secret",
        "redis://[::secret",
        "redis://host:6379?db=secret",
        "redis+cluster://",
        "redis+sentinel://host:6379",
    ],
)
def test_uri_of_no_store(uri: str) -> None:
    """An unusable URI is refused with a message that does not repeat it."""
    with pytest.raises(SettingError) as refused:
        open_store(uri)
    assert "secret" not in str(refused.value)


def test_service_without_its_store(folder: Any) -> None:
    """With an unusable URI, `usage serve` ends with that message."""
    arguments = ["serve", "--port", "0", "--data-dir", str(folder.root)]
    ended = command(folder.root, arguments, settings={"USAGE_RATE_LIMIT_STORE": "redis+cluster://:secret@"})
    with pytest.raises(SettingError) as refused:
        open_store("nosuch://user:secret@host")
    assert (ended.code, ended.stderr.decode()) == (1, f"error: {refused.value}\n")


def test_settings_are_shown_without_passwords() -> None:
    """The settings are shown without user, password and options of the store."""
    shown = Settings.read({"USAGE_RATE_LIMIT_STORE": "redis://user:secret@host:1/2?password=secret"}).shown()
    assert shown["USAGE_RATE_LIMIT_STORE"] == "redis://…@host:1/2?…"
    assert Settings.read({"USAGE_DATA_DIR": "a?b@c"}).shown()["USAGE_DATA_DIR"] == "a?b@c"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """Return the URI of a running Redis."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    path = tmp_path / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as process:
        while not path.exists():
            time.sleep(0.01)
        yield f"redis+unix://{path}"
        process.terminate()


def _crowd(folder: Any, redis: str) -> tuple[list[httpx.Response], str]:
    """Return the answers of two workers to many requests at once with one key, after a first one, and their log."""
    headers = {"Authorization": f"Bearer {folder.key(rate_limit_per_min=25)}"}
    process, url = start(folder.root, "--workers", "2", USAGE_RATE_LIMIT_STORE=redis)
    with httpx.Client(limits=httpx.Limits(max_keepalive_connections=0)) as client, ThreadPoolExecutor(16) as threads:
        tag = client.get(url + SUMMARY, headers=headers).headers["etag"]
        asked = [headers] * 60 + [headers | {"If-None-Match": tag}] * 20
        random.Random(1).shuffle(asked)
        replies = list(threads.map(lambda sent: client.get(url + SUMMARY, headers=sent), asked))
    return replies, stop(process)


def test_workers_share_a_store(folder: Any, redis: str) -> None:
    """Two workers that share a Redis answer exactly the limit of many requests at once, besides the 304s."""
    folder.publish()
    for _ in range(5):  # on a busy machine the store may exceed its timeout
        replies, log = _crowd(folder, redis)
        if "out of reach" not in log:
            break
    assert "out of reach" not in log
    statuses = [reply.status_code for reply in replies]
    assert statuses.count(200) == 24
    assert set(statuses) <= {200, 304, 429}
    assert {reply.headers["x-ratelimit-limit"] for reply in replies} == {"25"}
    assert min(int(reply.headers["x-ratelimit-remaining"]) for reply in replies) == 0
