"""Display names of locales."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.locales import display_name


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
    """Names are English, from CLDR; a tag with a part unknown to CLDR is its own name."""
    assert display_name(tag) == name


@given(st.from_regex(r"[a-z]{2,8}(-[a-z0-9]{1,8}){0,4}", fullmatch=True))
def test_any_tag_has_a_name(tag: str) -> None:
    """Every tag that a log may hold has a name."""
    assert display_name(tag)
