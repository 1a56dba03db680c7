"""The allowed locations of a JWKS, and its required content."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pipeline.contract.settings import SettingError
from service.auth.jwks import read_key_set
from service.auth.jwks_source import KeySetError, key_source
from tests.support.forked_command import command
from tests.support.issuer import ec_key, jwk, jwks, rsa_key
from tests.support.service_folder import ServiceFolder
from tests.support.sessions import EC, RSA, STRANGE_EC, STRANGE_RSA


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
        json.dumps({"keys": [jwk(EC, kid="ec") | {"x": "AAAA"}]}).encode(),
        *(json.dumps({"keys": [jwk(RSA, kid="a") | {"n": odd}]}).encode() for odd in ("", "é", "A", "=", "A" * 9_000)),
        json.dumps({"keys": [jwk(EC, kid="ec") | {"y": jwk(STRANGE_EC)["y"]}]}).encode(),
    ],
)
def test_no_key_set(content: bytes) -> None:
    """Content that is not a JWKS is refused, and so is a JWKS without a usable key."""
    with pytest.raises(KeySetError):
        read_key_set(content)


def test_key_set() -> None:
    """A key is found by id and algorithm; if an id is repeated, the last key counts."""
    content = json.dumps({"keys": [jwk(RSA, kid="a"), jwk(STRANGE_RSA, kid="a"), jwk(EC, kid="a")]}).encode()
    keys = read_key_set(content)
    assert keys.ids == ["a", "a"]
    found = keys.find("a", "RS256")
    assert found is not None
    assert found.key.public_numbers() == STRANGE_RSA.public_key().public_numbers()
    assert keys.find(None, "ES256") is keys.find("a", "ES256") is not None
    assert keys.find("b", "RS256") is None


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
    """A URL must be https, or http on loopback, and have no password; otherwise the service does not start."""
    with pytest.raises(SettingError, match="USAGE_JWKS") as refused:
        folder.app(USAGE_JWKS=location)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "location", ["https://id.example/jwks.json", "http://localhost:1/", "http://127.0.0.2/j", "http://[::1]:1/j"]
)
def test_accepted_locations(location: str) -> None:
    """An accepted location is not read before its keys are needed."""
    assert key_source(location) is not None


def test_refused_at_the_start(folder: ServiceFolder) -> None:
    """`usage serve` refuses a location in one sentence and exits 1."""
    arguments = ["serve", "--port", "0", "--data-dir", str(folder.root)]
    ended = command(folder.root, arguments, settings={"USAGE_JWKS": "http://id.example/"})
    assert ended.code == 1
    assert ended.stderr.startswith(b"error: USAGE_JWKS must be a path or an https URL")
