"""Session tokens: CONTRACT §4 and what attackers send, through the whole front, keys from a file."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm
from structlog.testing import capture_logs

from pipeline.contract.calendar import SECOND_US
from service.http.front import Front
from service.telemetry.logs import RequestLog
from tests.support.issuer import claims, ec_key, forge, jwk, jwks, rsa_key, sign
from tests.support.service_folder import NOW, OTHER_USER, OTHER_WORKSPACE, USER, WORKSPACE, Reply, ServiceFolder, call

SUMMARY = "/api/v1/usage/summary"
WHOAMI = "/api/v1/auth/whoami"
RSA, EC = rsa_key("rsa"), ec_key("ec")
STRANGE_RSA, STRANGE_EC = rsa_key("strange"), ec_key("strange")
GOOD = sign(RSA, "rsa", claims())

Ask = Callable[..., Reply]


@pytest.fixture
def served(folder: ServiceFolder) -> ServiceFolder:
    """Return a folder with tables and a JWKS of two keys."""
    folder.publish()
    (folder.root / "jwks.json").write_bytes(jwks(rsa=RSA, ec=EC))
    return folder


def _app(folder: ServiceFolder, now: int = NOW, issuer: str = "", parties: str = "") -> Front:
    keys = str(folder.root / "jwks.json")
    return folder.app(now, USAGE_JWKS=keys, USAGE_JWT_ISSUER=issuer, USAGE_JWT_AZP=parties)


def _ask(app: Front, token: str, path: str = SUMMARY, query: bytes = b"", **headers: str) -> Reply:
    sent = {"authorization": f"Bearer {token}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return call(app, path, query, list(sent.items()))


def _code(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json()["error"]["code"]


def _is_refused(app: Front, token: str) -> bool:
    return _code(_ask(app, token)) == (401, "INVALID_TOKEN")


@pytest.mark.parametrize("token", [GOOD, sign(EC, "ec", claims())], ids=["RS256", "ES256"])
def test_both_algorithms(served: ServiceFolder, token: str) -> None:
    """RS256 and ES256 are accepted, the second time from memory, on every route."""
    app = _app(served)
    for path in (SUMMARY, SUMMARY, "/api/v1/usage/by-language", "/api/v1/usage/activity", WHOAMI):
        assert _ask(app, token, path).status == 200


def test_without_a_jwks(served: ServiceFolder) -> None:
    """Where no JWKS is configured, no session token is accepted."""
    assert _is_refused(served.app(), GOOD)


# Times.


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
    """A token is in force from `nbf` - 30 s until before `exp` + 30 s, by the request's instant and no other clock."""
    token = sign(RSA, "rsa", claims(exp=exp, nbf=nbf))
    assert _ask(_app(served, round(now * SECOND_US)), token).status == (200 if accepted else 401)


def test_times_of_a_remembered_token(served: ServiceFolder) -> None:
    """A token that was good a moment ago expires like any other."""
    app = _app(served)
    assert _ask(app, GOOD).status == 200
    app._clock = lambda: NOW + 89_999_999  # noqa: SLF001 - a clock that moves
    assert _ask(app, GOOD).status == 200
    app._clock = lambda: NOW + 90_000_000  # noqa: SLF001
    assert _is_refused(app, GOOD)


def test_without_nbf(served: ServiceFolder) -> None:
    """`nbf` may be missing."""
    assert _ask(_app(served), sign(RSA, "rsa", claims(nbf=None))).status == 200


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
    """A token without `exp` or `sub`, or with times that are no sane numbers, is refused though it is signed."""
    assert _is_refused(_app(served), sign(RSA, "rsa", said))


# Issuer and party.


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
    """Configured, `iss` must be the issuer and `azp` one of the parties; otherwise both may be anything."""
    configured = _app(served, issuer="https://id.example", parties="https://a.example , https://b.example,")
    token = sign(RSA, "rsa", claims(**said))
    assert _ask(configured, token).status == (200 if accepted else 401)
    assert _ask(_app(served), token).status == 200


# Signatures.


def _hmac(secret: bytes, algorithm: str = "HS256", kid: str = "rsa") -> str:
    unsigned = forge({"alg": algorithm, "kid": kid}, claims()).rstrip(".")
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(unsigned.encode())
    return f"{unsigned}.{base64.urlsafe_b64encode(mac.finalize()).rstrip(b'=').decode()}"


_PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
_JWK = json.dumps(jwk(RSA, kid="rsa")).encode()
_SIGNATURE = base64.urlsafe_b64decode(GOOD.rsplit(".", 1)[1] + "==")
_SIGNED_BY_STRANGER = {"alg": "RS256", "kid": "rsa", "jwk": jwk(STRANGE_RSA)}

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
    """Whatever is not RS256 or ES256 with a key of the JWKS is refused, in the same words, and says nothing of why."""
    app = _app(served)
    with capture_logs() as logs:
        reply = _ask(app, ATTACKS[name])
    assert _code(reply) == (401, "INVALID_TOKEN")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.json()["error"] == {"code": "INVALID_TOKEN", "message": "This token is not valid.", "details": []}
    assert ATTACKS[name] not in str(logs)


def test_size(served: ServiceFolder) -> None:
    """A token of 16,384 characters is read, a longer one is refused before anything is done with it."""
    app = _app(served)
    rest = len(sign(RSA, "rsa", claims(x="")))
    token = sign(RSA, "rsa", claims(x="x" * ((16_384 - rest) * 3 // 4 - 2)))
    assert 16_370 < len(token) <= 16_384
    assert _ask(app, token).status == 200
    app._sessions._signatures = None  # type: ignore[assignment]  # noqa: SLF001 - not to be asked any more
    assert _is_refused(app, token + "x" * 20)
    assert _is_refused(app, "a." * 500_000)


@pytest.mark.parametrize("key", ["rsa", "ec"])
def test_any_other_byte(served: ServiceFolder, key: str) -> None:
    """A token with any one byte changed, or cut anywhere, is refused, also while the true one is remembered."""
    app = _app(served)
    token = sign({"rsa": RSA, "ec": EC}[key], key, claims())
    assert _ask(app, token).status == 200

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(place=st.integers(0, len(token) - 1), other=st.characters(min_codepoint=33, max_codepoint=255))
    def change(place: int, other: str) -> None:
        if token[place] != other:
            assert _is_refused(app, token[:place] + other + token[place + 1 :])
        assert _ask(app, token[:place]).status == 401

    change()


# Which key.


def _with(folder: ServiceFolder, *keys: dict[str, Any]) -> Front:
    (folder.root / "jwks.json").write_text(json.dumps({"keys": keys}))
    return _app(folder)


def test_without_kid(served: ServiceFolder) -> None:
    """A token without `kid` is verified by the only key of its algorithm; of several none is tried."""
    token = sign(RSA, None, claims())
    assert _ask(_app(served), token).status == 200
    assert _ask(_with(served, jwk(RSA)), token).status == 200
    assert _is_refused(_with(served, jwk(RSA, kid="a"), jwk(STRANGE_RSA, kid="b")), token)
    assert _is_refused(_with(served, jwk(STRANGE_RSA)), token)


@pytest.mark.parametrize(
    "key",
    [
        jwk(RSA, kid="rsa", use="enc"),
        jwk(RSA, kid="rsa", use=5),
        jwk(RSA, kid="rsa", key_ops=["encrypt"]),
        jwk(RSA, kid="rsa", alg="RS512"),
        jwk(RSA, kid="rsa", alg="HS256"),
        jwk(RSA, kid="rsa", alg="ES256"),
        jwk(RSA, kid="rsa", alg=["RS256"]),
        jwk(RSA, kid="rsa", kty="EC"),
        jwk(RSA, kid="rsa", kty="oct", k="AAAA"),
        RSAAlgorithm.to_jwk(RSA, as_dict=True) | {"kid": "rsa", "key_ops": ["verify"]},
        jwk(RSA, kid="rsa", n="?"),
        jwk(RSA, kid="rsa", n=5),
        jwk(RSA, kid="rsa", e=None),
        jwk(RSA, kid=7),
    ],
)
def test_keys_that_are_not_for_us(served: ServiceFolder, key: dict[str, Any]) -> None:
    """A key for encryption, of another algorithm or kind, private or broken is left out; the others serve."""
    app = _with(served, key, jwk(EC, kid="ec"))
    assert _is_refused(app, sign(RSA, "rsa", claims()))
    assert _ask(app, sign(EC, "ec", claims())).status == 200


def test_weak_keys_and_other_curves(served: ServiceFolder) -> None:
    """RSA keys below 2048 bits and keys on other curves are left out, whatever `alg` they claim."""
    weak, p384 = rsa_key("weak", 1024), ec_key("p384", ec.SECP384R1)
    keys = [jwk(weak, kid="weak"), jwk(p384, kid="p384", alg="ES256"), jwk(ec_key("k1", ec.SECP256K1), kid="k1")]
    app = _with(served, *keys, jwk(EC, kid="ec"))
    assert _is_refused(app, sign(weak, "weak", claims()))
    assert _is_refused(app, sign(p384, "p384", claims(), "ES384"))
    assert _is_refused(app, sign(EC, "k1", claims()))
    assert _ask(app, sign(EC, "ec", claims())).status == 200


@pytest.mark.parametrize("fields", [{"use": "sig", "alg": "RS256"}, {"use": None}, {"key_ops": None, "alg": None}])
def test_keys_that_are(served: ServiceFolder, fields: dict[str, Any]) -> None:
    """`use`, `key_ops` and `alg` of a key may be missing."""
    key = {name: value for name, value in jwk(RSA, kid="rsa", **fields).items() if value is not None}
    assert _ask(_with(served, key), GOOD).status == 200


# Who, and which workspace.


def test_user_by_subject(served: ServiceFolder) -> None:
    """`sub` is the account's `subject`, or the user's id in any case; a replaced account's subject names nobody."""
    served.account(OTHER_USER, subject="user_old")
    served.account(OTHER_USER, subject="user_2x")
    served.member(WORKSPACE, OTHER_USER)
    app = _app(served)

    def whoami(sub: str) -> Reply:
        return _ask(app, sign(RSA, "rsa", claims(sub=sub)), WHOAMI)

    assert whoami("user_2x").json()["data"]["user_id"] == OTHER_USER
    assert whoami(USER.upper()).json()["data"]["user_id"] == USER
    for nobody in ("user_old", "USER_2X", "user_2x ", "user_2x\r\n", "{" + USER + "}", WORKSPACE, "x", "é\0"):
        assert _code(whoami(nobody)) == (403, "FORBIDDEN"), nobody


def test_only_workspace(served: ServiceFolder) -> None:
    """Without the header, figures are those of the only workspace with an active membership."""
    served.member(OTHER_WORKSPACE, USER, status="removed")
    app = _app(served)
    assert _ask(app, GOOD).json() == _like(_ask(app, GOOD, X_Workspace_Id=WORKSPACE.upper()))
    served.member(WORKSPACE, USER, status="removed")
    assert _code(_ask(_app(served), GOOD)) == (403, "FORBIDDEN")


def _like(reply: Reply) -> Any:
    """Return a body that compares equal whatever its request id is."""
    assert reply.status == 200
    body = reply.json()
    body["meta"]["request_id"] = _Any()
    return body


class _Any:
    def __eq__(self, other: object) -> bool:
        return re.fullmatch("[0-9A-Z]{26}", str(other)) is not None

    __hash__ = None  # type: ignore[assignment]


def test_several_workspaces(served: ServiceFolder) -> None:
    """With several memberships the header is needed: 422, together with whatever else is wrong."""
    served.member(OTHER_WORKSPACE, USER)
    app = _app(served)
    reply = _ask(app, GOOD, query=b"range=1d")
    assert _code(reply) == (422, "VALIDATION_ERROR")
    assert [detail["field"] for detail in reply.json()["error"]["details"]] == ["X-Workspace-Id", "range"]
    for workspace in (WORKSPACE, OTHER_WORKSPACE):
        assert _ask(app, GOOD, X_Workspace_Id=workspace).status == 200


@pytest.mark.parametrize("path", [SUMMARY, WHOAMI])
@pytest.mark.parametrize("value", ["", "x", WORKSPACE + "\r\nX-A: b", WORKSPACE[:-1]])
def test_malformed_header(served: ServiceFolder, path: str, value: str) -> None:
    """A malformed X-Workspace-Id is 422, with one detail, however many workspaces there are."""
    for _ in range(2):
        reply = _ask(_app(served), GOOD, path, X_Workspace_Id=value)
        assert _code(reply) == (422, "VALIDATION_ERROR")
        assert [detail["field"] for detail in reply.json()["error"]["details"]] == ["X-Workspace-Id"]
        served.member(OTHER_WORKSPACE, USER)


@pytest.mark.parametrize("path", [SUMMARY, WHOAMI])
def test_workspaces_of_others(served: ServiceFolder, path: str) -> None:
    """Another's workspace, one left and one that does not exist are forbidden in the same words."""
    left, unknown = "f" * 8 + WORKSPACE[8:], "e" * 8 + WORKSPACE[8:]
    served.member(OTHER_WORKSPACE, OTHER_USER)
    served.member(left, USER, status="removed")
    app = _app(served)
    replies = [_ask(app, GOOD, path, b"range=1d", X_Workspace_Id=named) for named in (OTHER_WORKSPACE, left, unknown)]
    assert {_code(reply) for reply in replies} == {(403, "FORBIDDEN")}
    assert len({json.dumps(reply.json()["error"]) for reply in replies}) == 1


def test_whoami(served: ServiceFolder) -> None:
    """Whoami shows the header's workspace or null, one scope and no key, before the first run and in any workspace."""
    (served.root / "published.json").unlink()
    served.member(OTHER_WORKSPACE, USER)
    app = _app(served)
    expected = {
        "auth_kind": "clerk",
        "user_id": USER,
        "workspace_id": None,
        "api_key_id": None,
        "scopes": ["workspace:read"],
    }
    assert _ask(app, GOOD, WHOAMI).json()["data"] == expected
    named = _ask(app, GOOD, WHOAMI, X_Workspace_Id=OTHER_WORKSPACE.upper())
    assert named.json()["data"] == expected | {"workspace_id": OTHER_WORKSPACE}
    assert _code(_ask(app, GOOD)) == (422, "VALIDATION_ERROR")
    assert _code(_ask(app, GOOD, X_Workspace_Id=WORKSPACE)) == (503, "SERVICE_UNAVAILABLE")


def test_whoami_of_one_workspace(served: ServiceFolder) -> None:
    """Without the header whoami's workspace is null, also where there is only one."""
    assert _ask(_app(served), GOOD, WHOAMI).json()["data"]["workspace_id"] is None


def test_order_of_checks(served: ServiceFolder) -> None:
    """Credential, membership, parameters, user_id: the first that fails is the answer."""
    app, bad, stranger = _app(served), b"range=1d", f"user_id={OTHER_USER}".encode()
    activity = "/api/v1/usage/activity"
    other = {"X_Workspace_Id": OTHER_WORKSPACE}
    assert _ask(app, ATTACKS["none"], activity, bad, **other).status == 401
    assert _ask(app, GOOD, activity, bad, **other).status == 403
    assert _ask(app, GOOD, activity, bad + b"&" + stranger).status == 422
    assert _ask(app, GOOD, activity, stranger).status == 404


def test_removed_member(served: ServiceFolder) -> None:
    """A remembered token is of no use from the moment that the directory takes the membership away."""
    app = _app(served)
    assert _ask(app, GOOD).status == 200
    served.member(WORKSPACE, USER, status="removed")
    app._directory._checked -= 1.0  # noqa: SLF001 - a second later
    assert _code(_ask(app, GOOD)) == (403, "FORBIDDEN")


def test_several_headers(served: ServiceFolder) -> None:
    """Two Authorization headers are one credential too many, also if both are the same."""
    header = ("Authorization", f"Bearer {GOOD}")
    assert _code(call(_app(served), SUMMARY, headers=[header, header])) == (401, "UNAUTHENTICATED")


def test_nothing_of_a_token_in_logs(served: ServiceFolder) -> None:
    """The log of good and bad requests holds no part of a token."""
    path = served.root / "requests.log"
    with path.open("wb") as file, capture_logs() as logs:
        log = RequestLog(file.fileno())
        app = served.app(NOW, log=log, USAGE_JWKS=str(served.root / "jwks.json"))
        for token in (GOOD, sign(STRANGE_RSA, "rsa", claims())):
            _ask(app, token)
        log.flush()
    lines = path.read_text()
    assert len(lines.splitlines()) == 2
    assert not any(part in f"{logs}{lines}" for part in GOOD.split("."))


def test_callers_do_not_share_tags(served: ServiceFolder) -> None:
    """Two users of one workspace get tags of their own."""
    served.member(WORKSPACE, OTHER_USER)
    app = _app(served)
    tags = {_ask(app, sign(RSA, "rsa", claims(sub=sub))).headers["etag"] for sub in (USER, OTHER_USER)}
    assert len(tags) == 2
