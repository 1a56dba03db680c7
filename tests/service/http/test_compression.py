"""Gzip assembled from a kept beginning and a new end."""

import gzip
import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.compression import LONGEST_END, begin, end

_bytes = st.one_of(st.binary(max_size=2000), st.builds(bytes.__mul__, st.binary(max_size=20), st.integers(0, 5000)))


@given(data=_bytes, ends=st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_any_data_and_ends(data: bytes, ends: list[bytes]) -> None:
    """One member holds any beginning and any end; the same beginning serves any number of ends."""
    begun = begin(data)
    for rest in ends:
        whole = end(begun, rest)
        assert gzip.decompress(whole) == data + rest
        member = zlib.decompressobj(wbits=31)
        assert member.decompress(whole) == data + rest
        assert (member.eof, member.unused_data) == (True, b"")  # nothing after the first member


def test_gunzip() -> None:
    """The program `gunzip` accepts checksum and length."""
    whole = end(begin(b"data" * 1000), b"end")
    assert subprocess.run(["gunzip", "--stdout"], input=whole, capture_output=True, check=True).stdout == (
        b"data" * 1000 + b"end"
    )


def test_longest_end() -> None:
    """An end that does not fit into one stored block is refused."""
    assert gzip.decompress(end(begin(b""), b"x" * LONGEST_END)) == b"x" * LONGEST_END
    with pytest.raises(ValueError, match="65536 bytes"):
        end(begin(b""), b"x" * (LONGEST_END + 1))


def test_same_bytes() -> None:
    """The same data give the same bytes at any time: the header has neither a time nor a name."""
    assert begin(b"data")[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
