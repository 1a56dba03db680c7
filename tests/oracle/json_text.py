"""Read JSON text without recursion and without loss: numbers and the order of keys stay as written.

The standard library's parser fails at deep nesting and turns `1.00` into 1.0, so it cannot validate a log.
"""

import re
from dataclasses import dataclass

_STRING = r"""[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"""
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_TOKEN = re.compile(rf'[ \t\r\n]*(?:([{{}}\[\],:])|"({_STRING})"|({_NUMBER})|(true|false|null)|(\Z))')
_MARK, _TEXT, _DIGITS, _WORD, _END = range(1, 6)  # the groups of a token
_INTEGER = re.compile(r"-?[0-9]+")
_ESCAPE = re.compile(r"\\(?:u(....)|(.))")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_UNSAFE = re.compile(r'["\\\x00-\x1f]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Number:
    """The text of a number, as it was written."""

    text: str

    @property
    def is_integer(self) -> bool:
        """Whether the number has neither a fraction nor an exponent."""
        return _INTEGER.fullmatch(self.text) is not None


Value = dict[str, "Value"] | list["Value"] | str | Number | bool | None


class NotJson(ValueError):  # noqa: N818 - the name says what the text is
    """Raised if a text is not exactly one JSON value."""


class _Reader:
    """Reads a JSON text token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.lone_surrogate = False
        self._advance()

    def _advance(self) -> None:
        found = _TOKEN.match(self._text, self._at)
        if found is None or found.lastindex is None:
            raise NotJson
        self._at = found.end()
        self._kind, self._token = found.lastindex, found[found.lastindex]

    def takes(self, mark: str) -> bool:
        """Consume the next token if it is this mark, and return whether it was."""
        if self._kind != _MARK or self._token != mark:
            return False
        self._advance()
        return True

    def expect(self, mark: str) -> None:
        if not self.takes(mark):
            raise NotJson

    def end(self) -> None:
        if self._kind != _END:
            raise NotJson

    def key(self) -> str:
        if self._kind != _TEXT:
            raise NotJson
        key = self._unescape(self._token)
        self._advance()
        self.expect(":")
        return key

    def scalar(self) -> Value:
        value: Value
        if self._kind == _TEXT:
            value = self._unescape(self._token)
        elif self._kind == _DIGITS:
            value = Number(self._token)
        elif self._kind == _WORD:
            value = _WORDS[self._token]
        else:
            raise NotJson
        self._advance()
        return value

    def _unescape(self, text: str) -> str:
        if "\\" not in text:
            return text
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPES[found[2]], text)
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")  # joins pairs
        self.lone_surrogate |= any("\ud800" <= char <= "\udfff" for char in text)
        return text


def parse(text: str) -> tuple[Value, bool]:
    """Read one JSON value. If a key is repeated, its last value counts, at the position of the first.

    Returns:
        The value, and whether a string in it holds a lone surrogate.

    Raises:
        NotJson: The text breaks the grammar.
    """
    reader = _Reader(text)
    unfinished: list[dict[str, Value] | list[Value]] = []
    keys: list[str] = []
    while True:
        value: Value
        if reader.takes("{"):
            if not reader.takes("}"):
                unfinished.append({})
                keys.append(reader.key())
                continue
            value = {}
        elif reader.takes("["):
            if not reader.takes("]"):
                unfinished.append([])
                continue
            value = []
        else:
            value = reader.scalar()
        while unfinished:
            parent = unfinished[-1]
            if isinstance(parent, dict):
                parent[keys.pop()] = value
                if reader.takes(","):
                    keys.append(reader.key())
                    break
                reader.expect("}")
            else:
                parent.append(value)
                if reader.takes(","):
                    break
                reader.expect("]")
            value = unfinished.pop()
        else:
            reader.end()
            return value, reader.lone_surrogate


def measure_depth(value: Value) -> int:
    """Count the levels of objects and lists: 1 for `{}`, 0 for a scalar."""
    deepest = 0
    waiting = [(value, 0)]
    while waiting:
        inner, above = waiting.pop()
        if isinstance(inner, (dict, list)):
            deepest = max(deepest, above + 1)
            children = inner.values() if isinstance(inner, dict) else inner
            waiting.extend((child, above + 1) for child in children)
    return deepest


def _quote(text: str) -> str:
    return '"' + _UNSAFE.sub(lambda found: _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text) + '"'


def write(value: Value) -> str:
    """Write a value as compact JSON with as few escapes as possible. It is recursive, so the depth must be bounded."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quote(key)}:{write(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, Number):
        return value.text
    return {True: "true", False: "false", None: "null"}[value]
