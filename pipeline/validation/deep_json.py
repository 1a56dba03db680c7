"""Read JSON of any depth without recursion.

Takes a JSON text that the fast decoders refuse (nested too deep, or malformed), checks its grammar, and returns the
members of its outermost object.
"""

import re
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out; it is public in the module
from typing import Final

_SPACE: Final = re.compile(r"[ \t\n\r]*+")
_SCALAR: Final = re.compile(
    r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"'
    r"|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
    r"|true|false|null"
)
# The first alternative takes pairs, so that the second finds only lone halves; the third skips other escapes.
_ESCAPE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
_CLOSING: Final = {"{": "}", "[": "]"}


def has_lone_surrogate(text: str) -> bool:
    r"""Return whether a JSON text escapes half of a surrogate pair, e.g. `"\ud83d"`."""
    return any(match[1] for match in _ESCAPE.finditer(text))


def without_lone_surrogates(text: str) -> str:
    """Return a JSON text with U+FFFD in place of every escaped half of a surrogate pair."""
    return _ESCAPE.sub(lambda match: r"\ufffd" if match[1] else match[0], text)


def members(text: str) -> dict[str, str]:  # noqa: C901, PLR0912 - a state machine reads best in one piece
    """Return the members of the outermost object, each value as it is written; of a repeated key, the last value.

    The members of an array are its elements by their index. A scalar has none.

    Raises:
        JSONDecodeError: the text is not one JSON value.
    """
    found: dict[str, str] = {}
    stack: list[str] = []  # the open brackets
    key, value_start = "", 0
    position = _skip(text, 0)
    while True:
        # At the start of a value.
        if text[position : position + 1] in _CLOSING:
            opened = text[position]
            stack.append(opened)
            if len(stack) == 2:  # noqa: PLR2004 - a member of the outermost container starts
                value_start = position
            position = _skip(text, position + 1)
            if text[position : position + 1] != _CLOSING[opened]:
                if opened == "{":
                    key, position = _key(text, position, key, keep=len(stack) == 1)
                continue
        else:
            scalar = _SCALAR.match(text, position)
            if scalar is None:
                raise JSONDecodeError("Expecting value", text, position)
            position = _skip(text, scalar.end())
            if len(stack) == 1:
                found[key if stack[0] == "{" else str(len(found))] = scalar[0]
        # At the end of a value: close the containers that end with it, then skip the comma.
        while stack and text[position : position + 1] == _CLOSING[stack[-1]]:
            stack.pop()
            position += 1
            if len(stack) == 1:
                found[key if stack[0] == "{" else str(len(found))] = text[value_start:position]
            position = _skip(text, position)
        if not stack:
            if position != len(text):
                raise JSONDecodeError("Extra data", text, position)
            return found
        if text[position : position + 1] != ",":
            raise JSONDecodeError("Expecting ',' delimiter", text, position)
        position = _skip(text, position + 1)
        if stack[-1] == "{":
            key, position = _key(text, position, key, keep=len(stack) == 1)


def depth(text: str) -> int:
    """Return the depth of nesting of a well-formed JSON text; that of `{}` is 1."""
    deepest = level = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', text):
        if token[0] in "[{":
            level += 1
            deepest = max(deepest, level)
        elif token[0] in "]}":
            level -= 1
    return deepest


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _key(text: str, position: int, outer: str, *, keep: bool) -> tuple[str, int]:
    """Skip a key and its colon; return the key if `keep`, else `outer`, and the position after the colon."""
    scalar = _SCALAR.match(text, position)
    if scalar is None or not scalar[0].startswith('"'):
        raise JSONDecodeError("Expecting property name enclosed in double quotes", text, position)
    colon = _skip(text, scalar.end())
    if text[colon : colon + 1] != ":":
        raise JSONDecodeError("Expecting ':' delimiter", text, colon)
    return (scanstring(text, position + 1)[0] if keep else outer), _skip(text, colon + 1)
