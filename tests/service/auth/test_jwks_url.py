"""A JWKS at a URL: when it is fetched, and which requests wait for it."""

import asyncio
import signal
from typing import Any

import httpx
import pytest

from tests.support.issuer import JwksServer, claims, jwks, serve_jwks, sign
from tests.support.process import start
from tests.support.service_folder import WORKSPACE, ServiceFolder
from tests.support.sessions import (
    NEW,
    OLD,
    RSA,
    STRANGE_RSA,
    SUMMARY,
    WHOAMI,
    asked,
    bearer,
    jwks_app,
    reads_done,
    status,
)


def test_one_fetch_serves_many(folder: ServiceFolder) -> None:
    """Requests that arrive before the keys share one fetch; for five minutes, no other request causes a fetch."""

    async def scenario(server: JwksServer) -> None:
        app, clock = jwks_app(folder, server.url)
        server.may_answer.clear()
        waiting = [asyncio.create_task(status(app, OLD)) for _ in range(20)]
        await asked(server)
        assert await status(app, folder.token) == 200  # an API key does not wait
        server.may_answer.set()
        assert await asyncio.gather(*waiting) == [200] * 20
        for _ in range(29):
            clock.seconds += 10
            assert await status(app, OLD) == 200
        await reads_done()
        assert server.fetches == 1

    with serve_jwks(jwks(first=RSA)) as server:
        asyncio.run(scenario(server))


def test_refresh_in_the_background(folder: ServiceFolder) -> None:
    """After five minutes the keys are fetched in the background; then tokens of removed keys are refused."""

    async def scenario(server: JwksServer) -> None:
        app, clock = jwks_app(folder, server.url)
        assert await status(app, OLD) == 200
        server.content = jwks(second=STRANGE_RSA)
        server.may_answer.clear()
        server.asked.clear()
        clock.seconds += 300
        assert await status(app, OLD) == 200
        await asked(server)
        assert await status(app, OLD) == 200
        server.may_answer.set()
        await reads_done()
        assert await status(app, OLD) == 401
        assert server.fetches == 2

    with serve_jwks(jwks(first=RSA)) as server:
        asyncio.run(scenario(server))


def test_after_a_quiet_night(folder: ServiceFolder) -> None:
    """Keys older than ten minutes are fetched again before use, so that a revoked key serves no last request."""

    async def scenario(server: JwksServer) -> None:
        app, clock = jwks_app(folder, server.url)
        assert await status(app, OLD) == 200
        server.content = jwks(second=STRANGE_RSA)
        clock.seconds += 600
        assert await status(app, OLD) == 401
        assert await status(app, NEW) == 200
        assert server.fetches == 2

    with serve_jwks(jwks(first=RSA)) as server:
        asyncio.run(scenario(server))


def test_rotation_and_invented_ids(folder: ServiceFolder) -> None:
    """An unknown key is fetched at once, but hundreds of invented ids in ten seconds cause at most one fetch."""

    async def scenario(server: JwksServer) -> None:
        app, clock = jwks_app(folder, server.url)
        assert await status(app, OLD) == 200
        server.content = jwks(first=RSA, second=STRANGE_RSA)
        assert await status(app, NEW) == 401  # ten seconds have not passed
        clock.seconds += 10
        assert await status(app, NEW) == 200
        assert server.fetches == 2
        signature = OLD.rsplit(".", 1)[1]
        for number in range(300):
            clock.seconds += 0.03
            invented = sign(STRANGE_RSA, f"k{number}", claims()).rsplit(".", 1)[0]
            assert await status(app, f"{invented}.{signature}") == 401
        assert server.fetches == 2
        clock.seconds += 2
        more = [sign(STRANGE_RSA, f"n{number}", claims()) for number in range(50)]
        assert await asyncio.gather(*(status(app, token) for token in more)) == [401] * 50
        assert server.fetches == 3
        assert await status(app, OLD) == 200

    with serve_jwks(jwks(first=RSA)) as server:
        asyncio.run(scenario(server))


def test_hopeless_tokens_cause_no_fetch(folder: ServiceFolder) -> None:
    """A token that no key could verify is refused before any key is fetched."""

    async def scenario(server: JwksServer) -> None:
        app, _ = jwks_app(folder, server.url)
        for token in ("x", "a.b", OLD + "=", OLD + "x" * 20_000):
            assert await status(app, token) == 401
        assert server.fetches == 0

    with serve_jwks(jwks(first=RSA)) as server:
        asyncio.run(scenario(server))


def test_caller_who_goes_away(folder: ServiceFolder) -> None:
    """Cancelling a request that waits for the keys does not cancel the fetch for the others."""

    async def scenario(server: JwksServer) -> None:
        app, _ = jwks_app(folder, server.url)
        server.may_answer.clear()
        impatient = asyncio.create_task(status(app, OLD))
        await asked(server)
        patient = asyncio.create_task(status(app, OLD))
        await asyncio.sleep(0)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        server.may_answer.set()
        assert await patient == 200
        assert server.fetches == 1

    with serve_jwks(jwks(first=RSA)) as server:
        asyncio.run(scenario(server))


def test_start_and_end(folder: ServiceFolder) -> None:
    """Keys are fetched when the service starts; a fetch under way is cancelled when it stops, and leaves no task."""

    async def scenario(server: JwksServer) -> None:
        app, _ = jwks_app(folder, server.url)
        server.may_answer.clear()
        messages: asyncio.Queue[Any] = asyncio.Queue()
        sent: list[str] = []

        async def send(message: Any) -> None:
            sent.append(message["type"])

        lifespan: Any = {"type": "lifespan"}
        life = asyncio.create_task(app(lifespan, messages.get, send))
        await messages.put({"type": "lifespan.startup"})
        await asked(server)
        assert sent == ["lifespan.startup.complete"]
        await messages.put({"type": "lifespan.shutdown"})
        await asyncio.wait_for(life, 3)  # shorter than a fetch may take
        assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with serve_jwks(jwks(first=RSA)) as server:
        asyncio.run(scenario(server))


def test_real_process(folder: ServiceFolder) -> None:
    """`usage serve` takes its keys from a URL and stops while a fetch is under way; no log line holds the token."""
    folder.publish()
    exp = 32_503_680_000
    token, unknown = (sign(RSA, kid, claims(exp=exp)) for kid in ("first", "unknown"))
    with serve_jwks(jwks(first=RSA)) as server:
        process, url = start(folder.root, USAGE_JWKS=server.url)
        whoami = httpx.get(f"{url}{WHOAMI}", headers=[*bearer(token), ("X-Workspace-Id", WORKSPACE)])
        assert (whoami.status_code, whoami.json()["data"]["workspace_id"]) == (200, WORKSPACE)
        assert httpx.get(f"{url}{SUMMARY}", headers=bearer(unknown)).status_code == 401
        assert server.fetches == 1
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 0
    assert not any(part in rest for part in token.split("."))
