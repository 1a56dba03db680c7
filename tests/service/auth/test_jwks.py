"""The keys of session tokens: from a file that changes, from a server that rotates, fails and comes back."""

import asyncio
import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from pipeline.contract.settings import SettingError
from service.auth.jwks import KeyRing, read_key_set
from service.auth.jwks_source import KeySetError, key_source
from service.http.front import Front
from tests.support.issuer import JwksServer, claims, ec_key, jwk, jwks, rsa_key, serve_jwks, sign
from tests.support.service_folder import WORKSPACE, Reply, ServiceFolder, call, exchange

SUMMARY = "/api/v1/usage/summary"
FIRST, SECOND = rsa_key("rsa"), rsa_key("strange")
OLD, NEW = sign(FIRST, "first", claims()), sign(SECOND, "second", claims())


class Clock:
    """Seconds that pass when told."""

    seconds = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


def _headers(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]


def _app(folder: ServiceFolder, location: str) -> tuple[Front, Clock]:
    folder.publish()
    app, clock = folder.app(USAGE_JWKS=location), Clock()
    _ring(app)._monotonic = clock  # noqa: SLF001 - time passes when told
    return app, clock


def _ring(app: Front) -> KeyRing:
    ring = app._sessions._ring  # noqa: SLF001 - where its clock and its task are
    assert ring is not None
    return ring


async def _status(app: Front, token: str) -> int:
    return (await exchange(app, SUMMARY, headers=_headers(token))).status


async def _settled(app: Front) -> None:
    """Wait for the read that is under way."""
    task = _ring(app)._try  # noqa: SLF001
    assert task is not None
    await asyncio.wait([task])


async def _asked(server: JwksServer) -> None:
    """Wait until the server was asked."""
    assert await asyncio.to_thread(server.asked.wait, 20)


def _is_unavailable(reply: Reply) -> bool:
    assert reply.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    return reply.status == 503


# A set of keys.


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 9000,
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [null, 5, {}, {"kty": "RSA"}, {"kty": "EC", "crv": "P-256"}]}',
        jwks(weak=rsa_key("weak", 1024), other_curve=ec_key("p384", ec.SECP384R1)),
        json.dumps({"keys": [jwk(ec_key("p384", ec.SECP384R1), kid="ec", alg="ES256")]}).encode(),
        json.dumps({"keys": [{"kty": "oct", "kid": "a", "k": "c2VjcmV0" * 8, "alg": "HS256"}]}).encode(),
        json.dumps({"keys": [jwk(ec_key("ec"), kid="ec") | {"x": "AAAA"}]}).encode(),
        json.dumps({"keys": [jwk(ec_key("ec"), kid="ec") | {"y": jwk(ec_key("strange"))["y"]}]}).encode(),
    ],
)
def test_no_key_set(content: bytes) -> None:
    """What is no JWKS, and a JWKS without one usable key, is refused."""
    with pytest.raises(KeySetError):
        read_key_set(content)


def test_key_set() -> None:
    """A key is found by id and algorithm; of a repeated id the last one counts."""
    content = json.dumps({"keys": [jwk(FIRST, kid="a"), jwk(SECOND, kid="a"), jwk(ec_key("ec"), kid="a")]}).encode()
    keys = read_key_set(content)
    assert keys.ids == ["a", "a"]
    found = keys.find("a", "RS256")
    assert found is not None
    assert found.key.public_numbers() == SECOND.public_key().public_numbers()
    assert keys.find(None, "ES256") is keys.find("a", "ES256") is not None
    assert keys.find("b", "RS256") is None


# Where it comes from.


@pytest.mark.parametrize(
    "location",
    [
        "http://id.example/jwks.json",
        "http://127.0.0.1.example/jwks.json",
        "http://localhost.example/jwks.json",
        "http://10.0.0.1/jwks.json",
        "file:///etc/passwd",
        "ftp://127.0.0.1/jwks.json",
        "https://",
        "https://user:secret@id.example/jwks.json",
        "https://[::1/jwks.json",
        "https://id.example:x/jwks.json",
    ],
)
def test_refused_locations(folder: ServiceFolder, location: str) -> None:
    """A URL is https, or http on loopback, without a password; the service says so and does not start."""
    with pytest.raises(SettingError, match="USAGE_JWKS") as refused:
        folder.app(USAGE_JWKS=location)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "location", ["https://id.example/jwks.json", "http://localhost:1/", "http://127.0.0.2/j", "http://[::1]:1/j"]
)
def test_accepted_locations(location: str) -> None:
    """Nothing is read before it is needed."""
    assert KeyRing(location) is not None


def test_refused_at_the_start(folder: ServiceFolder) -> None:
    """`usage serve` refuses a location with one sentence."""
    done = subprocess.run(
        [Path(sys.executable).parent / "usage", "serve", "--port", "0", "--data-dir", folder.root],
        env=os.environ | {"USAGE_JWKS": "http://id.example/"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: USAGE_JWKS must be a path or an https URL")


# A file.


def test_file_that_changes(folder: ServiceFolder) -> None:
    """A changed file counts from the next second on, also for tokens that were verified; broken it changes nothing."""
    path = folder.root / "jwks.json"
    path.write_bytes(jwks(first=FIRST))
    app, clock = _app(folder, str(path))

    def statuses() -> tuple[int, int]:
        clock.seconds += 1
        return call(app, SUMMARY, headers=_headers(OLD)).status, call(app, SUMMARY, headers=_headers(NEW)).status

    assert statuses() == (200, 401)
    path.write_bytes(jwks(second=SECOND))
    assert call(app, SUMMARY, headers=_headers(OLD)).status == 200
    assert statuses() == (401, 200)
    with capture_logs() as logs:
        for broken in ("{", '{"keys": []}', " " * 300_000):
            path.write_text(broken)
            assert statuses() == (503, 200)
            assert statuses() == (503, 200)
        path.unlink()
        assert statuses() == (503, 200)
        assert statuses() == (503, 200)
    refusals = [entry for entry in logs if entry["log_level"] == "error"]
    assert [entry["event"] for entry in refusals] == ["session keys refused, the last good ones stay in force"] * 4
    path.write_bytes(jwks(first=FIRST))
    statuses()
    assert statuses() == (200, 401)


def test_file_that_is_not_there_yet(folder: ServiceFolder) -> None:
    """Without any key a session is 503, an API key is served, and the file counts once it appears."""
    path = folder.root / "jwks.json"
    app, clock = _app(folder, str(path))
    assert _is_unavailable(call(app, SUMMARY, headers=_headers(OLD)))
    assert _is_unavailable(call(app, "/api/v1/auth/whoami", headers=_headers(OLD)))
    assert call(app, SUMMARY, headers=_headers(folder.token)).status == 200
    path.write_bytes(jwks(first=FIRST))
    clock.seconds += 1
    assert call(app, SUMMARY, headers=_headers(OLD)).status == 200


def test_file_that_could_not_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that met with too many open files is read the next time, though it did not change since."""
    path = tmp_path / "jwks.json"
    path.write_bytes(jwks(first=FIRST))
    source = key_source(str(path))

    def fail(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", fail)
        with pytest.raises(OSError, match="open files"):
            asyncio.run(source.read())
    assert asyncio.run(source.read()) == path.read_bytes()
    assert asyncio.run(source.read()) is None


def test_the_same_keys_again(tmp_path: Path) -> None:
    """A file written again with the same keys costs nobody a second verification."""
    path, clock = tmp_path / "jwks.json", Clock()
    path.write_bytes(jwks(first=FIRST))

    async def scenario() -> None:
        ring = KeyRing(str(path), clock)
        assert await ring.find("first", "RS256")
        first = await ring.current()
        path.write_bytes(jwks(first=FIRST))
        os.utime(path, (1, 1))
        clock.seconds += 1
        assert await ring.current() is first

    asyncio.run(scenario())


# A URL.


def test_one_fetch_serves_many(folder: ServiceFolder) -> None:
    """Requests that come before the keys wait for the one fetch, and five minutes of tokens cause no other."""

    async def scenario(server: JwksServer) -> None:
        app, clock = _app(folder, server.url)
        server.may_answer.clear()
        waiting = [asyncio.create_task(_status(app, OLD)) for _ in range(20)]
        await _asked(server)
        assert await _status(app, folder.token) == 200  # nobody else waits
        server.may_answer.set()
        assert await asyncio.gather(*waiting) == [200] * 20
        for _ in range(29):
            clock.seconds += 10
            assert await _status(app, OLD) == 200
        await _settled(app)
        assert server.fetches == 1

    with serve_jwks(jwks(first=FIRST)) as server:
        asyncio.run(scenario(server))


def test_refresh_in_the_background(folder: ServiceFolder) -> None:
    """After five minutes keys are fetched again while the old ones answer; then what they verified is forgotten."""

    async def scenario(server: JwksServer) -> None:
        app, clock = _app(folder, server.url)
        assert await _status(app, OLD) == 200
        server.content = jwks(second=SECOND)
        server.may_answer.clear()
        server.asked.clear()
        clock.seconds += 300
        assert await _status(app, OLD) == 200
        await _asked(server)
        assert await _status(app, OLD) == 200
        server.may_answer.set()
        await _settled(app)
        assert await _status(app, OLD) == 401
        assert server.fetches == 2

    with serve_jwks(jwks(first=FIRST)) as server:
        asyncio.run(scenario(server))


def test_after_a_quiet_night(folder: ServiceFolder) -> None:
    """Keys older than ten minutes are not used before they were fetched again: a revoked one gets no last request."""

    async def scenario(server: JwksServer) -> None:
        app, clock = _app(folder, server.url)
        assert await _status(app, OLD) == 200
        server.content = jwks(second=SECOND)
        clock.seconds += 600
        assert await _status(app, OLD) == 401
        assert await _status(app, NEW) == 200
        assert server.fetches == 2

    with serve_jwks(jwks(first=FIRST)) as server:
        asyncio.run(scenario(server))


def test_rotation_and_invented_ids(folder: ServiceFolder) -> None:
    """A key not known yet is fetched at once, but a thousand invented ids in ten seconds cause one fetch at most."""

    async def scenario(server: JwksServer) -> None:
        app, clock = _app(folder, server.url)
        assert await _status(app, OLD) == 200
        server.content = jwks(first=FIRST, second=SECOND)
        assert await _status(app, NEW) == 401  # ten seconds have not passed
        clock.seconds += 10
        assert await _status(app, NEW) == 200
        assert server.fetches == 2
        signature = OLD.rsplit(".", 1)[1]
        for number in range(300):
            clock.seconds += 0.03
            invented = sign(SECOND, f"k{number}", claims()).rsplit(".", 1)[0]
            assert await _status(app, f"{invented}.{signature}") == 401
        assert server.fetches == 2
        clock.seconds += 2
        assert await asyncio.gather(*(_status(app, sign(SECOND, f"n{n}", claims())) for n in range(50))) == [401] * 50
        assert server.fetches == 3
        assert await _status(app, OLD) == 200

    with serve_jwks(jwks(first=FIRST)) as server:
        asyncio.run(scenario(server))


def test_hopeless_tokens_cause_no_fetch(folder: ServiceFolder) -> None:
    """A token that no key could verify is refused before any key is looked for."""

    async def scenario(server: JwksServer) -> None:
        app, _ = _app(folder, server.url)
        for token in ("x", "a.b", OLD + "=", OLD + "x" * 20_000):
            assert await _status(app, token) == 401
        assert server.fetches == 0

    with serve_jwks(jwks(first=FIRST)) as server:
        asyncio.run(scenario(server))


def test_out_of_reach_and_back(folder: ServiceFolder) -> None:
    """Nobody there: 503 for sessions without a known key; back again: 200; gone again: the last good keys serve."""

    async def scenario() -> None:
        with serve_jwks(jwks(first=FIRST)) as server:
            url, port = server.url, int(server.url.split(":")[2].split("/")[0])
        app, clock = _app(folder, url)
        with capture_logs() as logs:
            for _ in range(3):
                assert _is_unavailable(await exchange(app, SUMMARY, headers=_headers(OLD)))
        assert sum(entry["log_level"] == "error" for entry in logs) == 1
        with serve_jwks(jwks(first=FIRST), port):
            assert await _status(app, OLD) == 503  # asked a moment ago
            clock.seconds += 10
            assert await _status(app, OLD) == 200
            assert await _status(app, NEW) == 401
        for seconds in (10, 300, 600, 100_000):
            clock.seconds += seconds
            assert await _status(app, OLD) == 200
            assert await _status(app, NEW) == 503
        with serve_jwks(jwks(second=SECOND), port):
            clock.seconds += 10
            await _status(app, OLD)
            await _settled(app)
            assert (await _status(app, OLD), await _status(app, NEW)) == (401, 200)

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
    """A bad answer leaves the good keys in force, with one log line that holds no key; redirects are not followed."""

    async def scenario(server: JwksServer) -> None:
        app, clock = _app(folder, server.url)
        assert await _status(app, OLD) == 200
        BAD_ANSWERS[name](server)
        clock.seconds += 700
        with capture_logs() as logs:
            assert [await _status(app, OLD), await _status(app, OLD)] == [200, 200]
        refusals = [entry for entry in logs if entry["log_level"] == "error"]
        assert [entry["event"] for entry in refusals] == ["session keys refused, the last good ones stay in force"]
        assert server.fetches == 2

    with serve_jwks(jwks(first=FIRST)) as server:
        asyncio.run(scenario(server))


def test_slow_answers(folder: ServiceFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not come in time is given up on."""

    async def scenario(server: JwksServer) -> None:
        app, clock = _app(folder, server.url)
        server.may_answer.clear()
        with monkeypatch.context() as impatient, capture_logs() as logs:
            impatient.setattr("service.auth.jwks_source._FETCH_SECONDS", 0.2)
            assert await _status(app, OLD) == 503
        assert "no complete answer" in str(logs)
        server.may_answer.set()
        clock.seconds += 10
        assert await _status(app, OLD) == 200

    with serve_jwks(jwks(first=FIRST)) as server:
        asyncio.run(scenario(server))


def test_nobody_waits_in_an_outage(folder: ServiceFolder) -> None:
    """Once a fetch has failed, known keys answer without waiting for the next, however old they get."""

    async def scenario(server: JwksServer) -> None:
        app, clock = _app(folder, server.url)
        assert await _status(app, OLD) == 200
        server.status = 500
        clock.seconds += 1000
        assert await _status(app, OLD) == 200
        for _ in range(3):
            server.may_answer.clear()
            clock.seconds += 1000
            assert await _status(app, OLD) == 200
            task = _ring(app)._try  # noqa: SLF001
            assert task is not None
            assert not task.done()
            server.may_answer.set()
            await _settled(app)
        assert server.fetches == 5

    with serve_jwks(jwks(first=FIRST)) as server:
        asyncio.run(scenario(server))


def test_dripping_answers(folder: ServiceFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is for the whole answer: one byte after the other does not lengthen it."""
    monkeypatch.setattr("service.auth.jwks_source._FETCH_SECONDS", 0.2)

    async def scenario(server: JwksServer) -> None:
        app, _ = _app(folder, server.url)
        server.drips = True
        assert await asyncio.wait_for(_status(app, OLD), 4) == 503  # the usual 5 s would not do

    with serve_jwks(jwks(first=FIRST)) as server:
        asyncio.run(scenario(server))


def test_caller_who_goes_away(folder: ServiceFolder) -> None:
    """A request that is given up while it waits for the keys leaves the fetch to the others."""

    async def scenario(server: JwksServer) -> None:
        app, _ = _app(folder, server.url)
        server.may_answer.clear()
        impatient = asyncio.create_task(_status(app, OLD))
        await _asked(server)
        patient = asyncio.create_task(_status(app, OLD))
        await asyncio.sleep(0)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        server.may_answer.set()
        assert await patient == 200
        assert server.fetches == 1

    with serve_jwks(jwks(first=FIRST)) as server:
        asyncio.run(scenario(server))


# Start and end.


def test_start_and_end(folder: ServiceFolder) -> None:
    """Keys are fetched when the service starts; a fetch still under way ends with it, and leaves nothing behind."""

    async def scenario(server: JwksServer) -> None:
        app, _ = _app(folder, server.url)
        server.may_answer.clear()
        messages: asyncio.Queue[Any] = asyncio.Queue()
        sent: list[str] = []

        async def send(message: Any) -> None:
            sent.append(message["type"])

        life = asyncio.create_task(app({"type": "lifespan"}, messages.get, send))
        await messages.put({"type": "lifespan.startup"})
        await _asked(server)
        assert sent == ["lifespan.startup.complete"]
        await messages.put({"type": "lifespan.shutdown"})
        await asyncio.wait_for(life, 3)  # less than a fetch may take
        assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with serve_jwks(jwks(first=FIRST)) as server:
        asyncio.run(scenario(server))


def test_real_process(folder: ServiceFolder) -> None:
    """`usage serve` takes its keys from a URL and stops while a fetch is under way; no log line holds the token."""
    folder.publish()
    exp = 32_503_680_000
    token, unknown = (sign(FIRST, kid, claims(exp=exp)) for kid in ("first", "unknown"))
    with serve_jwks(jwks(first=FIRST)) as server:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "usage", "serve", "--port", "0", "--data-dir", folder.root],
            env=os.environ | {"USAGE_JWKS": server.url},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        log = []
        for line in process.stderr:
            log.append(line)
            match = re.match(r"listening on (http://\S+)", line)
            if match:
                break
        assert match, log
        whoami = httpx.get(f"{match[1]}/api/v1/auth/whoami", headers=[*_headers(token), ("X-Workspace-Id", WORKSPACE)])
        assert (whoami.status_code, whoami.json()["data"]["workspace_id"]) == (200, WORKSPACE)
        assert httpx.get(f"{match[1]}{SUMMARY}", headers=_headers(unknown)).status_code == 401
        assert server.fetches == 1
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 0
    assert not any(part in "".join(log) + rest for part in token.split("."))
