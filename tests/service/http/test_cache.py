"""`If-None-Match`: which tags match the answer that a client already holds."""

import pytest

from service.http.cache import matches


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ([b'W/"a"'], True),
        ([b'"a"'], True),
        ([b'"x",W/"a"'], True),
        ([b'"x"  ,\t"a" , '], True),
        ([b'"x"', b'W/"a"'], True),
        ([b"*"], True),
        ([b" * "], True),
        ([b"*", b'"x"'], True),
        ([], False),
        ([b""], False),
        ([b"a"], False),
        ([b'"A"'], False),
        ([b'"a'], False),
        ([b'w/"a"'], False),
        ([b'W/W/"a"'], False),
        ([b'"aa"'], False),
        ([b'"x, *, y"'], False),
        ([b'"x", *'], False),
        ([b"\xff\x00,,"], False),
    ],
)
def test_if_none_match(values: list[bytes], known: bool) -> None:
    """Lists, several headers, weak and strong tags and `*` match; malformed values do not."""
    assert matches(b'W/"a"', values) is known
