"""Write records as JSON lines with varied order of keys, white space, escapes, offsets and digits, as producers do."""

import json
import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.oracle.instants import to_datetime

DROP = object()
_OFFSETS_MINUTES = (0, 60, -60, 330, 345, 525, 765, 840, -210, -720, 1, -1, 1439, -1439)


class Raw(str):
    """JSON text that is written unchanged."""

    __slots__ = ()


def write_json(value: Any, rng: random.Random | None = None) -> str:
    """Write a value as JSON. A random generator varies the order of keys, white space and escapes."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, Mapping):
        items = list(value.items())
        if rng and rng.random() < 0.5:
            rng.shuffle(items)
        return (
            "{"
            + f"{_gap(rng)},{_gap(rng)}".join(
                f"{json.dumps(key)}{_gap(rng)}:{_gap(rng)}{write_json(inner, rng)}" for key, inner in items
            )
            + _gap(rng)
            + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + f"{_gap(rng)},".join(write_json(inner, rng) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=rng is None or rng.random() < 0.3)


def _gap(rng: random.Random | None) -> str:
    return "" if rng is None else rng.choice(("", "", "", "", " ", "\t", "  "))


def write_line(record: Mapping[str, Any], rng: random.Random | None = None) -> bytes:
    """Write a record as one line without its newline."""
    return write_json(record, rng).encode()


def change(record: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Copy a record with one value replaced, or removed by `DROP`. The path has dots; a number is a list index."""
    name, _, rest = path.partition(".")
    copy = dict(record)
    if rest and isinstance(copy[name], list):
        index, _, inner = rest.partition(".")
        items = list(copy[name])
        items[int(index)] = change(items[int(index)], inner, value) if inner else value
        copy[name] = items
    elif rest:
        copy[name] = change(copy[name], rest, value)
    elif value is DROP:
        del copy[name]
    else:
        copy[name] = value
    return copy


def write_stamp(instant_us: int, rng: random.Random) -> str:
    """Write an instant with a random offset and a random number of digits, sometimes beyond microseconds."""
    minutes = rng.choice(_OFFSETS_MINUTES)
    local = to_datetime(instant_us + minutes * 60_000_000).replace(tzinfo=None)
    digits = f"{instant_us % 1_000_000:06d}".rstrip("0")
    digits += "0" * rng.choice((0, 0, 1, 3))
    if rng.random() < 0.2:
        digits = digits.ljust(6, "0") + rng.choice(("9", "999", "000000001", "5"))
    text = (local - timedelta(microseconds=local.microsecond)).isoformat("T").replace("T", rng.choice("TTTt"))
    text += f".{digits}" if digits else ""
    if minutes == 0:
        return text + rng.choice(("Z", "Z", "z", "+00:00", "-00:00"))
    sign = "+" if minutes > 0 else "-"
    return f"{text}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
