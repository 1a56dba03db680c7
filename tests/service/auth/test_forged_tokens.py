"""Forged session tokens are refused, and the log contains no part of any token."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from service.errors import InvalidTokenError
from service.telemetry.logs import RequestLog
from tests.support.issuer import claims, ec_key, forge, jwk, jwks, sign
from tests.support.service_folder import NOW, OTHER_USER, ServiceFolder
from tests.support.sessions import EC, GOOD, RSA, STRANGE_EC, STRANGE_RSA, ask, code, is_refused, session_app


def _hmac(secret: bytes, algorithm: str = "HS256", kid: str = "rsa") -> str:
    unsigned = forge({"alg": algorithm, "kid": kid}, claims()).rstrip(".")
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(unsigned.encode())
    return f"{unsigned}.{base64.urlsafe_b64encode(mac.finalize()).rstrip(b'=').decode()}"


_PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


_JWK = json.dumps(jwk(RSA, kid="rsa")).encode()


_SIGNATURE = base64.urlsafe_b64decode(GOOD.rsplit(".", 1)[1] + "==")


ATTACKS = {
    "none": forge({"alg": "none", "kid": "rsa"}, claims()),
    "none, any signature": forge({"alg": "none", "kid": "rsa"}, claims(), b"x"),
    "None": forge({"alg": "None", "kid": "rsa"}, claims(), b"x"),
    "no alg": forge({"kid": "rsa"}, claims(), b"x"),
    "alg null": forge({"alg": None, "kid": "rsa"}, claims(), b"x"),
    "alg a list": forge({"alg": ["RS256"], "kid": "rsa"}, claims(), _SIGNATURE),
    "alg in lower case": forge({"alg": "rs256", "kid": "rsa"}, claims(), _SIGNATURE),
    "HMAC with the PEM": _hmac(_PEM),
    "HMAC with the JWK": _hmac(_JWK),
    "HMAC with the JWKS": _hmac(jwks(rsa=RSA, ec=EC)),
    "HMAC with nothing": _hmac(b""),
    "HMAC called RS256": _hmac(_PEM, "RS256"),
    "HMAC called ES256": _hmac(_PEM, "ES256", "ec"),
    "RS512": sign(RSA, "rsa", claims(), "RS512"),
    "PS256": sign(RSA, "rsa", claims(), "PS256"),
    "ES384": sign(ec_key("p384", ec.SECP384R1), "ec", claims(), "ES384"),
    "no signature": GOOD.rsplit(".", 1)[0] + ".",
    "two parts": GOOD.rsplit(".", 1)[0],
    "four parts": GOOD + ".x",
    "padded": GOOD + "==",
    "other header": ".".join((forge({"alg": "RS256", "kid": "rsa", "x": 1}, b"").split(".")[0], *GOOD.split(".")[1:])),
    "other claims": ".".join(
        (GOOD.split(".")[0], forge(b"", claims(sub=OTHER_USER)).split(".")[1], GOOD.split(".")[2])
    ),
    "another's key": sign(STRANGE_RSA, "rsa", claims()),
    "another's P-256 key": sign(STRANGE_EC, "ec", claims()),
    "unknown kid": sign(RSA, "RSA", claims()),
    "kid of a path": sign(STRANGE_RSA, "../../../dev/null", claims()),
    "kid a number": forge({"alg": "RS256", "kid": 1}, claims(), _SIGNATURE),
    "kid null": forge({"alg": "RS256", "kid": None}, claims(), _SIGNATURE),
    "RS256 of the P-256 key": sign(RSA, "ec", claims()),
    "ES256 of the RSA key": sign(EC, "rsa", claims()),
    "own key inside": sign(STRANGE_RSA, "rsa", claims(), jwk=jwk(STRANGE_RSA)),
    "own key inside, no kid": sign(STRANGE_RSA, None, claims(), jwk=jwk(STRANGE_RSA)),
    "own jku": sign(STRANGE_RSA, "strange", claims(), jku="http://127.0.0.1:9/jwks.json"),
    "own x5u": sign(STRANGE_RSA, "rsa", claims(), x5u="http://127.0.0.1:9/cert.pem", x5c=["MIIB"]),
    "crit": forge({"alg": "RS256", "kid": "rsa", "crit": ["exp"], "exp": 1}, claims(), _SIGNATURE),
    "crit b64": sign(RSA, "rsa", claims(), crit=["b64"], b64=True),
    "crit empty": sign(RSA, "rsa", claims(), crit=[]),
    "b64 false": forge({"alg": "RS256", "kid": "rsa", "b64": False}, b"", _SIGNATURE),
    "header no object": forge(b"[]", claims(), b"x"),
    "header no JSON": forge(b"{", claims(), b"x"),
    "header nested": forge(b"[" * 9000, claims(), b"x"),
    "header not UTF-8": forge(b'{"alg":"\xff"}', claims(), b"x"),
    "header of a huge number": forge(b'{"alg":"RS256","x":' + b"9" * 5000 + b"}", claims(), b"x"),
    "r and s zero": forge({"alg": "ES256", "kid": "ec"}, claims(), b"\0" * 64),
    "short signature": forge({"alg": "ES256", "kid": "ec"}, claims(), b"\1" * 63),
    "giant signature": forge({"alg": "RS256", "kid": "rsa"}, claims(), b"x" * 10_000),
    "CR LF": GOOD + "\r\nX-Workspace-Id: x",
    "CR LF within": GOOD.replace(".", "\r\n.", 1),
    "NUL": GOOD + "\0",
    "not ASCII": GOOD.replace("e", "é"),
    "words": "a b",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(served: ServiceFolder, name: str) -> None:
    """A token not signed with RS256 or ES256 by a key of the JWKS is refused in the same words, without a reason."""
    app = session_app(served)
    with capture_logs() as logs:
        reply = ask(app, ATTACKS[name])
    assert code(reply) == (401, "INVALID_TOKEN")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.json()["error"] == {"code": "INVALID_TOKEN", "message": InvalidTokenError.message, "details": []}
    assert ATTACKS[name] not in str(logs)


def test_size(served: ServiceFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token of 16,384 characters is read; a longer one is refused before it is decoded."""
    app = session_app(served)
    rest = len(sign(RSA, "rsa", claims(x="")))
    token = sign(RSA, "rsa", claims(x="x" * ((16_384 - rest) * 3 // 4 - 2)))
    assert 16_370 < len(token) <= 16_384
    assert ask(app, token).status == 200
    monkeypatch.setattr("jwt.PyJWS.get_unverified_header", None)  # decoding a token now fails with 500
    assert is_refused(app, token + "x" * 20)
    assert is_refused(app, "a." * 500_000)


@pytest.mark.parametrize("key", ["rsa", "ec"])
def test_any_other_byte(served: ServiceFolder, key: str) -> None:
    """A token with one byte changed, or cut off anywhere, is refused, even while the genuine one is remembered."""
    app = session_app(served)
    token = sign({"rsa": RSA, "ec": EC}[key], key, claims())
    assert ask(app, token).status == 200

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(place=st.integers(0, len(token) - 1), other=st.characters(min_codepoint=33, max_codepoint=255))
    def change(place: int, other: str) -> None:
        if token[place] != other:
            assert is_refused(app, token[:place] + other + token[place + 1 :])
        assert ask(app, token[:place]).status == 401

    change()


def test_nothing_of_a_token_in_logs(served: ServiceFolder) -> None:
    """The log of accepted and refused requests contains no part of a token."""
    path = served.root / "requests.log"
    with path.open("wb") as file, capture_logs() as logs:
        log = RequestLog(file.fileno())
        app = served.app(NOW, log=log, USAGE_JWKS=str(served.root / "jwks.json"))
        for token in (GOOD, sign(STRANGE_RSA, "rsa", claims())):
            ask(app, token)
        log.flush()
    lines = path.read_text()
    assert len(lines.splitlines()) == 2
    assert not any(part in f"{logs}{lines}" for part in GOOD.split("."))
