"""From the request's headers to a caller: who asks, and for which workspace.

Reads the credential and the workspace header. An API key is looked up by its SHA-256 and compared in constant time; a
session token is verified by `session_tokens`. Every credential that is not in force is refused in the same words, so
that nobody learns what exists.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal

import msgspec

from pipeline.contract.directory import KEY_CHARACTERS, KEY_PREFIX, READ_SCOPE, ApiKey, sha256_hex
from pipeline.contract.formats import FormatError, uuid
from service.auth.directory import Directory
from service.auth.session_tokens import TokenVerifier
from service.errors import Detail, ForbiddenError, InvalidApiKeyError, UnauthenticatedError

Headers = Mapping[bytes, Sequence[bytes]]  # values by lower-case name, in the order received

WORKSPACE_HEADER: Final = "X-Workspace-Id"

_WORKSPACE_FIELD: Final = WORKSPACE_HEADER.lower().encode()
_API_KEY: Final = re.compile(f"{KEY_PREFIX}[0-9A-Za-z]{{{KEY_CHARACTERS}}}").fullmatch
_RESERVED_PREFIX: Final = "op_"  # of API keys of any kind, never of a session token


class Caller(msgspec.Struct, frozen=True):
    """Who asks. Once `authorise` has passed the request, `workspace_id` is the workspace that it is about."""

    auth_kind: Literal["api_key", "clerk"]
    user_id: str
    workspace_id: str | None
    api_key_id: str | None
    scopes: tuple[str, ...]  # sorted, unique


async def authenticate(headers: Headers, directory: Directory, tokens: TokenVerifier, now: int) -> Caller:
    """Return the caller that the credential belongs to.

    Args:
        headers: of the request.
        directory: the directory in force.
        tokens: verifies session tokens.
        now: the request's instant, in microseconds UTC.

    Raises:
        CredentialError: there is no credential, or it is not in force.
        ForbiddenError: a session token is valid, but its user is not in the directory.
        KeysUnavailableError: a session token cannot be verified now.
    """
    token = _bearer_token(headers.get(b"authorization", ()))
    if not token.startswith(_RESERVED_PREFIX):
        user_id = await tokens.user_id(token, directory, now)
        return Caller(auth_kind="clerk", user_id=user_id, workspace_id=None, api_key_id=None, scopes=(READ_SCOPE,))
    key = _find_key(token, directory)
    if key is None or key.revoked_at is not None:
        raise InvalidApiKeyError
    return _caller_of_key(key.id, key.user_id, key.workspace_id, key.scopes)


@lru_cache(maxsize=1 << 14)
def _caller_of_key(key_id: str, user_id: str, workspace_id: str, scopes: tuple[str, ...]) -> Caller:
    return Caller("api_key", user_id.lower(), workspace_id.lower(), key_id, tuple(sorted(set(scopes))))


def authorise(caller: Caller, workspace_id: str | None, directory: Directory, scope: str | None) -> Caller:
    """Return the caller bound to the workspace of the request.

    A key is bound to its own workspace. A session is bound to the workspace that the header names. Without the header
    it is bound to the only workspace that its user may read. It stays unbound if there are several (see
    `missing_workspace`), or if the route takes any credential.

    Args:
        caller: who asks.
        workspace_id: the workspace that the header names, lower-case; None without the header.
        directory: the directory in force.
        scope: the scope that the route requires, None if the route takes any credential.

    Raises:
        ForbiddenError: the workspace is another one, the user is not an active member, or the scope is missing.
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


def read_workspace_header(headers: Headers) -> tuple[str | None, list[Detail]]:
    """Return the workspace that the header names, lower-case, or None, and the faults of the header."""
    values = headers.get(_WORKSPACE_FIELD, ())
    if not values:
        return None, []
    if len(values) > 1:
        return None, [Detail(WORKSPACE_HEADER, "is given more than once")]
    try:
        return uuid(values[0].decode("latin-1").strip(" \t")), []
    except FormatError:
        return None, [Detail(WORKSPACE_HEADER, "must be a UUID of 8-4-4-4-12 hex digits")]


def missing_workspace(caller: Caller, scope: str | None) -> list[Detail]:
    """Return the fault of a request that needs a workspace, if its caller is not bound to one."""
    missing = caller.workspace_id is None and scope is not None
    return [Detail(WORKSPACE_HEADER, "is needed: this session may read several workspaces")] if missing else []


def _bearer_token(values: Sequence[bytes]) -> str:
    if len(values) != 1:  # if there are several, a proxy and this service might each take a different one
        raise UnauthenticatedError
    scheme, _, token = values[0].decode("latin-1").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError
    return token


def _find_key(token: str, directory: Directory) -> ApiKey | None:
    if not _API_KEY(token):
        return None
    digest = sha256_hex(token)
    key = directory.keys.get(digest)
    if key is None or not hmac.compare_digest(digest, key.key_sha256.lower()):
        return None
    return key
