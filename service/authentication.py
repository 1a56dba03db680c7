"""From credential to caller: who asks, and for which workspace.

Pure functions of the request's headers and the directory. A key is found by its SHA-256 and compared in constant time;
every credential that is not in force is refused in the same words, so that nobody learns what exists.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from pipeline.keys import PREFIX, sha256
from service.directory import ApiKey, Directory
from service.errors import ForbiddenError, InvalidApiKeyError, InvalidTokenError, UnauthenticatedError

Headers = Mapping[bytes, Sequence[bytes]]  # by lower-case name, in the order received

_API_KEY: Final = re.compile(PREFIX + "[0-9A-Za-z]{32}").fullmatch
_RESERVED_PREFIX: Final = "op_"


class Caller(msgspec.Struct, frozen=True):
    """Who asks. `workspace_id` is what the request is about once `authorise` has let it pass."""

    auth_kind: Literal["api_key", "clerk"]
    user_id: str
    workspace_id: str | None
    api_key_id: str | None
    scopes: tuple[str, ...]  # sorted, unique


def authenticate(headers: Headers, directory: Directory) -> Caller:
    """Return whom the credential speaks for.

    Raises:
        CredentialError: there is none, or it is not in force.
    """
    token = _bearer_token(headers.get(b"authorization", ()))
    if not token.startswith(_RESERVED_PREFIX):
        raise InvalidTokenError
    key = _key(token, directory)
    if key is None or key.revoked_at is not None:
        raise InvalidApiKeyError
    return Caller(
        auth_kind="api_key",
        user_id=key.user_id.lower(),
        workspace_id=key.workspace_id.lower(),
        api_key_id=key.id,
        scopes=tuple(sorted(set(key.scopes))),
    )


def authorise(caller: Caller, workspace_id: str | None, directory: Directory, scope: str | None) -> Caller:
    """Return the caller bound to the workspace of the request.

    Args:
        caller: who asks.
        workspace_id: what the `X-Workspace-Id` header names, lower-case.
        directory: the members in force.
        scope: what the route needs, None where any credential will do.

    Raises:
        ForbiddenError: another workspace, no active member, or the scope is missing.
    """
    bound = caller.workspace_id
    if bound is None or not directory.is_active(bound, caller.user_id):
        raise ForbiddenError
    if workspace_id not in {None, bound}:
        raise ForbiddenError
    if scope is not None and scope not in caller.scopes:
        raise ForbiddenError
    return caller


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
    digest = sha256(token)
    key = directory.keys.get(digest)
    if key is None or not hmac.compare_digest(digest, key.key_sha256.lower()):
        return None
    return key
