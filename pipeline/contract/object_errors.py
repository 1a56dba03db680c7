"""What can go wrong with an object store, in a few errors whose messages say what to do.

Turns the errors of obstore into these. The texts of the library and of the store are left out of the messages: they
span many lines, and may name an access key.

    ObjectStoreError         the store refuses a request
      NoBucketError          there is no such bucket
      AccessError            the credentials are not accepted, or not sufficient
      UnavailableError       no answer, or one that asks to try again; whether a write was carried out is unknown
      ExistsError            there is an object of this name already
      ChangedError           the object is not the one that was read before
      OvertakenError         another run committed first
"""

import re
from typing import Final

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from pipeline.contract.text import printable

_status: Final = re.compile(r"status code: ([0-9]{3})").search
_code: Final = re.compile(r"<Code>([A-Za-z]{1,60})</Code>|\(code: ([A-Za-z]{1,60})\)").search
_path: Final = re.compile(r'Path "([^"]{1,300})"').search
# Where obstore asks for the credentials of a role.
_METADATA: Final = ("169.254.169.254", "169.254.170.2", "latest/api/token")
_AGAIN: Final = frozenset((408, 409, 429, *range(500, 600)))

_HINTS: Final = {
    "AccessDenied": "its policy does not allow it",
    "AuthorizationHeaderMalformed": "set AWS_REGION to the region of the bucket",
    "ExpiredToken": "the credentials have expired",
    "InvalidAccessKeyId": "{}ACCESS_KEY_ID is unknown there",
    "PermanentRedirect": "set AWS_REGION to the region of the bucket",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "SignatureDoesNotMatch": "{}SECRET_ACCESS_KEY is not that of the access key",
}


class ObjectStoreError(RuntimeError):
    """Raised when the store refuses a request."""


class NoBucketError(ObjectStoreError):
    """Raised when there is no such bucket."""


class AccessError(ObjectStoreError):
    """Raised when the credentials are not accepted, or not sufficient."""


class UnavailableError(ObjectStoreError):
    """Raised when there is no answer, or one that asks to try again: whether a write was carried out is unknown."""


class ExistsError(ObjectStoreError):
    """Raised when there is an object already, and a new one was to be created."""


class ChangedError(ObjectStoreError):
    """Raised when an object is not the one that was read before."""


class OvertakenError(ObjectStoreError):
    """Raised when another run committed first, so that this one has to begin again."""


def explain(error: Exception, url: str, key: str, variables: str = "AWS_") -> Exception:  # noqa: C901, PLR0911 - one for each kind
    """Return one of the errors above for one of obstore; a FileNotFoundError for an object that does not exist.

    Args:
        error: of obstore.
        url: of the data, e.g. `s3://bucket/prefix`.
        key: of the object; empty for all of them.
        variables: how the variables with the credentials begin.
    """
    text = str(error)
    where = f"{url}/{key}" if key else url
    number, code = _found(_status(text)), _found(_code(text))
    status = int(number) if number else 0
    why = ": ".join(part for part in (code or number, _HINTS.get(code, "").format(variables)) if part)
    if code == "NoSuchBucket":
        return NoBucketError(f"there is no bucket {url.split('/')[2]}: create it, or correct the address {url}")
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(f"there is no object {where}")
    if any(address in text for address in _METADATA):
        return AccessError(
            "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
        )
    if isinstance(error, AlreadyExistsError) and status != 409:  # noqa: PLR2004 - two requests met, and neither won
        return ExistsError(f"{where} exists already")
    if isinstance(error, PreconditionError):
        return ChangedError(f"{where} was changed by somebody else")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or code in _HINTS:
        return AccessError(f"access to {where} is denied ({why}); check the AWS credentials and the bucket's policy")
    if status and status not in _AGAIN:
        return ObjectStoreError(f"the object store refuses {where} ({why})")
    if isinstance(error, InvalidPathError):
        named = _path(text)
        which = f": {printable(named[1])}" if named else ""
        return ObjectStoreError(
            f"an object below {where} has a name that cannot be read, with a control character or a part that is empty,"
            f" `.` or `..`{which}; rename it"
        )
    if isinstance(error, BaseError):
        what = f"answers {why}" if why else "cannot be reached, or does not answer"
        return UnavailableError(f"the object store of {where} {what}; check USAGE_S3_ENDPOINT and the network")
    if isinstance(error, ValueError):
        return ObjectStoreError(f"{where!r} is not a name that an object can have here")
    return error


def _found(match: re.Match[str] | None) -> str:
    return next((group for group in match.groups() if group), "") if match else ""
