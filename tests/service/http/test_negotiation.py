"""What `Accept` and `Accept-Encoding` ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.negotiation import Preference, preference

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def _preference(accept: str = "", encoding: str = "") -> Preference:
    return preference({b"accept": [accept.encode("latin-1")], b"accept-encoding": [encoding.encode("latin-1")]})


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        BROWSER,
        "text/html, text/*;q=0.5, image/*, application/*",  # w3m
        "application/json, text/plain, */*",
        "text/plain, */*; q=0.01",
        "image/png",
        "text/csv;q=0",
        "text/csv, application/json",
        "text/csv;q=0.5, */*;q=0.8",
        "text/csv;q=0.5, application/*;q=0.6",
        "application/json;q=0.2, text/csv;q=0.1, */*",
        "text/csvx",
        "text",
        ",;,",
    ],
)
def test_json(accept: str) -> None:
    """A client gets JSON if it does not name CSV, does not prefer it, or accepts neither."""
    assert not _preference(accept).csv


@pytest.mark.parametrize(
    "accept",
    [
        "text/csv",
        "TEXT/CSV ; charset=utf-8",
        "text/csv, */*",
        "text/csv;header=present;q=0.4, application/json;q=0.3",
        "application/json;q=0, text/csv; q=0.001",
        "text/html, text/csv;q=0.9, */*;q=0.9",
        "text/csv, application/*;q=1.000, */*;q=0.1",
    ],
)
def test_csv(accept: str) -> None:
    """A client gets CSV if it names CSV and gives JSON less weight, or the same weight only by a wildcard."""
    assert _preference(accept).csv


@pytest.mark.parametrize("weight", ["", "2", "1.001", "-1", "0.1234", ".5", "nan", "1e0", "٠", "high"])
def test_broken_weights(weight: str) -> None:
    """An element with a malformed weight is ignored."""
    assert not preference({b"accept": [b"text/csv;q=" + weight.encode()]}).csv
    assert preference({b"accept": [b"text/csv, application/json;q=" + weight.encode()]}).csv


@pytest.mark.parametrize(
    ("encoding", "gzip"),
    [
        ("", False),
        ("gzip, deflate, br, zstd", True),
        ("GZip", True),
        ("x-gzip", True),
        ("br", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip;q=0.0", False),
        ("br, gzip;q=0.2", True),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.5, gzip", True),
        ("identity", False),
        ("gzip;q=x", False),
        ("gzippy", False),
    ],
)
def test_gzip(encoding: str, gzip: bool) -> None:
    """A client gets gzip if it gives gzip at least the weight of no encoding."""
    assert _preference(encoding=encoding).gzip is gzip


def test_several_headers_are_one_list() -> None:
    """A header sent in several lines is one list."""
    assert preference({b"accept": [b"text/html", b"text/csv"], b"accept-encoding": [b"br", b"gzip"]}) == (True, True)


def test_endless_headers_ask_for_nothing() -> None:
    """Headers longer than those of any client are neither parsed nor cached."""
    assert _preference("text/csv," + "a" * 2000, "gzip") == (False, False)


_words = st.sampled_from([b"text/csv", b"*/*", b"gzip", b"q=", b";", b",", b"0.5", b'"', b" ", b"\xff", b"="])


@given(st.lists(st.one_of(st.binary(max_size=20), st.lists(_words).map(b"".join)), max_size=4))
def test_garbage(values: list[bytes]) -> None:
    """No header causes an error."""
    assert set(preference({b"accept": values, b"accept-encoding": values})) <= {True, False}
