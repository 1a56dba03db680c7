"""From a session token to a user: a JWT signed with RS256 or ES256 by a key of the JWKS.

PyJWT verifies the signatures; times are compared here, with the request's own instant. Verifying a signature costs more
than the rest of an answer, so verified tokens are remembered by their digest until the key set changes. Their times and
their users' memberships are still checked for every request.
"""

import re
import time
from collections.abc import Callable
from types import TracebackType
from typing import Annotated, Any, Final

import msgspec
from jwt import PyJWS, PyJWTError

from pipeline.contract.calendar import SECOND_US
from pipeline.contract.directory import sha256_hex
from pipeline.contract.formats import FormatError, uuid
from pipeline.contract.settings import Settings
from service.auth.directory import Directory
from service.auth.jwks import ALGORITHMS, KeyRing
from service.auth.jwks_source import key_source
from service.errors import ForbiddenError, InvalidTokenError
from service.lru import LruCache

LEEWAY_SECONDS: Final = 30

_LONGEST_TOKEN: Final = 16 << 10  # characters; a usual token has about a thousand
_REMEMBERED_BYTES: Final = 8 << 20
_ENTRY_BYTES: Final = 1000  # of a remembered token: its digest, claims and the objects around them

# Stricter than the library, which accepts padding: one token must not have several spellings.
_COMPACT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII).fullmatch

_Instant = Annotated[float, msgspec.Meta(ge=0, le=253_402_300_799)]  # Unix seconds, to the end of the year 9999


class Claims(msgspec.Struct, frozen=True):
    """The claims of a token that are read; `exp` and `sub` are required."""

    sub: Annotated[str, msgspec.Meta(min_length=1)]
    exp: _Instant
    nbf: _Instant = 0
    iss: Any = None  # may be anything unless an issuer is configured
    azp: Any = None  # may be anything unless parties are configured


class TokenVerifier:
    """Verifies session tokens; an async context manager that is entered for as long as the service runs.

    Args:
        settings: the location of the JWKS, the issuer and the authorised parties.
        monotonic: the clock that the age of the keys is measured by, in seconds.

    Raises:
        SettingError: `USAGE_JWKS` is neither a path nor a URL that may be fetched. At construction only.
    """

    def __init__(self, settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ring = KeyRing(key_source(settings.jwks), monotonic) if settings.jwks else None
        self._issuer = settings.jwt_issuer
        self._parties = [name for name in map(str.strip, settings.jwt_azp.split(",")) if name]
        self._signatures = PyJWS(algorithms=ALGORITHMS)
        self._keys: object = None  # the key set that verified the remembered tokens
        self._remembered: LruCache[Claims] = LruCache(_REMEMBERED_BYTES)

    async def user_id(self, token: str, directory: Directory, now: int) -> str:
        """Return the id of the user that a token was issued for.

        Args:
            token: the token as sent.
            directory: the directory in force.
            now: the request's instant, in microseconds UTC.

        Raises:
            InvalidTokenError: it is not a valid token, or it is not in force at this instant.
            ForbiddenError: it is, but its `sub` is neither a subject of the directory nor a UUID.
            KeysUnavailableError: it cannot be verified now.
        """
        claims = await self._claims(token)
        begin, end = claims.nbf - LEEWAY_SECONDS, claims.exp + LEEWAY_SECONDS
        if not begin * SECOND_US <= now < end * SECOND_US:
            raise InvalidTokenError
        try:
            return directory.subjects.get(claims.sub) or uuid(claims.sub)
        except FormatError:
            raise ForbiddenError from None

    async def _claims(self, token: str) -> Claims:
        if self._ring is None or len(token) > _LONGEST_TOKEN or not _COMPACT(token):
            raise InvalidTokenError
        keys = await self._ring.current()
        if keys is not self._keys:
            self._keys, self._remembered = keys, LruCache(_REMEMBERED_BYTES)
        digest = sha256_hex(token)
        claims = self._remembered.get(digest)
        if claims is None:
            claims = await self._verify(token, self._ring)
            self._remembered.put(digest, claims, _ENTRY_BYTES + len(claims.sub))
        return claims

    async def _verify(self, token: str, ring: KeyRing) -> Claims:
        try:
            # The header alone: given the whole token, the library would decode all of it here and again to verify it.
            header = self._signatures.get_unverified_header(token.partition(".")[0] + "..")
            if header.get("alg") not in ALGORITHMS or "crit" in header:  # no critical extension is supported
                raise InvalidTokenError
            key = await ring.find(header.get("kid"), header["alg"])
            if key is None:
                raise InvalidTokenError
            claims = msgspec.json.decode(self._signatures.decode(token, key), type=Claims)
        except (PyJWTError, msgspec.MsgspecError, ValueError, RecursionError):
            raise InvalidTokenError from None
        if self._issuer and claims.iss != self._issuer:
            raise InvalidTokenError
        if self._parties and claims.azp not in self._parties:
            raise InvalidTokenError
        return claims

    async def __aenter__(self) -> None:
        if self._ring is not None:
            await self._ring.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._ring is not None:
            await self._ring.close()
