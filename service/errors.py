"""Every error that ends a request, and the body that all errors share.

    ApiError
    ├── UnauthenticatedError      401  no or empty token, or another scheme than Bearer
    ├── InvalidApiKeyError        401  a token that starts with `op_` and is not a key in force
    ├── InvalidTokenError         401  any other token
    ├── ForbiddenError            403  scope missing, other workspace, not an active member
    ├── NotFoundError             404  no such route, or `user_id` is not an active member
    ├── MethodNotAllowedError     405  anything but GET, HEAD and OPTIONS
    ├── InvalidParametersError    422  one or more parameters are wrong, all of them named
    ├── RateLimitedError          429  the key's limit is spent for this minute
    ├── UnavailableError          503  nothing published yet, or the tables cannot be read
    │   └── KeysUnavailableError       the key of a session token is not known and cannot be fetched
    └── InternalError             500  anything else

Strangers see the messages: they name no file, no SQL and nothing of other workspaces. Many clients show the message and
nothing else, so it alone says what to do. No message repeats what the caller sent, and a body stays under
`LARGEST_BODY_BYTES`, whatever that was.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Final

import msgspec

ALLOWED_METHODS: Final = b"GET, HEAD, OPTIONS"
MOST_DETAILS: Final = 20
LARGEST_BODY_BYTES: Final = 8_000

# The details are in a body twice, in the message too; characters of ASCII.
_DETAILS_CHARACTERS: Final = 3_000
_DETAIL_CHARACTERS: Final = 1_000


class Detail(msgspec.Struct, frozen=True):
    """What is wrong with one parameter or header."""

    field: str
    message: str


class ErrorMeta(msgspec.Struct, frozen=True):
    """The id of the request that failed, and its instant."""

    request_id: str
    timestamp: str


class ErrorContent(msgspec.Struct, frozen=True):
    """What went wrong: a stable code, what to do about it, and a detail for each wrong field."""

    code: str
    message: str
    details: Annotated[tuple[Detail, ...], msgspec.Meta(max_length=MOST_DETAILS)]


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every error."""

    error: ErrorContent
    meta: ErrorMeta


class ApiError(Exception):
    """Raised to end a request with an error body."""

    status: ClassVar[int]
    code: ClassVar[str]
    headers: ClassVar[tuple[tuple[bytes, bytes], ...]] = ()
    message: str
    details: tuple[Detail, ...] = ()

    def __str__(self) -> str:
        return self.message

    def body(self, request_id: str, timestamp: str) -> bytes:
        """Encode the error body."""
        content = ErrorContent(self.code, self.message, self.details)
        return msgspec.json.encode(ErrorBody(content, ErrorMeta(request_id, timestamp)))


class CredentialError(ApiError):
    """Raised when the credential is missing or not in force."""

    status = 401
    headers = ((b"www-authenticate", b"Bearer"),)


class UnauthenticatedError(CredentialError):
    """Raised when there is no token, an empty token, or another scheme than Bearer."""

    code = "UNAUTHENTICATED"
    message = "Send an API key or a session token as `Authorization: Bearer …`."


class InvalidApiKeyError(CredentialError):
    """Raised when a token starts with `op_` and is not a key in force; a revoked key looks like an unknown one."""

    code = "INVALID_API_KEY"
    message = "This API key is not valid, or no longer: send another one, or ask for a new one."


class InvalidTokenError(CredentialError):
    """Raised when a token is neither an API key nor a valid session token."""

    code = "INVALID_TOKEN"
    message = "This token is not valid, or no longer: sign in again, or send an API key."


class ForbiddenError(ApiError):
    """Raised when the credential does not permit the request; the same whether the workspace exists or not."""

    status = 403
    code = "FORBIDDEN"
    message = (
        "This credential may not read this workspace: its user must be an active member, its scopes must include"
        " `workspace:read`, and `X-Workspace-Id`, if sent, must name a workspace of its own."
    )


class NotFoundError(ApiError):
    """Raised when a route does not exist."""

    status = 404
    code = "NOT_FOUND"
    message = "There is no such path: `/schema` lists all that there are."

    def __init__(self, prefix: str = "") -> None:
        super().__init__()
        if prefix:
            self.message = self.message.replace("`/", f"`{prefix}/")


class UnknownUserError(NotFoundError):
    """Raised when `user_id` is not an active member of the caller's workspace."""

    message = "user_id: is no active member of the workspace; leave it out to get the events of all."


class MethodNotAllowedError(ApiError):
    """Raised when the method of a request is not GET, HEAD or OPTIONS."""

    status = 405
    code = "METHOD_NOT_ALLOWED"
    message = "This API only reads: send GET, HEAD or OPTIONS."
    headers = ((b"allow", ALLOWED_METHODS),)


class InvalidParametersError(ApiError):
    """Raised when parameters are wrong, with a detail for each field and fault, which the message repeats."""

    status = 422
    code = "VALIDATION_ERROR"
    message = "Parameters are not valid: the message and `details` name each field and its fault."

    def __init__(self, details: Sequence[Detail]) -> None:
        super().__init__()
        self.details = _bounded(details)
        self.message = "; ".join(f"{detail.field}: {detail.message}" for detail in self.details)


class RateLimitedError(ApiError):
    """Raised when a key has spent its limit for this minute."""

    status = 429
    code = "RATE_LIMITED"
    message = "This API key has spent its limit for this minute: wait for as many seconds as `Retry-After` says."


class UnavailableError(ApiError):
    """Raised when nothing is published yet or the tables cannot be read."""

    status = 503
    code = "SERVICE_UNAVAILABLE"
    message = "The figures are not available right now: try again in some seconds."
    headers = ((b"retry-after", b"5"),)


class KeysUnavailableError(UnavailableError):
    """Raised when the key of a session token is not known, and the JWKS cannot be fetched or is broken."""

    message = "Session tokens cannot be verified right now: try again in some seconds, or send an API key."


class InternalError(ApiError):
    """Raised in place of any unforeseen error; the log has the error under the request id."""

    status = 500
    code = "INTERNAL_ERROR"
    message = "Something went wrong on our side: try again, and if it happens again, report the request's id."
    headers = ((b"retry-after", b"1"),)


def _bounded(details: Sequence[Detail]) -> tuple[Detail, ...]:
    """Return the details, each once, or the first of them and how many more there are."""
    distinct = list(dict.fromkeys(details))
    kept, characters = [], 0
    for detail in distinct:
        shown = Detail(detail.field, detail.message[:_DETAIL_CHARACTERS])
        characters += len(shown.field) + len(shown.message)
        if characters > _DETAILS_CHARACTERS:
            break
        kept.append(shown)
    if len(kept) == len(distinct) <= MOST_DETAILS:
        return tuple(kept)
    kept = kept[: MOST_DETAILS - 1]
    return (*kept, Detail("query", f"has {len(distinct) - len(kept)} more faults"))
