"""JSON of any depth, read without recursion.

Reads one JSON text that the fast decoders could not take (nested too deep, or malformed) and says whether its grammar
is right and what the members of its outermost object are.
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
# A pair is tried first, so that what the second alternative finds is alone; the third steps over other escapes.
_ESCAPE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
_CLOSING: Final = {"{": "}", "[": "]"}


def has_lone_surrogate(text: str) -> bool:
    r"""Return whether a JSON text escapes half of a surrogate pair, e.g. `"\ud83d"`."""
    return any(match[1] for match in _ESCAPE.finditer(text))


def members(text: str) -> dict[str, str]:  # noqa: C901, PLR0912 - a state machine reads best in one piece
    """Return the members of the outermost object, each value as it is written; of a repeated key the last.

    The elements of an outermost array are its members by their index; a scalar has none.

    Raises:
        JSONDecodeError: the text is not one JSON value.
    """
    found: dict[str, str] = {}
    stack: list[str] = []  # the open brackets
    key, value_start = "", 0
    position = _skip(text, 0)
    while True:
        # Here stands a value, or the key of a member.
        if text[position : position + 1] in _CLOSING:
            opened = text[position]
            stack.append(opened)
            if len(stack) == 2:  # noqa: PLR2004 - a value of the outermost container opens
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
        # A value just ended: close what closes, then step over the comma.
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
    """Return how deep the containers of a well-formed JSON text are nested; that of `{}` is 1."""
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
    """Step over a key and its colon; return the key where it is one of the outermost object, else `outer`."""
    scalar = _SCALAR.match(text, position)
    if scalar is None or not scalar[0].startswith('"'):
        raise JSONDecodeError("Expecting property name enclosed in double quotes", text, position)
    colon = _skip(text, scalar.end())
    if text[colon : colon + 1] != ":":
        raise JSONDecodeError("Expecting ':' delimiter", text, colon)
    return (scanstring(text, position + 1)[0] if keep else outer), _skip(text, colon + 1)
