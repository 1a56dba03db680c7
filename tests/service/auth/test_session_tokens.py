"""Session tokens with a valid signature: algorithms, times, claims, issuer and party."""

from typing import Any

import pytest

from pipeline.contract.calendar import SECOND_US
from tests.support.issuer import claims, sign
from tests.support.service_folder import NOW, USER, ServiceFolder
from tests.support.sessions import ACTIVITY, EC, GOOD, RSA, SUMMARY, WHOAMI, ask, is_refused, session_app


@pytest.mark.parametrize("token", [GOOD, sign(EC, "ec", claims())], ids=["RS256", "ES256"])
def test_both_algorithms(served: ServiceFolder, token: str) -> None:
    """RS256 and ES256 are accepted on every route, the second time from memory."""
    app = session_app(served)
    for path in (SUMMARY, SUMMARY, "/api/v1/usage/by-language", ACTIVITY, WHOAMI):
        assert ask(app, token, path).status == 200


def test_without_a_jwks(served: ServiceFolder) -> None:
    """Without a configured JWKS, no session token is accepted."""
    assert is_refused(served.app(), GOOD)


@pytest.mark.parametrize(
    ("exp", "nbf", "now", "accepted"),
    [
        (100, 0, 100, True),
        (100, 0, 129.999999, True),
        (100, 0, 130, False),
        (100, 0, 1e6, False),
        (100.5, 0, 130.499999, True),
        (100.5, 0, 130.5, False),
        (9999, 100, 70, True),
        (9999, 100, 69.999999, False),
        (9999, 100.25, 70.25, True),
        (100, 200, 150, False),
    ],
)
def test_times(served: ServiceFolder, exp: float, nbf: float, now: float, accepted: bool) -> None:
    """A token is valid in [`nbf` - 30 s, `exp` + 30 s), by the request's instant and no other clock."""
    token = sign(RSA, "rsa", claims(exp=exp, nbf=nbf))
    assert ask(session_app(served, round(now * SECOND_US)), token).status == (200 if accepted else 401)


def test_times_of_a_remembered_token(served: ServiceFolder) -> None:
    """A token that was good a moment ago expires like any other."""
    app = session_app(served)
    assert ask(app, GOOD).status == 200
    served.now = NOW + 89_999_999
    assert ask(app, GOOD).status == 200
    served.now = NOW + 90_000_000
    assert is_refused(app, GOOD)


def test_without_nbf(served: ServiceFolder) -> None:
    """`nbf` may be missing."""
    assert ask(session_app(served), sign(RSA, "rsa", claims(nbf=None))).status == 200


SAID = f'"sub": "{USER}"'.encode()


@pytest.mark.parametrize(
    "said",
    [
        b"{%b}" % SAID,
        *(
            b'{%b, "%b": %b, "%b": 9999999999}' % (SAID, name, value, other)
            for name, other in ((b"exp", b"iat"), (b"nbf", b"exp"))
            for value in (
                b'"9999999999"',
                b"NaN",
                b"Infinity",
                b"1e400",
                b"9" * 400,
                b"1764000000000000",
                b"-1",
                b"true",
                b"null",
                b"[]",
            )
        ),
        b'{"exp": 9999999999}',
        b'{"exp": 9999999999, "sub": null}',
        b'{"exp": 9999999999, "sub": ""}',
        b'{"exp": 9999999999, "sub": 5}',
        b'{"exp": 9999999999, "sub": ["%b"]}' % USER.encode(),
        b'{"exp": 9999999999, "sub": "\\ud800"}',
        b'["sub", "exp"]',
        b"null",
        b"",
        b"\xff",
        b"[" * 9000,
        b'{"exp": 9999999999, "sub": "' + b"\xc3" + b'"}',
    ],
)
def test_odd_claims(served: ServiceFolder, said: bytes) -> None:
    """A signed token without `exp` or `sub`, or with times that are not plausible numbers, is refused."""
    assert is_refused(session_app(served), sign(RSA, "rsa", said))


@pytest.mark.parametrize(
    ("said", "accepted"),
    [
        ({"iss": "https://id.example", "azp": "https://b.example"}, True),
        ({"iss": "https://id.example", "azp": "https://a.example"}, True),
        ({"iss": "https://id.example/", "azp": "https://a.example"}, False),
        ({"iss": "https://id.example\r\n", "azp": "https://a.example"}, False),
        ({"iss": ["https://id.example"], "azp": "https://a.example"}, False),
        ({"azp": "https://a.example"}, False),
        ({"iss": "https://id.example"}, False),
        ({"iss": "https://id.example", "azp": "https://c.example"}, False),
        ({"iss": "https://id.example", "azp": "https://a.example, https://b.example"}, False),
        ({"iss": "https://id.example", "azp": ["https://a.example"]}, False),
        ({"iss": "https://id.example", "azp": ""}, False),
    ],
)
def test_issuer_and_party(served: ServiceFolder, said: dict[str, Any], accepted: bool) -> None:
    """Where configured, `iss` must be the issuer and `azp` one of the parties; otherwise both may be anything."""
    configured = session_app(served, issuer="https://id.example", parties="https://a.example , https://b.example,")
    token = sign(RSA, "rsa", claims(**said))
    assert ask(configured, token).status == (200 if accepted else 401)
    assert ask(session_app(served), token).status == 200
