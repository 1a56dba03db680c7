"""What the answers of stores mean, whoever made them."""

import pytest
from obstore.exceptions import (
    AlreadyExistsError,
    GenericError,
    InvalidPathError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from pipeline.contract.object_errors import (
    AccessError,
    ChangedError,
    ExistsError,
    NoBucketError,
    ObjectStoreError,
    UnavailableError,
    explain,
)


def answer(status: int, code: str, more: str = "") -> str:
    """Return the text of obstore's error for an answer."""
    return (
        f"Generic S3 error: Error performing PUT http://host/bucket/k in 1ms - Server returned non-2xx status code: "
        f"{status} Reason: <Error><Code>{code}</Code><Message>m</Message>{more}</Error>\n\nDebug source:\nGeneric"
    )


SECRET = "<AWSAccessKeyId>AKIASECRET</AWSAccessKeyId>"
METADATA = "Error performing PUT http://169.254.169.254/latest/api/token in 1s - HTTP error: error sending request"


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (GenericError(answer(404, "NoSuchBucket")), NoBucketError, "there is no bucket bucket: create it, or correct"),
        (FileNotFoundError(answer(404, "NoSuchBucket")), NoBucketError, "there is no bucket bucket"),
        (FileNotFoundError(answer(404, "NoSuchKey")), FileNotFoundError, "there is no object s3://bucket/a/k"),
        (AlreadyExistsError(answer(412, "PreconditionFailed")), ExistsError, "s3://bucket/a/k exists already"),
        (AlreadyExistsError(answer(409, "ConditionalRequestConflict")), UnavailableError, "ConditionalRequestConflict"),
        (PreconditionError(answer(412, "PreconditionFailed")), ChangedError, "was changed by somebody else"),
        (PermissionDeniedError(answer(403, "AccessDenied")), AccessError, "(AccessDenied: its policy does not allow"),
        (
            PermissionDeniedError("status code: 403 Forbidden:"),
            AccessError,
            "access to s3://bucket/a/k is denied (403)",
        ),
        (UnauthenticatedError(answer(401, "Unauthorized")), AccessError, "is denied (Unauthorized)"),
        (PermissionDeniedError(answer(403, "ExpiredToken")), AccessError, "the credentials have expired"),
        (PermissionDeniedError(answer(403, "RequestTimeTooSkewed")), AccessError, "the clock of this machine is wrong"),
        (GenericError(answer(301, "PermanentRedirect")), AccessError, "set AWS_REGION to the region of the bucket"),
        (GenericError(answer(400, "AuthorizationHeaderMalformed")), AccessError, "set AWS_REGION"),
        (GenericError("DeleteObjects request failed for key k: no (code: AccessDenied)"), AccessError, "AccessDenied"),
        (GenericError(answer(400, "InvalidRequest")), ObjectStoreError, "the object store refuses s3://bucket/a/k"),
        (GenericError(answer(503, "SlowDown")), UnavailableError, "answers SlowDown; check USAGE_S3_ENDPOINT"),
        (GenericError(answer(429, "TooManyRequests")), UnavailableError, "answers TooManyRequests"),
        (GenericError("HTTP error: error sending request"), UnavailableError, "cannot be reached, or does not answer"),
        (GenericError(METADATA), AccessError, "no AWS credentials were found: set AWS_ACCESS_KEY_ID and"),
        (
            InvalidPathError('Encountered Path "a/x//\x1b.jsonl"'),
            ObjectStoreError,
            r"`.` or `..`: a/x//\x1b.jsonl; rename",
        ),
        (ValueError("Could not parse path"), ObjectStoreError, "is not a name that an object can have here"),
        (PermissionDeniedError(answer(403, "SignatureDoesNotMatch", SECRET)), AccessError, "AWS_SECRET_ACCESS_KEY is"),
    ],
)
def test_answers(error: Exception, kind: type[Exception], words: str) -> None:
    """Each kind of answer is one error, which says what to do in one line, without what the store repeated."""
    found = explain(error, "s3://bucket/a", "k")
    assert type(found) is kind
    assert words in str(found)
    assert "\n" not in str(found)
    assert "SECRET" not in str(found).replace("AWS_SECRET_ACCESS_KEY", "")


def test_errors_of_the_whole_location() -> None:
    """Without a key, an error names the location."""
    found = explain(GenericError(answer(403, "AccessDenied")), "s3://bucket/a", "")
    assert str(found).startswith("access to s3://bucket/a is denied")


def test_other_errors() -> None:
    """An error of another kind, such as a file that cannot be read, is passed on."""
    error = PermissionError(13, "Permission denied", "file")
    assert explain(error, "s3://bucket", "k") is error
