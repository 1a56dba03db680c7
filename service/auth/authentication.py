"""From credential to caller: who asks, and for which workspace.

An API key is found by its SHA-256 and compared in constant time; a session token is left to `session_tokens`. Every
credential that is not in force is refused in the same words, so that nobody learns what exists.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal

import msgspec

from pipeline.contract.directory import KEY_CHARACTERS, KEY_PREFIX, READ_SCOPE, ApiKey, sha256_hex
from service.api.parameters import WORKSPACE_HEADER
from service.auth.directory import Directory
from service.auth.session_tokens import Sessions
from service.errors import Detail, ForbiddenError, InvalidApiKeyError, UnauthenticatedError

Headers = Mapping[bytes, Sequence[bytes]]  # by lower-case name, in the order received

_API_KEY: Final = re.compile(f"{KEY_PREFIX}[0-9A-Za-z]{{{KEY_CHARACTERS}}}").fullmatch
_RESERVED_PREFIX: Final = "op_"
_WORKSPACE_MISSING: Final = "is needed: this session may read several workspaces"


class Caller(msgspec.Struct, frozen=True):
    """Who asks. `workspace_id` is what the request is about once `authorise` has let it pass."""

    auth_kind: Literal["api_key", "clerk"]
    user_id: str
    workspace_id: str | None
    api_key_id: str | None
    scopes: tuple[str, ...]  # sorted, unique


async def authenticate(headers: Headers, directory: Directory, sessions: Sessions, now: int) -> Caller:
    """Return whom the credential speaks for.

    Raises:
        CredentialError: there is none, or it is not in force.
        ForbiddenError: it is a session of nobody in the directory.
        KeysUnavailableError: it is a session that cannot be verified now.
    """
    token = _bearer_token(headers.get(b"authorization", ()))
    if not token.startswith(_RESERVED_PREFIX):
        user_id = await sessions.user(token, directory, now)
        return Caller(auth_kind="clerk", user_id=user_id, workspace_id=None, api_key_id=None, scopes=(READ_SCOPE,))
    key = _key(token, directory)
    if key is None or key.revoked_at is not None:
        raise InvalidApiKeyError
    return _caller(key.id, key.user_id, key.workspace_id, key.scopes)


@lru_cache(maxsize=1 << 14)
def _caller(key_id: str, user_id: str, workspace_id: str, scopes: tuple[str, ...]) -> Caller:
    return Caller("api_key", user_id.lower(), workspace_id.lower(), key_id, tuple(sorted(set(scopes))))


def authorise(caller: Caller, workspace_id: str | None, directory: Directory, scope: str | None) -> Caller:
    """Return the caller bound to the workspace of the request.

    A key has its own. A session has what the header names; without it the only one that its user may read, or still
    none: for a route that takes any credential, and where there are several (see `ambiguous`).

    Args:
        caller: who asks.
        workspace_id: what the `X-Workspace-Id` header names, lower-case.
        directory: the members in force.
        scope: what the route needs, None where any credential will do.

    Raises:
        ForbiddenError: another workspace, no active member, or the scope is missing.
    """
    if caller.workspace_id is None:
        readable = directory.active_workspaces_of(caller.user_id)
    else:
        readable = (caller.workspace_id,) if directory.is_active(caller.workspace_id, caller.user_id) else ()
    if not readable or workspace_id not in {None, *readable}:
        raise ForbiddenError
    if scope is not None and scope not in caller.scopes:
        raise ForbiddenError
    if caller.workspace_id is not None:
        return caller
    only = readable[0] if scope is not None and len(readable) == 1 else None
    return msgspec.structs.replace(caller, workspace_id=workspace_id or only)


def ambiguous(caller: Caller, scope: str | None) -> list[Detail]:
    """Return what is wrong with a request for figures that does not say of which workspace."""
    missing = caller.workspace_id is None and scope is not None
    return [Detail(WORKSPACE_HEADER, _WORKSPACE_MISSING)] if missing else []


def _bearer_token(values: Sequence[bytes]) -> str:
    if len(values) != 1:  # with several, a proxy before us and we might each take another one
        raise UnauthenticatedError
    scheme, _, token = values[0].decode("latin-1").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError
    return token


def _key(token: str, directory: Directory) -> ApiKey | None:
    if not _API_KEY(token):
        return None
    digest = sha256_hex(token)
    key = directory.keys.get(digest)
    if key is None or not hmac.compare_digest(digest, key.key_sha256.lower()):
        return None
    return key
