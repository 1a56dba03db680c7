"""Display names of locales, rounding, and the bounded memory."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.api.envelope import quotient
from service.api.locales import display_name
from service.lru import LruCache


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("en-us", "English (United States)"),
        ("ko-kr", "Korean (South Korea)"),
        ("de", "German"),
        ("pt-br", "Portuguese (Brazil)"),
        ("es-419", "Spanish (Latin America)"),
        ("zh-hant", "Chinese (Traditional)"),
        ("sr-latn", "Serbian (Latin)"),
        ("ca-valencia", "Catalan (Valencian)"),
        ("xx-yy", "xx-yy"),
        ("en-xq", "en-xq"),
        ("en-us-x-private", "en-us-x-private"),
        ("abcdefgh", "abcdefgh"),
        ("en-1-2-3-4", "en-1-2-3-4"),
    ],
)
def test_display_name(tag: str, name: str) -> None:
    """Names are English, from CLDR; a tag of which CLDR does not know a part stands for itself."""
    assert display_name(tag) == name


@given(st.from_regex(r"[a-z]{2,8}(-[a-z0-9]{1,8}){0,4}", fullmatch=True))
def test_any_tag_has_a_name(tag: str) -> None:
    """No tag that the log may hold makes an error."""
    assert display_name(tag)


@example(1, 20, 1)
@example(3, 20, 1)
@example(5, 2_000_000, 6)
@example(15, 2_000_000, 6)
@given(st.integers(0, 10**15), st.integers(1, 10**15), st.sampled_from([1, 2, 6]))
def test_quotient(numerator: int, denominator: int, digits: int) -> None:
    """Rounding is half to even on the exact quotient."""
    with localcontext(prec=60):
        exact = Decimal(numerator) / Decimal(denominator)
        assert quotient(numerator, denominator, digits) == float(
            exact.quantize(Decimal(10) ** -digits, ROUND_HALF_EVEN)
        )


def test_recent_keeps_what_was_used_last() -> None:
    """The least recently used go first, the bytes never exceed the limit, and too large a value is not kept."""
    recent: LruCache[str] = LruCache(10)
    recent.put("a", "A", 4)
    recent.put("b", "B", 4)
    assert recent.get("a") == "A"
    recent.put("c", "C", 4)
    assert (recent.get("a"), recent.get("b"), recent.get("c"), recent.size_bytes) == ("A", None, "C", 8)
    recent.put("d", "D", 11)
    assert recent.get("d") is None
    recent.put("a", "A2", 1)
    assert (recent.get("a"), recent.size_bytes, len(recent)) == ("A2", 5, 2)
