"""Where the public keys of session tokens come from: a file, or a URL fetched without blocking the event loop.

Reads what `USAGE_JWKS` names, bounded in bytes and in time. A URL is https, or http on this machine's loopback.
"""

import asyncio
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import httpx

from pipeline.contract.files import open_file
from pipeline.contract.settings import SettingError
from service.auth.directory import Identity, file_identity

_LARGEST_BYTES: Final = 1 << 18  # a few hundred keys


class KeySetError(Exception):
    """Raised when a key set cannot be read or used; the message is for the log only."""


class KeySource(Protocol):
    """A place that a key set is read from."""

    fresh_seconds: float  # the age at which it is read again in the background
    stale_seconds: float  # the age at which it is read again before it is used
    retry_seconds: float  # the least time between two reads, whether the first succeeded or not

    async def read(self) -> bytes | None:
        """Return the content, or None if it is known to be unchanged; raise KeySetError or OSError."""


class _File:
    """A file. As long as it stays the same, a read costs no more than a `stat`."""

    fresh_seconds = stale_seconds = retry_seconds = 1.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity: Identity | Literal[False] = False  # False: not read yet; None: there was no file

    async def read(self) -> bytes | None:
        return await asyncio.to_thread(self._read)

    def _read(self) -> bytes | None:
        identity = file_identity(self._path)  # before reading: a change during the read is noticed the next time
        if identity == self._identity:
            return None
        self._identity = None if identity is None else False  # until it has been read
        with open_file(self._path) as file:
            content = file.read(_LARGEST_BYTES + 1)
        self._identity = identity
        return _bounded(content)


class _Url:
    """A URL: https, or http on this machine's loopback."""

    fresh_seconds = 300.0
    stale_seconds = 600.0
    retry_seconds = 10.0

    def __init__(self, url: httpx.URL, fetch_seconds: float) -> None:
        self._url = url
        self._fetch_seconds = fetch_seconds
        encrypted = url.scheme == "https"
        # Made once, since reading the certificates takes long. The environment's proxies do not apply to loopback.
        self._options: dict[str, Any] = {
            "verify": httpx.create_ssl_context() if encrypted else False,
            "trust_env": encrypted,
            "headers": {"accept": "application/json", "accept-encoding": "identity"},  # the bound is on bytes as sent
        }

    async def read(self) -> bytes | None:
        try:
            async with asyncio.timeout(self._fetch_seconds):
                return await self._fetch()
        except TimeoutError:
            raise KeySetError(f"no complete answer within {self._fetch_seconds:g} s") from None
        except httpx.HTTPError as error:
            raise KeySetError(f"{type(error).__name__}: {error}") from None

    async def _fetch(self) -> bytes:
        content = b""
        async with httpx.AsyncClient(**self._options) as client, client.stream("GET", self._url) as response:
            if response.status_code != httpx.codes.OK:  # redirects too: they might lead away from https
                raise KeySetError(f"answered with status {response.status_code}")
            async for chunk in response.aiter_raw():
                content = _bounded(content + chunk)
        return content


def _bounded(content: bytes) -> bytes:
    if len(content) > _LARGEST_BYTES:
        raise KeySetError(f"larger than {_LARGEST_BYTES} bytes")
    return content


def key_source(location: str, fetch_seconds: float = 5.0) -> KeySource:
    """Return the key source at a path or URL; nothing is read yet.

    Args:
        location: the path or URL.
        fetch_seconds: how long a fetch may take, from the name's resolution to the last byte.

    Raises:
        SettingError: it is neither a path nor a URL that may be fetched.
    """
    if "://" not in location:
        return _File(Path(location))
    try:
        url = httpx.URL(location)
    except (httpx.InvalidURL, ValueError):
        raise SettingError("USAGE_JWKS is not a URL") from None
    if url.userinfo:
        raise SettingError("USAGE_JWKS must hold no user name or password")
    if not url.host or (url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.host))):
        raise SettingError("USAGE_JWKS must be a path or an https URL; http is for this machine's loopback only")
    return _Url(url, fetch_seconds)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
