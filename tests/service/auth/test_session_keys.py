"""Which key of a JWKS verifies a session token, and which keys are left out."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import RSAAlgorithm

from service.http.front import Front
from tests.support.issuer import claims, ec_key, jwk, rsa_key, sign
from tests.support.service_folder import ServiceFolder
from tests.support.sessions import EC, GOOD, RSA, STRANGE_RSA, ask, is_refused, session_app


def _with(folder: ServiceFolder, *keys: dict[str, Any]) -> Front:
    (folder.root / "jwks.json").write_text(json.dumps({"keys": keys}))
    return session_app(folder)


def test_without_kid(served: ServiceFolder) -> None:
    """A token without `kid` is verified by the only key of its algorithm; where there are several, by none."""
    token = sign(RSA, None, claims())
    assert ask(session_app(served), token).status == 200
    assert ask(_with(served, jwk(RSA)), token).status == 200
    assert is_refused(_with(served, jwk(RSA, kid="a"), jwk(STRANGE_RSA, kid="b")), token)
    assert is_refused(_with(served, jwk(STRANGE_RSA)), token)


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
def test_unusable_keys(served: ServiceFolder, key: dict[str, Any]) -> None:
    """Keys for encryption, of another algorithm or kind, private or broken ones are left out; the others serve."""
    app = _with(served, key, jwk(EC, kid="ec"))
    assert is_refused(app, sign(RSA, "rsa", claims()))
    assert ask(app, sign(EC, "ec", claims())).status == 200


def test_weak_keys_and_other_curves(served: ServiceFolder) -> None:
    """RSA keys below 2048 bits and keys on other curves are left out, whatever `alg` they claim."""
    weak, p384 = rsa_key("weak", 1024), ec_key("p384", ec.SECP384R1)
    keys = [jwk(weak, kid="weak"), jwk(p384, kid="p384", alg="ES256"), jwk(ec_key("k1", ec.SECP256K1), kid="k1")]
    app = _with(served, *keys, jwk(EC, kid="ec"))
    assert is_refused(app, sign(weak, "weak", claims()))
    assert is_refused(app, sign(p384, "p384", claims(), "ES384"))
    assert is_refused(app, sign(EC, "k1", claims()))
    assert ask(app, sign(EC, "ec", claims())).status == 200


@pytest.mark.parametrize("fields", [{"use": "sig", "alg": "RS256"}, {"use": None}, {"key_ops": None, "alg": None}])
def test_optional_fields_of_a_key(served: ServiceFolder, fields: dict[str, Any]) -> None:
    """`use`, `key_ops` and `alg` of a key may be missing."""
    key = {name: value for name, value in jwk(RSA, kid="rsa", **fields).items() if value is not None}
    assert ask(_with(served, key), GOOD).status == 200
