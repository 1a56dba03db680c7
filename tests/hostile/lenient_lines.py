"""Lines that look wrong but are good, each with some columns of its row, worked out by hand."""

from collections.abc import Iterator
from typing import Any

from tests.hostile.single_lines import HOUR_US, LIMIT, USER, WORKSPACE, GoodLine, make_plain_record
from tests.hostile.texts import DROP, Raw, change, write_line
from tests.oracle import Amounts, write_instant
from tests.oracle.instants import DAY_US

_STAMPS = (
    ("2026-01-02T03:04:05Z", 1_767_323_045_000_000),
    ("2026-01-02t03:04:05z", 1_767_323_045_000_000),
    ("2026-01-02T03:04:05.1Z", 1_767_323_045_100_000),
    ("2026-01-02T03:04:05.123456999999999999Z", 1_767_323_045_123_456),
    ("2026-01-02T08:49:05+05:45", 1_767_323_045_000_000),
    ("2026-01-01T23:34:05-03:30", 1_767_323_045_000_000),
    ("2026-01-02T03:04:05-00:00", 1_767_323_045_000_000),
    ("2026-01-03T03:03:05+23:59", 1_767_323_045_000_000),
    ("2011-01-01T00:00:00Z", 1_293_840_000_000_000),
    ("2010-12-31T23:59:00.000000999-00:01", 1_293_840_000_000_000),
    ("2024-02-29T23:59:59.999999Z", 1_709_251_199_999_999),
)
_LOCALES = (
    ("en-us", "en-us"),
    ("EN_us", "en-us"),
    ("zh-Hans_CN", "zh-hans-cn"),
    ("abcdefgh-12345678-a", "abcdefgh-12345678-a"),
    ("und-latn", "und-latn"),
    ("UND", None),
    ("und", None),
    ("", None),
    (None, None),
)


def good_lines(now_us: int) -> Iterator[GoodLine]:
    """Yield a line for each leniency of the contract, for a run that starts at `now_us`."""
    plain = make_plain_record(now_us)
    for label, path, value, columns in _list_changes(now_us):
        yield GoodLine(f"{path} {label}", write_line(change(plain, path, value)), columns)
    text = write_line(plain)
    yield GoodLine("carriage return", text + b"\r")
    yield GoodLine("white space", b" \t" + text + b" \t \r")
    yield GoodLine("repeated key", b'{"id":null,"usage":12,' + text[1:], {"id": "plain", "credits": 10})
    yield GoodLine("escaped keys", text.replace(b'"id":"plain"', b'"\\u0069d":"pl\\u0061in"'), {"id": "plain"})
    yield GoodLine("1 MiB", text[:-1] + b" " * (1_048_576 - len(text)) + b"}", {"id": "plain"})
    minimal = {name: plain[name] for name in ("id", "workspace_id", "timestamp", "kind")}
    minimal |= {"action": "settings_changed", "resource": {"type": ""}}
    nothing = ("resource_id", "resource_name", "user_id", "user_name", "metadata", "ip", "run_id", "run_status")
    defaults: dict[str, Any] = {**dict.fromkeys(nothing), "credits": 0, "audio_ms": 0, "languages": {}}
    yield GoodLine("only what is required", write_line(minimal), {**defaults, "recorded_at": now_us - HOUR_US})
    nulls = dict.fromkeys(("recorded_at", "user", "metadata", "ip", "run", "usage"))
    yield GoodLine("null is absent", write_line({**minimal, **nulls}), {**defaults, "recorded_at": now_us - HOUR_US})


def _list_changes(now_us: int) -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    """Yield a label, a path, the value at the path, and the columns that it gives."""
    for identifier in ("x", "x" * 128, "👩" * 128, "\0", "\n", '"', "\U0010ffff", " "):
        yield repr(identifier[:5]), "id", identifier, {"id": identifier}
    yield "upper-case", "workspace_id", WORKSPACE.upper(), {"workspace_id": WORKSPACE}
    yield "upper-case", "user.id", USER.upper(), {"user_id": USER}
    for text, instant_us in _STAMPS:
        yield text, "timestamp", text, {"timestamp": instant_us}
        yield text, "recorded_at", text, {"recorded_at": instant_us}
    latest_us = now_us + DAY_US
    yield "the latest", "timestamp", write_instant(latest_us), {"timestamp": latest_us}
    yield "absent", "recorded_at", DROP, {"recorded_at": now_us - HOUR_US}
    yield "year 0", "recorded_at", "0000-02-29T00:00:00Z", {"recorded_at": -62_162_121_600_000_000}
    yield "year 1", "recorded_at", "0001-01-01T00:00:00+00:01", {"recorded_at": -62_135_596_860_000_000}
    yield "before 1970", "recorded_at", "1969-12-31T23:59:59.9999999Z", {"recorded_at": -1}
    yield "year 9999", "recorded_at", "9999-12-31T23:59:59.999999-00:01", {"recorded_at": 253_402_300_859_999_999}
    for name in ("credits", "audio_ms"):
        for text, amount in (("0", 0), ("-0", 0), (str(LIMIT), LIMIT)):
            yield text, f"usage.{name}", Raw(text), {name: amount}
        yield "absent", f"usage.{name}", DROP, {name: 0}
    for tag, locale in _LOCALES:
        yield repr(tag), "usage.languages.0.locale", tag, {"languages": {locale: Amounts(7, 2, 1)}}
    yield "absent", "usage.languages.0.locale", DROP, {"languages": {None: Amounts(7, 2, 1)}}
    yield "empty", "usage.languages.0", {}, {"languages": {None: Amounts(0, 0, 0)}}
    same = [{"locale": "en_US", "characters": LIMIT}, {"locale": "EN-us", "characters": LIMIT, "lines": 1}]
    yield "the same twice", "usage.languages", same, {"languages": {"en-us": Amounts(2 * LIMIT, 1, 0)}}
    nothing: Any
    for nothing in (None, [], DROP):
        yield "none", "usage.languages", nothing, {"languages": {}, "credits": 10}
    yield "deep list", "unknown", Raw("[" * 100_000 + "]" * 100_000), {"id": "plain"}
    yield "deep object", "unknown", Raw('{"":' * 100_000 + "0" + "}" * 100_000), {"id": "plain"}
    yield "odd numbers", "unknown", Raw("[1e400,-0.0,1E+5," + "9" * 10_000 + "]"), {"id": "plain"}
    yield "unknown key", "resource.colour", {"id": None}, {"resource_type": "workflow"}
    texts: tuple[tuple[str, str | None], ...] = (
        ('{ "b" : 1.00 , "a" : [ 1e400, -0, {} ] }', '{"b":1.00,"a":[1e400,-0,{}]}'),
        ('{"\\u00e9\\/":"\\ud83d\\ude00\\u0000\\u001F\\n\\u007f"}', '{"é/":"😀\\u0000\\u001f\\n\x7f"}'),
        ('{"a":{"x":1},"a":2}', '{"a":2}'),
        ("{}", "{}"),
        ("null", None),
        ('{"d":' * 128 + "1" + "}" * 128, '{"d":' * 128 + "1" + "}" * 128),
        ('{"d":' + "[" * 127 + "]" * 127 + "}", '{"d":' + "[" * 127 + "]" * 127 + "}"),
    )
    for text, stored in texts:
        yield text[:20], "metadata", Raw(text), {"metadata": stored}
