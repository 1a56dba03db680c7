"""The public keys of session tokens, kept fresh.

Reads a key source: a file or a URL (`jwks_source`). A file is looked at every second. A URL is fetched in the
background when its keys are five minutes old, and at once when a token names an unknown key, but never sooner than ten
seconds after the last try, so that invented key ids cause no storm of fetches. Keys older than ten minutes, as after a
quiet night, are fetched before they are used again. If the source is broken or out of reach, the last good keys stay in
force, with a log line: one for each reason, and again every minute.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import msgspec
import structlog
from jwt import PyJWK, PyJWTError

from pipeline.contract.files import why
from pipeline.contract.text import printable
from service.auth.jwks_source import KeySetError, KeySource
from service.errors import KeysUnavailableError

ALGORITHMS: Final = ("RS256", "ES256")

_UTF8_BOM: Final = b"\xef\xbb\xbf"
_LOG_INTERVAL_SECONDS: Final = 60.0

_log: Final = structlog.stdlib.get_logger("service.auth.jwks")


class _Key(msgspec.Struct, omit_defaults=True):
    """One RSA or P-256 key that verifies signatures. A key that does not fit this type is left out."""

    kty: Literal["RSA", "EC"]
    kid: str | None = None
    use: Literal["sig"] | None = None
    key_ops: list[str] | None = None
    alg: Literal["RS256", "ES256"] | None = None
    n: str | None = None
    e: str | None = None
    crv: Literal["P-256"] | None = None
    x: str | None = None
    y: str | None = None
    d: None = None  # private keys are left out: once published, they are known to anybody


class _Document(msgspec.Struct):
    keys: list[Any]


class KeySet:
    """The usable keys of one JWKS."""

    def __init__(self, keys: Iterable[PyJWK] = ()) -> None:
        self._keys = {(key.key_id, key.algorithm_name): key for key in keys}

    def find(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """Return the key of this id and algorithm; without an id, the algorithm's only key, None if it has several."""
        if key_id is not None:
            return self._keys.get((key_id, algorithm))
        fitting = [key for (_, name), key in self._keys.items() if name == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    @property
    def ids(self) -> list[str | None]:
        """Return the key ids, which are not secret."""
        return [key_id for key_id, _ in self._keys]


def read_key_set(content: bytes) -> KeySet:
    """Return the usable keys of a JWKS; a byte order mark is skipped.

    Raises:
        KeySetError: the content is not a JWKS, or none of its keys is usable.
    """
    try:
        document = msgspec.json.decode(content.removeprefix(_UTF8_BOM), type=_Document)
        keys = KeySet(filter(None, map(_usable, document.keys)))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise KeySetError(f"not a JWKS: {error}") from None
    if not keys.ids:
        raise KeySetError("none of its keys can verify RS256 or ES256")
    return keys


def _usable(jwk: Any) -> PyJWK | None:
    try:
        row = msgspec.convert(jwk, _Key)
        key = PyJWK(msgspec.to_builtins(row))
    except (msgspec.MsgspecError, PyJWTError):
        return None
    if row.key_ops is not None and "verify" not in row.key_ops:
        return None
    return None if key.Algorithm.check_key_length(key.key) else key  # RSA below 2048 bits


class KeyRing:
    """The keys in force.

    Args:
        source: where the keys are read from.
        monotonic: the clock that their age is measured by, in seconds.
    """

    def __init__(self, source: KeySource, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._monotonic = monotonic
        self._keys = KeySet()
        self._content: bytes | None = None
        self._refreshed = self._tried = float("-inf")
        self._reachable = False  # whether the last try succeeded
        self._logged: tuple[str, float] | None = None  # why it failed and when that was logged, if it did
        self._try: asyncio.Task[None] | None = None

    async def current(self) -> KeySet:
        """Return the keys in force. It is the same object until they change."""
        age = self._monotonic() - self._refreshed
        if age >= self._source.fresh_seconds:
            # Wait only for a source that answered the last time: an outage must not slow down every request.
            await self._refresh(wait=age >= self._source.stale_seconds and self._reachable)
        return self._keys

    async def find(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """Return the key that verifies a token with this id and algorithm, None if there is none.

        Raises:
            KeysUnavailableError: the key is unknown, and the source cannot be read now.
        """
        key = (await self.current()).find(key_id, algorithm)
        if key is None:
            await self._refresh(wait=True)
            key = self._keys.find(key_id, algorithm)
        if key is None and not self._reachable:
            raise KeysUnavailableError
        return key

    async def open(self) -> None:
        """Begin to read the keys, so that the first token finds them loaded."""
        await self._refresh(wait=False)

    async def close(self) -> None:
        """Cancel a read that is under way."""
        if self._try is not None and not self._try.done():
            self._try.cancel()
            await asyncio.wait([self._try])

    async def _refresh(self, *, wait: bool) -> None:
        """Read the source, once for all concurrent callers, unless the last try was a moment ago."""
        if self._try is None or self._try.done():
            if self._monotonic() - self._tried < self._source.retry_seconds:
                return
            self._tried = self._monotonic()
            self._try = asyncio.create_task(self._read())
        if wait:
            await asyncio.wait([self._try])  # a cancelled caller leaves the read to the others

    async def _read(self) -> None:
        try:
            content = await self._source.read()
            if content is not None and content != self._content:
                self._keys, self._content = read_key_set(content), content
                _log.info("session keys read", keys=self._keys.ids)
        except Exception as error:  # noqa: BLE001 - for any failure, the last good keys are better than none
            self._reachable = False
            self._log_failure(f"{error.filename or 'file'}: {why(error)}" if isinstance(error, OSError) else str(error))
        else:
            self._logged = None
            self._reachable = self._reachable or content is not None  # an unchanged file may be the broken one
            self._refreshed = self._tried

    def _log_failure(self, reason: str) -> None:
        reason = printable(reason)
        now = self._monotonic()
        if self._logged is None or self._logged[0] != reason or now - self._logged[1] >= _LOG_INTERVAL_SECONDS:
            self._logged = reason, now
            _log.error("session keys refused, the last good ones stay in force", reason=reason)
