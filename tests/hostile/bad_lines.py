"""The catalogue of lines that must be rejected, with one line for each kind of fault."""

from collections.abc import Iterator
from typing import Any

from tests.hostile.bad_fields import list_faults
from tests.hostile.single_lines import BadLine, make_plain_record
from tests.hostile.texts import DROP, Raw, change, write_line

_BROKEN_VALUES = (
    "",
    "{]",
    "[1,]",
    "[,1]",
    '{"a":1,}',
    '{"a"}',
    '{"a":}',
    "{a:1}",
    "{'a':1}",
    "[1 2]",
    "01",
    "-01",
    "1.",
    ".5",
    "+1",
    "1e",
    "1e+",
    "0x10",
    "1_000",
    "-",
    "--1",
    "NaN",
    "-NaN",
    "Infinity",
    "-Infinity",
    "nul",
    "nulll",
    "True",
    '"\\x41"',
    '"\\u12"',
    '"\\u12G4"',
    '"\\u+123"',
    '"\\"',
    '"',
    '"\t"',
    '"\0"',
    '"\x1f"',
    "undefined",
    "// no",
    "1 /* no */",
    "\u00a01",
    "\x0b1",
    "\ufeff1",
    "\0",
    "\u0661",
    '"a" "b"',
    "{" * 100_000,
    "[" * 100_000,
    "1}",
    "1]",
)
_NOT_UTF_8 = (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"\xf8\x88\x80\x80\x80")
_LONE_SURROGATES = (
    b"\\ud800",
    b"\\uDFFF",
    b"\\udc00\\ud800",
    b"\\ud83dx\\ude00",
    b"\\ud83d\\n",
    b"\\ud83d\\ud83d\\ude00",
)
_NO_OBJECTS = (b"[]", b"12", b"1e400", b'"text"', b"null", b"true", b" [{}] ", b"[" * 5000 + b"]" * 5000)


def bad_lines(now_us: int) -> Iterator[BadLine]:
    """Yield every line of the catalogue, for a run that starts at `now_us`."""
    plain = make_plain_record(now_us)
    for path, value, reason in list_faults(now_us):
        shown = "absent" if value is DROP else repr(value)[:40]
        faulty_field = path.replace(".0", "[0]")
        yield BadLine(f"{path} {shown}", write_line(change(plain, path, value)), reason, faulty_field)
    yield from _list_several_faults(plain)
    yield from _list_broken_texts(write_line(change(plain, "unknown", Raw("@"))))
    yield from _list_whole_lines(write_line(plain))


def _list_several_faults(plain: dict[str, Any]) -> Iterator[BadLine]:
    """Yield lines with several faults. The first faulty field in the contract's table counts, in any order of keys."""
    order = ("id", "workspace_id", "timestamp", "recorded_at", "action", "kind", "resource", "user", "metadata", "ip")
    faulty: dict[str, Any] = dict.fromkeys((*order, "run", "usage"), 12)
    while faulty:
        first = next(iter(faulty))
        reverse = {name: faulty[name] for name in reversed(list(faulty))}
        good = {name: value for name, value in plain.items() if name not in faulty}
        yield BadLine(f"all faulty from {first}", write_line({**reverse, **good}), "invalid_type", first)
        del faulty[first]
    record = change(change(plain, "timestamp", "2010-01-01T00:00:00Z"), "workspace_id", DROP)
    yield BadLine("no workspace, out of range", write_line(record), "missing_field", "workspace_id")
    record = change(change(plain, "timestamp", "2010-01-01T00:00:00Z"), "kind", DROP)
    yield BadLine("out of range, no kind", write_line(record), "timestamp_out_of_range", "timestamp")
    record = change(plain, "resource", {"name": 1, "id": 2, "type": 3})
    yield BadLine("all of resource", write_line(record), "invalid_type", "resource.type")
    record = change(plain, "usage", {"languages": [{"locale": "de"}, {"lines": -1, "locale": "?"}], "audio_ms": 0})
    yield BadLine("second language", write_line(record), "invalid_locale", "usage.languages[1].locale")
    record = change(record, "usage.audio_ms", -1)
    yield BadLine("audio before languages", write_line(record), "invalid_value", "usage.audio_ms")
    twice = write_line(plain)[:-1] + b',"id":null}'
    yield BadLine("last of a repeated key is bad", twice, "invalid_type", "id")
    twice = write_line(change(plain, "usage", Raw('{"credits":1,"credits":"1"}')))
    yield BadLine("last of a repeated nested key is bad", twice, "invalid_type", "usage.credits")


def _list_broken_texts(template: bytes) -> Iterator[BadLine]:
    """Yield lines with one broken value in place of the template's `@`."""
    for value in _BROKEN_VALUES:
        line = template.replace(b"@", value.encode())
        yield BadLine(f"invalid {value[:20]!r}", line, "invalid_json")
        yield BadLine(f"invalid last {value[:20]!r}", line, "truncated_line", last=True)
    for text in _NOT_UTF_8:
        line = template.replace(b"@", b'"' + text + b'"')
        yield BadLine(f"not UTF-8 {text!r}", line, "invalid_encoding")
        yield BadLine(f"not UTF-8 last {text!r}", line, "truncated_line", last=True)
    for text in _LONE_SURROGATES:
        inside = template.replace(b"@", b'{"deep":["' + text + b'"]}')
        as_key = template.replace(b'"unknown"', b'"' + text + b'"').replace(b"@", b"1")
        for last in (False, True):
            yield BadLine(f"lone surrogate {text!r} {last=}", inside, "invalid_encoding", last=last)
            yield BadLine(f"lone surrogate key {text!r} {last=}", as_key, "invalid_encoding", last=last)
    yield BadLine("grammar before surrogates", template.replace(b"@", b'"\\ud800'), "invalid_json")


def _list_whole_lines(plain: bytes) -> Iterator[BadLine]:
    """Yield lines that are bad as a whole, made from a good line."""
    yield BadLine("surrogate in a missing record", b'{"id":"\\ud800"}', "invalid_encoding")
    yield BadLine("two records", plain + b" " + plain, "invalid_json")
    yield BadLine("carriage return between records", plain + b"\r" + plain, "invalid_json")
    yield BadLine("byte order mark inside a file", b"\xef\xbb\xbf" + plain, "invalid_json")
    yield BadLine("UTF-16", plain.decode().encode("utf-16"), "invalid_encoding")
    yield BadLine("binary", bytes(range(11, 256)), "invalid_encoding")
    yield BadLine("zeros", b"\0" * 100, "invalid_json")
    yield BadLine("csv", b"id,workspace_id,timestamp", "invalid_json")
    for cut in (1, len(plain) // 2, len(plain) - 1):
        yield BadLine(f"torn at {cut}", plain[:cut], "invalid_json")
        yield BadLine(f"torn last at {cut}", plain[:cut], "truncated_line", last=True)
    for text in _NO_OBJECTS:
        for last in (False, True):
            yield BadLine(f"no object {text[:10]!r} {last=}", text, "not_an_object", last=last)
    yield BadLine("empty object", b"{}", "missing_field", "id")
    for size, last in ((1_048_577, False), (1_048_577, True), (10_000_000, False)):
        line = plain[:-1] + b" " * (size - len(plain)) + b"}"
        yield BadLine(f"{size} bytes {last=}", line, "line_too_long", last=last)
    yield BadLine("too long and no JSON", b"x" * 1_048_577, "line_too_long")
