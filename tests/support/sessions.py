"""Requests with session tokens: applications that use a JWKS, tokens that they accept, and their answers."""

import asyncio
from typing import Any

from service.http.front import Front
from tests.support.clock import ManualClock
from tests.support.issuer import JwksServer, claims, ec_key, rsa_key, sign
from tests.support.service_folder import Reply, ServiceFolder, call, exchange

SUMMARY = "/api/v1/usage/summary"
WHOAMI = "/api/v1/auth/whoami"
ACTIVITY = "/api/v1/usage/activity"

RSA, EC = rsa_key("rsa"), ec_key("ec")
STRANGE_RSA, STRANGE_EC = rsa_key("strange"), ec_key("strange")

GOOD = sign(RSA, "rsa", claims())
# For a JWKS that changes: it first holds `RSA` as `first`, then `STRANGE_RSA` as `second`.
OLD, NEW = sign(RSA, "first", claims()), sign(STRANGE_RSA, "second", claims())


def bearer(token: str) -> list[tuple[str, str]]:
    """Return the headers that carry a credential."""
    return [("authorization", f"Bearer {token}")]


def session_app(folder: ServiceFolder, now: int | None = None, issuer: str = "", parties: str = "") -> Front:
    """Return an application whose keys are in the folder's `jwks.json`."""
    location = str(folder.root / "jwks.json")
    return folder.app(now, USAGE_JWKS=location, USAGE_JWT_ISSUER=issuer, USAGE_JWT_AZP=parties)


def jwks_app(folder: ServiceFolder, location: str) -> tuple[Front, ManualClock]:
    """Return an application over published tables whose keys are at a location, and the clock for their age."""
    folder.publish()
    clock = ManualClock()
    return folder.app(monotonic=clock, USAGE_JWKS=location), clock


def ask(app: Front, token: str, path: str = SUMMARY, query: bytes = b"", **headers: str) -> Reply:
    """Ask with a token. Header names have `_` for `-`."""
    return call(app, path, query, [*bearer(token), *((k.replace("_", "-"), v) for k, v in headers.items())])


async def status(app: Front, token: str) -> int:
    """Request a summary in the running event loop, and return the status."""
    return (await exchange(app, SUMMARY, headers=bearer(token))).status


def code(reply: Reply) -> tuple[int, str]:
    """Return the status and the code of an error."""
    return reply.status, reply.json()["error"]["code"]


def is_refused(app: Front, token: str) -> bool:
    """Return whether a token is refused as invalid."""
    return code(ask(app, token)) == (401, "INVALID_TOKEN")


def is_unavailable(reply: Reply) -> bool:
    """Return whether an answer has status 503, after asserting that it says when to try again."""
    assert reply.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    return reply.status == 503


def reads_under_way() -> set[asyncio.Task[Any]]:
    """Return the event loop's tasks except the test's own: the reads of key sets."""
    return asyncio.all_tasks() - {asyncio.current_task()}


async def reads_done() -> None:
    """Wait until no key set is being read."""
    while tasks := reads_under_way():
        await asyncio.wait(tasks)


async def asked(server: JwksServer) -> None:
    """Wait until the server has received a request."""
    assert await asyncio.to_thread(server.asked.wait, 20)
