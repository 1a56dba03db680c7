"""Read JSON text without recursion and without losing anything: number text and key order stay as written.

The standard library's parser gives up on deep nesting and turns `1.00` into 1.0, so it cannot judge a log.
"""

import re
from dataclasses import dataclass

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"-?[0-9]+")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Number:
    """A number as it was written."""

    text: str

    @property
    def is_integer(self) -> bool:
        """Whether it is written without fraction and exponent."""
        return _INTEGER.fullmatch(self.text) is not None


Value = dict[str, "Value"] | list["Value"] | str | Number | bool | None


class NotJson(ValueError):  # noqa: N818 - it says what the text is
    """The text is not one JSON value."""


class _Reader:
    """A position in a JSON text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lone_surrogate = False

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise NotJson
        self.at = found.end()
        return found.group()

    def takes(self, mark: str) -> bool:
        """Skip white space, then take the mark if it comes next."""
        self._match(_SPACE)
        if self.text[self.at : self.at + 1] != mark:
            return False
        self.at += 1
        return True

    def expect(self, mark: str) -> None:
        if not self.takes(mark):
            raise NotJson

    def end(self) -> None:
        self._match(_SPACE)
        if self.at != len(self.text):
            raise NotJson

    def key(self) -> str:
        self.expect('"')
        key = self._string()
        self.expect(":")
        return key

    def scalar(self) -> Value:
        if self.takes('"'):
            return self._string()
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        return Number(self._match(_NUMBER))

    def _string(self) -> str:
        """Read up to the closing quote; the opening one is behind us."""
        parts: list[str] = []
        escaped_units = False
        while True:
            parts.append(self._match(_PLAIN))
            mark = self.text[self.at : self.at + 1]
            self.at += 1
            if mark == '"':
                break
            if mark != "\\":  # a control character, or the end of the text
                raise NotJson
            escape = self.text[self.at : self.at + 1]
            self.at += 1
            if escape == "u":
                parts.append(chr(int(self._match(_HEX), 16)))
                escaped_units = True
            elif escape in _ESCAPES:
                parts.append(_ESCAPES[escape])
            else:
                raise NotJson
        text = "".join(parts)
        if escaped_units:
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")  # joins pairs
            self.lone_surrogate |= any("\ud800" <= char <= "\udfff" for char in text)
        return text


def parse(text: str) -> tuple[Value, bool]:
    """Read one JSON value; of a repeated key the last value counts, at the place of the first.

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
    return '"' + "".join(_SHORT.get(char) or (f"\\u{ord(char):04x}" if char < " " else char) for char in text) + '"'


def write(value: Value) -> str:
    """Write a value compactly, numbers as they were written, escaping only what must be; recursive, so bound depth."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quote(key)}:{write(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, Number):
        return value.text
    return {True: "true", False: "false", None: "null"}[value]
