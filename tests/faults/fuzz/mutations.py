"""Changes of lines that know the rules: most results stay good, and the others break one rule at its edge.

A line is cut into tokens, and a value of it replaced by another value for its key, changed by a character, or copied
from elsewhere; members are doubled, dropped and added, and white space goes anywhere.
"""

import random
import re
from collections.abc import Callable, Sequence
from typing import Final

from pipeline.contract.actions import ACTIONS
from pipeline.contract.tables import STATUSES
from tests.support.data_folder import USER, WORKSPACE

_TOKEN: Final = re.compile(rb'"(?:[^"\\\n]|\\.)*"|[^\s{}\[\]:,"]+|[{}\[\]:,]|\s+|"').findall
_PIECES: Final = (
    *(b"a", b"Z", b"0", b" ", b"-0,", b"\x7f", b"\xc3\xa9", b"\xe2\x80\xa8", b"\xed\x9f\xbf", b"\xee\x80\x80"),
    *(b"\xf0\x9f\x98\x80", b"\xf4\x8f\xbf\xbf", b"\\u00e9", b"\\uD83d\\uDe00", b"\\n", b"\\/", b'\\"', b"\\\\", b"\\b"),
    *(b"\\u0000", b"\\u0022", b"\\u005C", b"\\u001f", b"\\u007f", b"\\uffff", b"\\udbff\\udfff", b"{", b"]", b"null"),
)
_BAD_PIECES: Final = (
    *(b"\x00", b"\t", b"\x1f", b"\x80", b"\xc0\xaf", b"\xc3", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf"),
    *(b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\\ud83d", b"\\ude00", b"\\ud83d\\ue000", b"\\ud83d\\ud83d", b"\\x"),
    *(b"\\ud83d\\n", b"\\u12g4", b"\\u 123", b"\\udc00\\ud800", b"\\ud800\\udbff", b"\\ud800u0000"),
)
_NUMBERS: Final = (b"0", b"1", b"7", b"999999999999", b"1000000000000")
_BAD_NUMBERS: Final = (
    *(b"1000000000001", b"9223372036854775808", b"18446744073709551617", b"00", b"01", b"-0", b"-1", b"1.0", b"1e2"),
    *(b"+1", b".5", b"0x1", b"1.", b'"12"', b"true", b"null", b"NaN", b"1" * 60),
)
_ANY_NUMBERS: Final = (*_NUMBERS, b"-0", b"-0.0", b"1.50", b"1E400", b"-2e-7", b"18446744073709551616", b"0e0", b"1e+5")


def _digits(rng: random.Random, *, low: int, high: int, width: int) -> str:
    return f"{rng.randint(low, high):0{width}}"


def instant(rng: random.Random) -> bytes:
    """Return a date-time: mostly a valid one, with a predilection for ends of months, leap days and odd offsets."""
    year = rng.choice(
        ("0000", "0004", "0100", "1600", "1900", "2000", "2012", "2016", "2023", "2024", "2026", "2100", "9999")
    )
    day = _digits(rng, low=28, high=31, width=2) if rng.random() < 0.6 else _digits(rng, low=0, high=32, width=2)
    month = "02" if rng.random() < 0.4 else _digits(rng, low=0 if rng.random() < 0.05 else 1, high=12, width=2)
    hour, minute, second = (_digits(rng, low=0, high=most, width=2) for most in (24, 60, 60))
    fraction = (
        "." + "".join(rng.choices("0123456789", k=rng.randint(rng.random() > 0.1, 9))) if rng.random() < 0.5 else ""
    )
    offset = f"{rng.choice('+-')}{_digits(rng, low=0, high=24, width=2)}:{_digits(rng, low=0, high=60, width=2)}"
    zone = rng.choice(("Z", "z", offset, offset, "+23:59", "-23:59", "" if rng.random() < 0.1 else "Z"))
    return f'"{year}-{month}-{day}{rng.choice("TTTt")}{hour}:{minute}:{second}{fraction}{zone}"'.encode()


def recent(rng: random.Random) -> bytes:
    """Return a date-time near the first or the last that is accepted, or a leap day between."""
    instants = (
        *(
            "2011-01-01T00:00:00Z",
            "2010-12-31T23:59:59.999999Z",
            "2011-01-01T00:00:00+00:01",
            "2010-12-31T23:59:00-00:01",
        ),
        *(
            "2026-11-25T12:00:00Z",
            "2026-11-25T12:00:00.000001Z",
            "2026-11-25T12:00:00.0000009Z",
            "2026-11-25T12:01:00+00:01",
        ),
        *("2024-02-29T00:00:00Z", "2016-02-29T23:59:59-12:00", "2023-02-29T00:00:00Z", "2020-03-01T00:00:00+23:59"),
        *("2015-04-31T00:00:00Z", "2016-12-31T23:59:60Z", "2016-12-31T24:00:00Z", "2016-06-30T23:60:00Z"),
    )
    return b'"%s"' % rng.choice(instants).encode()


def text(rng: random.Random) -> bytes:
    """Return a string of a few awkward pieces; one of ten has a bad one."""
    pieces = rng.choices(_PIECES, k=rng.randrange(5))
    if rng.random() < 0.1:
        pieces.insert(rng.randint(0, len(pieces)), rng.choice(_BAD_PIECES))
    return b'"%s"' % b"".join(pieces)


def _identifier(rng: random.Random) -> bytes:
    length = rng.choice((0, 1, 127, 128, 129)) if rng.random() < 0.3 else 1
    return b'"%s"' % (rng.choice(_PIECES) * length) if length else text(rng)


def _uuid(rng: random.Random) -> bytes:
    found = "".join(rng.choice((digit, digit.upper())) for digit in rng.choice((WORKSPACE, USER)))
    return b'"%s"' % found.encode()


def _locale(rng: random.Random) -> bytes:
    alphabet = "abkzABKZ019"
    subtags = ["".join(rng.choices(alphabet[:8], k=rng.choice((1, 2, 3, 8, 9) if rng.random() < 0.2 else (2, 3, 8))))]
    while rng.random() < 0.5:
        subtags.append("".join(rng.choices(alphabet, k=rng.choice((0, 9) if rng.random() < 0.1 else (1, 2, 8)))))
    known = (b'"und"', b'"UND"', b'""', b"null", b'"en-us"', b'"EN_us"', b'"en"', b'"de"', b'"de-1996"', b'"den"')
    return rng.choice(known) if rng.random() < 0.6 else b'"%s"' % rng.choice("-_").join(subtags).encode()


def _count(rng: random.Random) -> bytes:
    return rng.choice(_BAD_NUMBERS) if rng.random() < 0.1 else rng.choice(_NUMBERS)


def any_value(rng: random.Random, depth: int = 0) -> bytes:
    """Return any JSON value, now and then a malformed one, with white space in it."""
    kind = rng.randrange(7 if depth < 4 else 4)
    if kind == 0:
        return rng.choice(_ANY_NUMBERS)
    if kind == 1:
        return rng.choice((b"true", b"false", b"null", b"tru", b"nul")[: 5 if rng.random() < 0.1 else 3])
    if kind < 4:
        return text(rng)
    space = rng.choice((b"", b"", b" ", b"\t \r"))
    inner = [any_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 4:
        return b"[" + space + (b"," + space).join(inner) + space + b"]"
    return b"{" + space + b",".join(key(rng) + space + b":" + space + value + space for value in inner) + b"}"


def key(rng: random.Random) -> bytes:
    """Return a key; few different ones, so that some are repeated."""
    return rng.choice((b'"a"', b'"b"', b'"id"', b'""', b'"\xc3\xa9"', b'"credits"', text(rng)))


def _metadata(rng: random.Random) -> bytes:
    depth = rng.choice((126, 127, 128)) if rng.random() < 0.2 else 0
    members = [key(rng) + b":" + b"[" * depth + any_value(rng, depth) + b"]" * depth for _ in range(rng.randrange(4))]
    return _object(rng, members)


def _object(rng: random.Random, members: list[bytes]) -> bytes:
    space = rng.choice((b"", b"", b" ", b"\t \r"))
    return b"{" + space + (b"," + space).join(members) + space + b"}"


def _members(rng: random.Random, *names: bytes) -> list[bytes]:
    """Return members with some of these keys, in any order; now and then one twice, or an unknown one."""
    taken = rng.sample(names, rng.randint(0, len(names)))
    if rng.random() < 0.1:
        taken.append(rng.choice((*names, b'"x"')))
    return [name + b":" + _VALUES[name](rng) for name in taken]


def _usage(rng: random.Random) -> bytes:
    return _object(rng, _members(rng, b'"credits"', b'"audio_ms"', b'"languages"'))


def _languages(rng: random.Random) -> bytes:
    """Return up to four languages, seldom more than are taken; a language often repeats or continues another one."""
    count = rng.choice((31, 32, 33)) if rng.random() < 0.05 else rng.randrange(5)
    names = (b'"locale"', b'"characters"', b'"lines"', b'"corrected"')
    return b"[" + b",".join(_object(rng, _members(rng, *names)) for _ in range(count)) + b"]"


def _user(rng: random.Random) -> bytes:
    return _object(rng, [b'"id":' + _uuid(rng), b'"name":' + text(rng), *_members(rng, b'"x"')][rng.random() < 0.1 :])


def _run(rng: random.Random) -> bytes:
    return _object(rng, [b'"id":' + text(rng), b'"status":' + _VALUES[b'"status"'](rng)][rng.random() < 0.1 :])


def _resource(rng: random.Random) -> bytes:
    others = (name + rng.choice((b"null", text(rng))) for name in (b'"id":', b'"name":'))
    return _object(rng, [b'"type":' + text(rng), *others][rng.random() < 0.1 :])


def _word(*words: str) -> Callable[[random.Random], bytes]:
    return lambda rng: b'"%s"' % rng.choice(words).encode()


_VALUES: Final[dict[bytes, Callable[[random.Random], bytes]]] = {
    b'"id"': _identifier,
    b'"workspace_id"': _uuid,
    b'"timestamp"': recent,
    b'"recorded_at"': instant,
    b'"action"': _word(*ACTIONS),
    b'"resource"': _resource,
    b'"user"': _user,
    b'"metadata"': _metadata,
    b'"run"': _run,
    b'"status"': _word(*STATUSES),
    b'"usage"': _usage,
    b'"languages"': _languages,
    b'"locale"': _locale,
    b'"x"': any_value,
    **dict.fromkeys((b'"credits"', b'"audio_ms"', b'"characters"', b'"lines"', b'"corrected"'), _count),
}
_OPTIONAL: Final = (b'"recorded_at"', b'"user"', b'"metadata"', b'"ip"', b'"run"', b'"usage"', b'"x"')
_CHARACTERS: Final = [bytes([byte]) for byte in b'"\\/u0123456789abcdefABCDEFnrt-_+.TZ:{}[] \x80\xbf\xc3\xed\xf4\xff']


def mutated(line: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a line after one to three changes; `others` are lines that values may come from."""
    tokens = _TOKEN(line)
    for _ in range(rng.choice((1, 1, 2, 3))):
        _change(tokens, others, rng)
    return b"".join(tokens).replace(b"\n", b"")


def _change(tokens: list[bytes], others: Sequence[bytes], rng: random.Random) -> None:
    colons = [place for place in range(1, len(tokens) - 1) if tokens[place] == b":"]
    if not colons:
        tokens.append(rng.choice(_CHARACTERS))
        return
    colon, chance = rng.choice(colons), rng.random()
    name = tokens[colon - 1 - (tokens[colon - 1].isspace() and colon > 1)]
    place = colon + 1 + (tokens[colon + 1].isspace() and colon + 2 < len(tokens))
    stop = _stop(tokens, place)
    if chance < 0.55:
        tokens[place:stop] = [_VALUES.get(name, text)(rng)]
    elif chance < 0.65:
        at = rng.randrange(len(tokens[place]))
        tokens[place] = tokens[place][:at] + rng.choice(_CHARACTERS) + tokens[place][at + rng.randrange(2) :]
    elif chance < 0.7:
        tokens[place:stop] = [rng.choice(_TOKEN(rng.choice(others)) or [b""])]
    elif chance < 0.8:
        tokens.insert(rng.randrange(len(tokens)), rng.choice((b" ", b"\t", b"\r", b"  ")))
    elif chance < 0.93:
        other = rng.choice(_OPTIONAL if rng.random() < 0.8 else tuple(_VALUES))
        tokens[1:1] = [other, b":", _VALUES.get(other, text)(rng), b","]
    elif chance < 0.97:
        del tokens[colon - 1 : stop + rng.randrange(2)]
    else:
        start = rng.randrange(len(tokens))
        tokens[start:start] = tokens[start : start + rng.randrange(1, 9)]


def _stop(tokens: Sequence[bytes], place: int) -> int:
    """Return where the value that begins at a place stops."""
    depth = 0
    for stop in range(place, len(tokens)):
        depth += (tokens[stop] in {b"{", b"["}) - (tokens[stop] in {b"}", b"]"})
        if depth <= 0:
            return stop + 1
    return len(tokens)
