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

Strangers see the messages, so these name no file, no SQL and nothing about other workspaces.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

ALLOWED_METHODS: Final = b"GET, HEAD, OPTIONS"
RETRY_AFTER_SECONDS: Final = 5


class Detail(msgspec.Struct, frozen=True):
    """What is wrong with one parameter or header."""

    field: str
    message: str


class ErrorMeta(msgspec.Struct, frozen=True):
    """The id of the request that failed, and its instant."""

    request_id: str
    timestamp: str


class ErrorContent(msgspec.Struct, frozen=True):
    """What went wrong: a stable code, a sentence, and a detail for each wrong field."""

    code: str
    message: str
    details: tuple[Detail, ...]


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every error."""

    error: ErrorContent
    meta: ErrorMeta


class ApiError(Exception):
    """Raised to end a request with an error body."""

    status: ClassVar[int]
    code: ClassVar[str]
    message: ClassVar[str]
    headers: ClassVar[tuple[tuple[bytes, bytes], ...]] = ()

    def __init__(self, details: Sequence[Detail] = ()) -> None:
        super().__init__(self.message)
        self.details = tuple(details)

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
    message = "Send a credential as `Authorization: Bearer …`."


class InvalidApiKeyError(CredentialError):
    """Raised when a token starts with `op_` and is not a key in force; a revoked key looks like an unknown one."""

    code = "INVALID_API_KEY"
    message = "This API key is not valid."


class InvalidTokenError(CredentialError):
    """Raised when a token is neither an API key nor a valid session token."""

    code = "INVALID_TOKEN"
    message = "This token is not valid."


class ForbiddenError(ApiError):
    """Raised when the credential does not permit the request; the same whether the workspace exists or not."""

    status = 403
    code = "FORBIDDEN"
    message = "This credential may not read that."


class NotFoundError(ApiError):
    """Raised when a route does not exist."""

    status = 404
    code = "NOT_FOUND"
    message = "There is nothing here."


class UnknownUserError(NotFoundError):
    """Raised when `user_id` is not an active member of the caller's workspace."""

    message = "The workspace has no active member with this `user_id`."


class MethodNotAllowedError(ApiError):
    """Raised when the method of a request is not GET, HEAD or OPTIONS."""

    status = 405
    code = "METHOD_NOT_ALLOWED"
    message = "This API is read-only."
    headers = ((b"allow", ALLOWED_METHODS),)


class InvalidParametersError(ApiError):
    """Raised when parameters are wrong, with a detail for each of them."""

    status = 422
    code = "VALIDATION_ERROR"
    message = "Some parameters are not valid."


class RateLimitedError(ApiError):
    """Raised when a key has spent its limit for this minute."""

    status = 429
    code = "RATE_LIMITED"
    message = "This API key has spent its limit for this minute."


class UnavailableError(ApiError):
    """Raised when nothing is published yet or the tables cannot be read."""

    status = 503
    code = "SERVICE_UNAVAILABLE"
    message = "The figures are not available right now."
    headers = ((b"retry-after", str(RETRY_AFTER_SECONDS).encode()),)


class KeysUnavailableError(UnavailableError):
    """Raised when the key of a session token is not known, and the JWKS cannot be fetched or is broken."""

    message = "Sessions cannot be verified right now."


class InternalError(ApiError):
    """Raised in place of any unforeseen error; the log has the error under the request id."""

    status = 500
    code = "INTERNAL_ERROR"
    message = "Something went wrong on our side."
