"""The bulk validator approves only lines that the validator approves, with the same rows: any lines, any changes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.any_lines import LINES, NOISE
from tests.support.bulk_corpus import FULL, SHORT, approved


@given(st.lists(LINES | st.sampled_from(SHORT) | NOISE, min_size=1, max_size=12), st.data())
def test_any_block(block: list[bytes], data: st.DataObject) -> None:
    """Of any lines in any order those are approved that the judge approves, with the same rows."""
    found = [block[index] for index in approved(block)]
    other = data.draw(st.permutations(block))
    assert sorted(other[index] for index in approved(other)) == sorted(found)


TOKENS = [
    *(b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b" ", b"\t", b"\r", b"\0", b"0", b"1", b"-", b"+", b".", b"e"),
    *(b"null", b"true", b'"a":1,', b'"id":"x",', b"\\u00e9", b"\\ud83d", b"\\ude00", b"\\n", b"\\/", b"\\u0022"),
    *(b"\x80", b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80", b"\xe2\x80\xa8", b"\x7f"),
]
CHANGES = st.tuples(st.integers(0, len(FULL)), st.integers(0, 4), st.sampled_from(TOKENS) | NOISE)


def changed(changes: list[tuple[int, int, bytes]]) -> bytes:
    """Return the full record with some bytes replaced, some left out and some put between."""
    text = FULL
    for position, size, other in changes:
        text = text[:position] + other + text[position + size :]
    return text


@settings(max_examples=400)
@given(st.lists(st.lists(CHANGES, max_size=2).map(changed), min_size=1, max_size=8))
def test_any_change(block: list[bytes]) -> None:
    """Whatever is wrong or odd in a record, and wherever, it is told as the judge tells it."""
    assert approved([FULL])
    approved(block)
