"""Addresses of data: what they mean, and what is refused in a line."""

import pytest

from pipeline.contract.location import Location, LocationError, is_address, locate


@pytest.mark.parametrize(
    ("address", "environ", "endpoint", "expected"),
    [
        ("s3://bucket", {}, "", Location("bucket")),
        ("s3://bucket/", {}, "", Location("bucket")),
        ("s3://my.bucket-1/a/b_c/", {}, "", Location("my.bucket-1", "a/b_c")),
        ("s3://bucket/a", {}, "http://127.0.0.1:8333/", Location("bucket", "a", "http://127.0.0.1:8333")),
        ("s3://bucket", {"AWS_ENDPOINT_URL": "https://a.example"}, "", Location("bucket", "", "https://a.example")),
        (
            "s3://bucket",
            {"AWS_ENDPOINT_URL": "https://a.example", "AWS_ENDPOINT_URL_S3": "https://b.example"},
            "",
            Location("bucket", "", "https://b.example"),
        ),
        (
            "s3://bucket",
            {"AWS_ENDPOINT_URL_S3": "https://b.example"},
            "https://c.example",
            Location("bucket", "", "https://c.example"),
        ),
    ],
)
def test_addresses(address: str, environ: dict[str, str], endpoint: str, expected: Location) -> None:
    """An address names bucket and prefix; the endpoint is the setting's, else that of AWS's own variables."""
    assert locate(address, environ, endpoint) == expected


@pytest.mark.parametrize(
    ("address", "endpoint", "words"),
    [
        ("gs://bucket", "", "data on gs:// are not supported: give a folder, or s3://bucket/prefix"),
        ("file:///data", "", "data on file:// are not supported"),
        ("S4://bucket", "", "data on s4:// are not supported"),
        ("s3://", "", "must be s3://bucket/prefix"),
        ("s3:///prefix", "", "must be s3://bucket/prefix"),
        ("s3://b", "", "must be s3://bucket/prefix"),
        ("s3://Bucket", "", "must be s3://bucket/prefix"),
        ("s3://key:secret@bucket", "", "must be s3://bucket/prefix"),
        ("s3://bucket?versionId=1", "", "must be s3://bucket/prefix"),
        ("s3://bucket#a", "", "must be s3://bucket/prefix"),
        ("s3://[bucket", "", "malformed"),
        ("s3://bucket/a//b", "", "the prefix of the address may hold letters"),
        ("s3://bucket/a/../b", "", "the prefix of the address may hold letters"),
        ("s3://bucket/a b", "", "the prefix of the address may hold letters"),
        ("s3://bucket", "127.0.0.1:8333", "must be http://host:port"),
        ("s3://bucket", "ftp://host", "must be http://host:port"),
        ("s3://bucket", "http://host:port", "must be http://host:port"),
        ("s3://bucket", "http://host:99999", "must be http://host:port"),
        ("s3://bucket", "http://key:secret@host", "no path and no credentials"),
        ("s3://bucket", "http://host/bucket", "no path and no credentials"),
        ("s3://bucket", "http://host?a=b", "no path and no credentials"),
    ],
)
def test_refused_addresses(address: str, endpoint: str, words: str) -> None:
    """Anything else is refused in one line, which repeats no secret."""
    with pytest.raises(LocationError) as caught:
        locate(address, {}, endpoint)
    text = str(caught.value)
    assert words in text
    assert "\n" not in text
    assert "secret" not in text


def test_urls() -> None:
    """A location shows as it was given; only an `http://` endpoint is not encrypted."""
    assert Location("bucket").url == "s3://bucket"
    assert Location("bucket", "a/b").url == "s3://bucket/a/b"
    assert Location("bucket", "", "http://host").is_plain
    assert not Location("bucket", "", "https://host").is_plain
    assert not Location("bucket").is_plain
    assert [is_address(text) for text in ("s3://a", "gs://a", "/data", "data", "C:/data")] == [True, True, *[False] * 3]
