"""A JWKS at a URL whose answers are bad, late or missing."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from service.auth.jwks import KeyRing
from service.auth.jwks_source import key_source
from service.errors import KeysUnavailableError
from tests.support.clock import ManualClock
from tests.support.issuer import JwksServer, jwks, serve_jwks
from tests.support.service_folder import ServiceFolder, exchange
from tests.support.sessions import (
    NEW,
    OLD,
    RSA,
    STRANGE_RSA,
    SUMMARY,
    bearer,
    is_unavailable,
    jwks_app,
    reads_done,
    reads_under_way,
    status,
)


def test_outages(folder: ServiceFolder) -> None:
    """In an outage, the last good keys serve; sessions whose key is unknown get 503 until the URL is back."""

    async def scenario() -> None:
        with serve_jwks(jwks(first=RSA)) as server:
            url, port = server.url, int(server.url.split(":")[2].split("/")[0])
        app, clock = jwks_app(folder, url)
        with capture_logs() as logs:
            for _ in range(3):
                assert is_unavailable(await exchange(app, SUMMARY, headers=bearer(OLD)))
        assert sum(entry["log_level"] == "error" for entry in logs) == 1
        with serve_jwks(jwks(first=RSA), port):
            assert await status(app, OLD) == 503  # asked a moment ago
            clock.seconds += 10
            assert await status(app, OLD) == 200
            assert await status(app, NEW) == 401
        for seconds in (10, 300, 600, 100_000):
            clock.seconds += seconds
            assert await status(app, OLD) == 200
            assert await status(app, NEW) == 503
        with serve_jwks(jwks(second=STRANGE_RSA), port):
            clock.seconds += 10
            await status(app, OLD)
            await reads_done()
            assert (await status(app, OLD), await status(app, NEW)) == (401, 200)

    asyncio.run(scenario())


BAD_ANSWERS: dict[str, Callable[[JwksServer], None]] = {
    "status": lambda server: setattr(server, "status", 500),
    "no content": lambda server: setattr(server, "status", 204),
    "redirect": lambda server: vars(server).update(status=302, headers={"Location": server.url + "?again"}),
    "no JSON": lambda server: setattr(server, "content", b"<html>"),
    "no keys": lambda server: setattr(server, "content", b'{"keys": []}'),
    "too large": lambda server: setattr(server, "content", server.content + b" " * (1 << 18)),
    "endless": lambda server: vars(server).update(content=b" " * 20_000_000, headers={"Content-Length": str(10**12)}),
    "cut off": lambda server: vars(server).update(headers={"Content-Length": "9999", "Connection": "close"}),
    "compressed": lambda server: vars(server).update(headers={"Content-Encoding": "gzip"}, content=b"\x1f\x8b"),
    "no HTTP": lambda server: vars(server).update(headers={"a b": "c\0"}),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_bad_answers(folder: ServiceFolder, name: str) -> None:
    """A bad answer leaves the good keys in force, with one log line; redirects are not followed."""

    async def scenario(server: JwksServer) -> None:
        app, clock = jwks_app(folder, server.url)
        assert await status(app, OLD) == 200
        BAD_ANSWERS[name](server)
        clock.seconds += 700
        with capture_logs() as logs:
            assert [await status(app, OLD), await status(app, OLD)] == [200, 200]
        refusals = [entry for entry in logs if entry["log_level"] == "error"]
        assert [entry["event"] for entry in refusals] == ["session keys refused, the last good ones stay in force"]
        assert server.fetches == 2

    with serve_jwks(jwks(first=RSA)) as server:
        asyncio.run(scenario(server))


def test_slow_answers() -> None:
    """A fetch that takes too long is abandoned, and the next one may succeed."""

    async def scenario(server: JwksServer) -> None:
        clock = ManualClock()
        ring = KeyRing(key_source(server.url, fetch_seconds=0.2), clock)
        server.may_answer.clear()
        with capture_logs() as logs, pytest.raises(KeysUnavailableError):
            await ring.find("first", "RS256")
        assert "no complete answer within 0.2 s" in str(logs)
        server.may_answer.set()
        clock.seconds += 10
        assert await ring.find("first", "RS256") is not None

    with serve_jwks(jwks(first=RSA)) as server:
        asyncio.run(scenario(server))


def test_nobody_waits_in_an_outage(folder: ServiceFolder) -> None:
    """After a failed fetch, requests with known keys do not wait for the next fetch, however old the keys are."""

    async def scenario(server: JwksServer) -> None:
        app, clock = jwks_app(folder, server.url)
        assert await status(app, OLD) == 200
        server.status = 500
        clock.seconds += 1000
        assert await status(app, OLD) == 200
        for _ in range(3):
            server.may_answer.clear()
            clock.seconds += 1000
            assert await status(app, OLD) == 200
            assert reads_under_way()
            server.may_answer.set()
            await reads_done()
        assert server.fetches == 5

    with serve_jwks(jwks(first=RSA)) as server:
        asyncio.run(scenario(server))


def test_dripping_answers() -> None:
    """The time limit is for the whole answer: one byte after another does not extend it."""

    async def scenario(server: JwksServer) -> None:
        ring = KeyRing(key_source(server.url, fetch_seconds=0.2))
        server.drips = True
        with pytest.raises(KeysUnavailableError):
            await asyncio.wait_for(ring.find("first", "RS256"), 4)  # the default of 5 s would be too long

    with serve_jwks(jwks(first=RSA)) as server:
        asyncio.run(scenario(server))
