"""An identity provider by hand: its keys, its tokens, also forged ones, and the server of its JWKS."""

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
    """Return the same key for the same name, since making one takes long."""
    assert name
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(name: str, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """Return the same key for the same name."""
    assert name
    return ec.generate_private_key(curve())


def jwk(key: Any, **fields: Any) -> dict[str, Any]:
    """Return the public JWK of a private key."""
    convert = RSAAlgorithm.to_jwk if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm.to_jwk
    return convert(key.public_key(), as_dict=True) | {"key_ops": ["verify"], "use": "sig"} | fields


def jwks(**keys: Any) -> bytes:
    """Return the JWKS of private keys by id."""
    return json.dumps({"keys": [jwk(key, kid=name) for name, key in keys.items()]}).encode()


def claims(**fields: Any) -> dict[str, Any]:
    """Return the claims of a good token of the first user; a field that is None is left out."""
    found = {"sub": USER, "exp": NOW_SECONDS + 60, "nbf": NOW_SECONDS - 10, "iat": NOW_SECONDS - 10} | fields
    return {name: value for name, value in found.items() if value is not None}


def sign(
    key: Any, kid: str | None, said: Mapping[str, Any] | bytes, algorithm: str | None = None, **header: Any
) -> str:
    """Return a token; the claims may be raw bytes."""
    algorithm = algorithm or ("RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256")
    unsigned = forge({"alg": algorithm, **({} if kid is None else {"kid": kid}), **header}, said).rstrip(".")
    return f"{unsigned}.{_base64(jwt.PyJWS().get_algorithm_by_name(algorithm).sign(unsigned.encode(), key))}"


def forge(header: Mapping[str, Any] | bytes, said: Mapping[str, Any] | bytes, signature: bytes = b"") -> str:
    """Return a token of any header and signature."""
    parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, said))
    return ".".join(map(_base64, (*parts, signature)))


def _base64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


class JwksServer:
    """A JWKS endpoint on loopback that does as it is told and counts."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.status = 200
        self.headers: dict[str, str] = {}
        self.fetches = 0
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.drips = False  # a byte now and then instead of the content
        self.url = ""


@contextmanager
def serve_jwks(content: bytes, port: int = 0) -> Iterator[JwksServer]:
    """Yield a running server, gone when left."""
    told, never = JwksServer(content), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.fetches += 1
            told.asked.set()
            told.may_answer.wait(30)
            self.send_response(told.status)
            for name, value in {"Content-Length": str(len(told.content)), **told.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                while told.drips:
                    self.wfile.write(b" ")
                    never.wait(0.01)
                self.wfile.write(told.content)
            except OSError:  # who asked had enough
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        told.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
        try:
            yield told
        finally:
            told.may_answer.set()
            told.drips = False
            server.shutdown()
            thread.join()
