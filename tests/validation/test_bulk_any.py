"""Whatever the lines, the native validator approves only lines that `validate` approves, with the same rows."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.any_lines import LINES, NOISE
from tests.support.bulk_corpus import FULL, NEEDS_LIBRARY, SHORT, TOKENS, approved, changed

CHANGES = st.tuples(st.integers(0, len(FULL)), st.integers(0, 4), st.sampled_from(TOKENS) | NOISE)

pytestmark = NEEDS_LIBRARY


@settings(max_examples=50)
@given(st.lists(LINES | st.sampled_from(SHORT) | NOISE, min_size=1, max_size=12), st.data())
def test_any_block(block: list[bytes], data: st.DataObject) -> None:
    """The order of a block's lines does not change which of them are approved."""
    found = [block[number] for number in approved(block)]
    other = data.draw(st.permutations(block))
    assert sorted(other[number] for number in approved(other)) == sorted(found)


@settings(max_examples=200)
@given(st.lists(st.lists(CHANGES, max_size=2).map(changed), min_size=1, max_size=8))
def test_any_change(block: list[bytes]) -> None:
    """Whatever is changed in a record, and wherever, only good lines are approved."""
    assert approved([FULL])
    approved(block)
