"""An identity provider for tests: its keys, valid and forged tokens, and a server for its JWKS."""

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from pipeline.contract.calendar import SECOND_US
from tests.support.service_folder import NOW, USER

NOW_SECONDS = NOW // SECOND_US


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return an RSA key, always the same for a name, because making a key is slow."""
    assert name
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(name: str, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """Return an elliptic-curve key, always the same for a name."""
    assert name
    return ec.generate_private_key(curve())


def jwk(key: Any, **fields: Any) -> dict[str, Any]:
    """Return the public JWK of a private key."""
    convert = RSAAlgorithm.to_jwk if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm.to_jwk
    return convert(key.public_key(), as_dict=True) | {"key_ops": ["verify"], "use": "sig"} | fields


def jwks(**keys: Any) -> bytes:
    """Return the JWKS of private keys, given by key id."""
    return json.dumps({"keys": [jwk(key, kid=name) for name, key in keys.items()]}).encode()


def claims(**fields: Any) -> dict[str, Any]:
    """Return the claims of a valid token of the first user. A field that is None is left out."""
    found = {"sub": USER, "exp": NOW_SECONDS + 60, "nbf": NOW_SECONDS - 10, "iat": NOW_SECONDS - 10} | fields
    return {name: value for name, value in found.items() if value is not None}


def sign(
    key: Any, kid: str | None, payload: Mapping[str, Any] | bytes, algorithm: str | None = None, **header: Any
) -> str:
    """Return a signed token. The payload is a dict of claims or raw bytes."""
    algorithm = algorithm or ("RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256")
    unsigned = forge({"alg": algorithm, **({} if kid is None else {"kid": kid}), **header}, payload).rstrip(".")
    return f"{unsigned}.{_base64(jwt.PyJWS().get_algorithm_by_name(algorithm).sign(unsigned.encode(), key))}"


def forge(header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes, signature: bytes = b"") -> str:
    """Return a token with any header, payload and signature."""
    parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload))
    return ".".join(map(_base64, (*parts, signature)))


def _base64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


class JwksServer:
    """A JWKS endpoint on loopback. The test sets its answers, and it counts the requests."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.status = 200
        self.headers: dict[str, str] = {}
        self.fetches = 0
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.drips = False  # whether it sends single bytes slowly instead of the content
        self.url = ""


@contextmanager
def serve_jwks(content: bytes, port: int = 0) -> Iterator[JwksServer]:
    """Yield a running server, and stop it at the end of the block."""
    endpoint, never = JwksServer(content), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            endpoint.fetches += 1
            endpoint.asked.set()
            endpoint.may_answer.wait(30)
            self.send_response(endpoint.status)
            for name, value in {"Content-Length": str(len(endpoint.content)), **endpoint.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                while endpoint.drips:
                    self.wfile.write(b" ")
                    never.wait(0.01)
                self.wfile.write(endpoint.content)
            except OSError:  # the client gave up
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        endpoint.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
        try:
            yield endpoint
        finally:
            endpoint.may_answer.set()
            endpoint.drips = False
            server.shutdown()
            thread.join()
