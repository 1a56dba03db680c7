"""Rate limits: exactly the limit in a minute, whoever asks how, and what clients are told."""

import asyncio
import itertools
import os
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
from tests.support.process import BIN, start, stop

SUMMARY = "/api/v1/usage/summary"
WHOAMI = "/api/v1/auth/whoami"
FIELDS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit-policy", "ratelimit")
MINUTE = 60_000_000


def _authorization(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]


def test_exactly_the_limit(folder: Any, send: Any) -> None:
    """A limit of N lets N answers through, tells how many are left, and refuses the rest with Retry-After."""
    headers, app = _authorization(folder.key(rate_limit_per_min=3)), folder.app()
    replies = [send(app, WHOAMI, headers=headers) for _ in range(5)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
    reset = folder.now // 1_000_000 + 60
    for reply, left in zip(replies, (2, 1, 0, 0, 0), strict=True):
        assert [reply.headers[field] for field in FIELDS] == [
            "3",
            str(left),
            str(reset),
            '"key";q=3;w=60',
            f'"key";r={left};t=60',
        ]
        assert ("retry-after" in reply.headers) == (reply.status == 429)
    assert replies[3].json()["error"]["code"] == "RATE_LIMITED"
    assert replies[3].headers["retry-after"] == "60"


def test_next_minute(folder: Any, send: Any) -> None:
    """A new minute of UTC brings new answers; Retry-After counts whole seconds up to it, from 60 down to 1."""
    headers, app = _authorization(folder.key(rate_limit_per_min=1)), folder.app()
    waits = {}
    for second in (0, 1, 29.5, 59, 59.999999, 60):
        app._clock = lambda second=second: folder.now + int(second * 1_000_000)  # noqa: SLF001 - a clock that moves
        reply = send(app, WHOAMI, headers=headers)
        waits[second] = (reply.status, reply.headers.get("retry-after"))
    assert waits == {
        0: (200, None),
        1: (429, "59"),
        29.5: (429, "31"),
        59: (429, "1"),
        59.999999: (429, "1"),
        60: (200, None),
    }


def test_clock_set_back(folder: Any, send: Any) -> None:
    """A clock that is set back leaves nobody without answers, and the memory holds two minutes at most."""
    headers, app = _authorization(folder.key(rate_limit_per_min=1)), folder.app()
    for minute in (5, 4, 3, 100, 2):
        app._clock = lambda minute=minute: folder.now + minute * MINUTE  # noqa: SLF001 - a clock that moves
        assert send(app, WHOAMI, headers=headers).status == 200
    assert len(app._limiter._minutes) == 2  # noqa: SLF001 - nothing else shows it


def test_order_of_checks(folder: Any, send: Any) -> None:
    """401 comes before 429 and has no fields; 429 comes before 403, 422, 404 and 503."""
    token, app = folder.key(rate_limit_per_min=0, scopes=[]), folder.app()
    refused = send(app, SUMMARY, headers=_authorization("op_live_" + "x" * 32))
    assert refused.status == 401
    assert not set(FIELDS) & set(refused.headers)
    for query, workspace in ((b"", folder.workspace), (b"range=1", folder.other_workspace), (b"", "oops")):
        reply = send(app, SUMMARY, query, [*_authorization(token), ("x-workspace-id", workspace)])
        assert reply.status == 429


@pytest.mark.parametrize(
    ("path", "query", "workspace", "status"),
    [
        (SUMMARY, b"", "b0000000-0000-4000-8000-000000000002", 403),
        (SUMMARY, b"range=1", "", 422),
        (SUMMARY, b"", "a0000000-0000-4000-8000-000000000001", 503),
        ("/api/v1/usage/activity", b"user_id=d0000000-0000-4000-8000-00000000000b", None, 404),
    ],
)
def test_errors_count(folder: Any, send: Any, path: str, query: bytes, workspace: str | None, status: int) -> None:
    """An error is an answer: it counts and carries the fields."""
    headers, app = _authorization(folder.key(rate_limit_per_min=1)), folder.app()
    if workspace is not None:
        headers.append(("x-workspace-id", workspace))
    first, second = send(app, path, query, headers), send(app, path, query, headers)
    assert (first.status, second.status) == (status, 429)
    assert first.headers["x-ratelimit-remaining"] == "0"


def test_free_answers(folder: Any, send: Any) -> None:
    """A 304 costs nothing and carries the fields; OPTIONS, unknown routes and health are nobody's; HEAD costs."""
    folder.publish()
    headers, app = _authorization(folder.key(rate_limit_per_min=2)), folder.app()
    tag = send(app, SUMMARY, headers=headers).headers["etag"]
    for _ in range(5):
        unchanged = send(app, SUMMARY, headers=[*headers, ("if-none-match", tag)])
        assert (unchanged.status, unchanged.headers["x-ratelimit-remaining"]) == (304, "1")
        for path, method in (("/health/live", "GET"), ("/health/ready", "GET"), (SUMMARY, "OPTIONS"), ("/x", "GET")):
            assert "x-ratelimit-limit" not in send(app, path, headers=headers, method=method).headers
    assert send(app, SUMMARY, headers=headers, method="HEAD").headers["x-ratelimit-remaining"] == "0"
    assert send(app, SUMMARY, headers=[*headers, ("if-none-match", tag)]).status == 429


def test_limits_of_nobody_else(folder: Any, send: Any) -> None:
    """Keys are counted apart; one without a limit has neither limit nor fields."""
    keys = [folder.key(rate_limit_per_min=1), folder.key(rate_limit_per_min=1), folder.key()]
    app = folder.app()
    replies = [send(folder.app(), WHOAMI, headers=_authorization(key)) for key in keys]
    assert [send(app, WHOAMI, headers=_authorization(key)).status for key in keys * 2] == [200, 200, 200, 429, 429, 200]
    assert [set(FIELDS) <= set(reply.headers) for reply in replies] == [True, True, False]


def test_limit_of_zero(folder: Any, send: Any) -> None:
    """A limit of 0 refuses everything, also what would have been unchanged."""
    folder.publish()
    headers = [*_authorization(folder.key(rate_limit_per_min=0)), ("if-none-match", "*")]
    reply = send(folder.app(), SUMMARY, headers=headers)
    assert (reply.status, reply.headers["x-ratelimit-remaining"]) == (429, "0")


def test_changed_limit(folder: Any, send: Any) -> None:
    """A changed limit is in force with the directory, in the same minute: what was used stays used."""
    ticks = itertools.count(0, 2)  # two seconds a request
    headers, app = _authorization(folder.key(rate_limit_per_min=1)), folder.app(monotonic=lambda: next(ticks))
    seen = []
    for limit in (1, 1, 3, 3, 3, 2, None, 0):
        folder.directory["api_keys"][-1]["rate_limit_per_min"] = limit
        folder.key()  # writes the file
        folder.directory["api_keys"].pop()
        reply = send(app, WHOAMI, headers=headers)
        seen.append((reply.status, reply.headers.get("x-ratelimit-remaining")))
    assert seen == [
        (200, "0"),
        (429, "0"),
        (200, "1"),
        (200, "0"),
        (429, "0"),
        (429, "0"),
        (200, None),
        (429, "0"),
    ]


async def _request(limiter: RateLimiter, limit: int, now: int, free: bool, pauses: list[int]) -> bool:
    """Return whether a request got its answer, letting others go on before and after its work."""
    try:
        limiter.check("key", limit, now)
    except RateLimitedError:
        return False
    for _ in range(pauses[0]):
        await asyncio.sleep(0)
    standing = await limiter.settle("key", limit, now, free=free)
    return not standing.refused


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
    """A store whose answers take their time, and overtake each other."""

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count, after and before a while."""
        await asyncio.sleep(0)
        total = await super().incr(key, expiry, amount)
        for _ in range(total % 3):
            await asyncio.sleep(0)
        return total


@pytest.mark.parametrize("shared", [False, True])
@given(limit=st.integers(0, 8), requests=_REQUESTS)
def test_any_interleaving(shared: bool, limit: int, requests: list[tuple[int, int, bool, list[int]]]) -> None:
    """However requests overlap, over the turn of a minute and over workers, each minute has its limit and no less."""

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
    """What was refused for two workers' answers at once is there for them when the limit is raised."""

    async def run() -> list[bool]:
        store = MemoryStorage()
        workers = [RateLimiter(store), RateLimiter(store)]
        passed = await asyncio.gather(*(_request(worker, 1, 0, False, [1]) for worker in workers))
        return [*passed, await _request(workers[1], 2, 0, False, [1]), await _request(workers[0], 2, 0, False, [1])]

    assert asyncio.run(run()) == [True, False, True, False]


def test_refusals_ask_no_store() -> None:
    """A worker that knows a limit to be spent asks the store no more in this minute."""
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
    """Without its store a worker counts for itself, asks again after a rest, and logs it once a minute at most."""
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
    """A worker that was held up by other work does not blame the store, whose answer has arrived meanwhile."""

    class Prompt(MemoryStorage):
        async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
            await asyncio.sleep(0.001)
            await asyncio.sleep(0)
            return await super().incr(key, expiry, amount)

    async def run() -> None:
        store = Prompt()
        counting = asyncio.ensure_future(_request(RateLimiter(store), 5, 0, False, [0]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(time.sleep, 0.3)  # longer than the store may take
        assert await counting
        assert await store.get("usage:0:key") == 1

    with capture_logs() as logs:
        asyncio.run(run())
    assert logs == []


def test_slow_store_holds_up_nobody() -> None:
    """A store that does not answer is given up after a moment, and everybody else goes on meanwhile."""

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


@pytest.mark.parametrize("uri", ["", "secret", "nosuch://user:secret@host", "redis://host:secret", "redis://[::secret"])
def test_uri_of_no_store(folder: Any, uri: str) -> None:
    """A URI that cannot be used ends `usage serve` with a sentence that does not hold it."""
    with pytest.raises(SettingError) as refused:
        open_store(uri)
    assert "secret" not in str(refused.value)
    if uri.startswith("nosuch"):
        done = subprocess.run(
            [BIN / "usage", "serve", "--port", "0", "--data-dir", folder.root],
            env=os.environ | {"USAGE_RATE_LIMIT_STORE": uri},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, f"error: {refused.value}\n")


def test_settings_are_shown_without_passwords() -> None:
    """The settings in force are shown without user, password and options of the store."""
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
    """Return the answers of two workers to a crowd with one key, after a first one, and their log."""
    headers = {"Authorization": f"Bearer {folder.key(rate_limit_per_min=25)}"}
    process, url = start(folder.root, "--workers", "2", USAGE_RATE_LIMIT_STORE=redis)
    with httpx.Client(limits=httpx.Limits(max_keepalive_connections=0)) as client, ThreadPoolExecutor(16) as threads:
        tag = client.get(url + SUMMARY, headers=headers).headers["etag"]
        asked = [headers] * 60 + [headers | {"If-None-Match": tag}] * 20
        random.Random(1).shuffle(asked)
        replies = list(threads.map(lambda sent: client.get(url + SUMMARY, headers=sent), asked))
    return replies, stop(process)


def test_workers_share_a_store(folder: Any, redis: str) -> None:
    """Two workers and a Redis: of many requests at once exactly the limit is answered, unchanged ones besides."""
    folder.publish()
    for _ in range(5):  # on a busy machine the store may take longer than it may
        replies, log = _crowd(folder, redis)
        if "out of reach" not in log:
            break
    assert "out of reach" not in log
    statuses = [reply.status_code for reply in replies]
    assert statuses.count(200) == 24
    assert set(statuses) <= {200, 304, 429}
    assert {reply.headers["x-ratelimit-limit"] for reply in replies} == {"25"}
    assert min(int(reply.headers["x-ratelimit-remaining"]) for reply in replies) == 0
