"""Where data lie on an object store: bucket, prefix and endpoint, from an address such as `s3://bucket/prefix`.

Reads the variables of AWS that name an endpoint; writes nothing. Credentials stay in the environment, where each
process finds its own.

    LocationError  the address cannot be used
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

_SCHEME: Final = "s3"
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]").fullmatch
_SEGMENT: Final = re.compile(r"[A-Za-z0-9!_.*'()=-]+").fullmatch
# In the order in which they count.
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class LocationError(ValueError):
    """Raised when an address of data cannot be used."""


class Location(msgspec.Struct, frozen=True):
    """Where data lie.

    Attributes:
        bucket: its name.
        prefix: of all keys, without `/` at either end; may be empty.
        endpoint: e.g. `http://127.0.0.1:8333`; empty for AWS itself.
        credentials: how the variables with its own credentials begin, e.g. `USAGE_RAW_`; empty for those of AWS.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    credentials: str = ""

    @property
    def url(self) -> str:
        """Return the address, e.g. `s3://bucket/prefix`."""
        return f"{_SCHEME}://{self.bucket}/{self.prefix}".rstrip("/")

    def __truediv__(self, folder: str) -> "Location":
        """Return the location of a folder below this one."""
        return msgspec.structs.replace(self, prefix=f"{self.prefix}/{folder}".lstrip("/"))

    @property
    def is_plain(self) -> bool:
        """Return whether requests are not encrypted, because the endpoint is `http://`."""
        return self.endpoint.startswith("http://")


def is_address(text: str) -> bool:
    """Return whether a text is an address with a scheme, not a path."""
    return "://" in text


def locate(address: str, environ: Mapping[str, str], endpoint: str = "") -> Location:
    """Return where an address leads.

    Args:
        address: e.g. `s3://bucket/prefix`.
        environ: of the process.
        endpoint: of the store, if it is not that of the AWS variables.

    Raises:
        LocationError: the scheme is not `s3`, or bucket, prefix or endpoint are malformed.
    """
    parts = _split(address)
    if parts.scheme != _SCHEME:
        raise LocationError(f"data on {parts.scheme}:// are not supported: give a folder, or s3://bucket/prefix")
    prefix = parts.path.strip("/")
    if parts.query or parts.fragment or not _BUCKET(parts.netloc):
        raise LocationError("the address must be s3://bucket/prefix, with nothing else in it")
    if prefix and not all(_SEGMENT(part) and part not in {".", ".."} for part in prefix.split("/")):
        raise LocationError("the prefix of the address may hold letters, digits and ! _ . * ' ( ) = - between slashes")
    found = endpoint or next((environ[name] for name in _ENDPOINTS if environ.get(name)), "")
    return Location(parts.netloc, prefix, _endpoint(found))


def _endpoint(text: str) -> str:
    if not text:
        return ""
    parts = _split(text)
    try:
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        has_port = False
    if parts.scheme not in {"http", "https"} or not parts.hostname or not has_port:
        raise LocationError("the endpoint of the object store must be http://host:port or https://host:port")
    if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        raise LocationError("the endpoint of the object store must have no path and no credentials in it")
    return f"{parts.scheme}://{parts.netloc}"


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise LocationError("an address of the object store is malformed") from None
