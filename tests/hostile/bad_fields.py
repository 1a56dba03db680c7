"""Bad values of single fields, each with the reason of its rejection. The path is also the field of the rejection."""

from collections.abc import Iterator
from typing import Any

from tests.hostile.single_lines import LIMIT, USER, WORKSPACE
from tests.hostile.texts import DROP, Raw
from tests.oracle import write_instant
from tests.oracle.instants import DAY_US

Fault = tuple[str, Any, str]
_BAD_STAMPS = (
    "",
    "2026-01-02",
    "2026-01-02T03:04:05",
    "2026-01-02 03:04:05Z",
    "2026-01-02T03:04Z",
    "2026-01-02T03:04:60Z",
    "2016-12-31T23:59:60Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02T03:60:00Z",
    "2026-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-01-02T03:04:05.Z",
    "2026-01-02T03:04:05,5Z",
    "2026-01-02T03:04:05+9:00",
    "2026-01-02T03:04:05+0900",
    "2026-01-02T03:04:05+09",
    "2026-01-02T03:04:05+24:00",
    "2026-01-02T03:04:05+09:60",
    "2026-01-02T03:04:05\u221209:00",
    "2026-01-02T03:04:05Z ",
    " 2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05Z\n",
    "2026-01-02T03:04:05ZZ",
    "+2026-01-02T03:04:05Z",
    "12026-01-02T03:04:05Z",
    "-2026-01-02T03:04:05Z",
    "26-01-02T03:04:05Z",
    "2026-1-2T3:4:5Z",
    "20260102T030405Z",
    "2026-01-02T\u0660\u0663:04:05Z",
    "2026-W01-5T03:04:05Z",
    "1767323045",
    "now",
)
_BAD_LOCALES = (
    "e",
    "en-",
    "-en",
    "en--us",
    "en-us-",
    "123",
    "x-klingon",
    "en us",
    " en",
    "en\n",
    "deutschland",
    "en-abcdefghi",
    "\u212ao",  # the Kelvin sign, whose lower case is an ordinary k
    "zh-\u212aorea",
    "\u0130t",
    "de-\u0661",
    "français",
    "en.utf8",
    "*",
    "_",
    "en\0",
)
_AMOUNTS = (
    "usage.credits",
    "usage.audio_ms",
    "usage.languages.0.characters",
    "usage.languages.0.lines",
    "usage.languages.0.corrected",
)


def list_faults(now_us: int) -> Iterator[Fault]:
    """Yield the path, value and reason of every bad value, for a run that starts at `now_us`."""
    yield from _list_absences()
    yield from _list_wrong_types()
    yield from _list_wrong_amounts()
    yield from _list_wrong_texts()
    yield from _list_stamps_out_of_range(now_us)


def _list_absences() -> Iterator[Fault]:
    required = (
        "id",
        "workspace_id",
        "timestamp",
        "action",
        "kind",
        "resource",
        "resource.type",
        "user.id",
        "user.name",
    )
    for path in (*required, "run", "run.id", "run.status"):
        yield path, DROP, "missing_field"
        yield path, None, "invalid_type"
    yield "usage.languages.0", None, "invalid_type"


def _list_wrong_types() -> Iterator[Fault]:
    texts = (
        "id",
        "workspace_id",
        "timestamp",
        "recorded_at",
        "action",
        "kind",
        "ip",
        "run.id",
        "run.status",
        "user.id",
    )
    wrong: Any
    for path in (*texts, "user.name", "resource.type", "resource.id", "resource.name", "usage.languages.0.locale"):
        for wrong in (12, True, [], {}):
            yield path, wrong, "invalid_type"
    for path in ("resource", "user", "metadata", "run", "usage", "usage.languages.0"):
        for wrong in (12, False, [], "{}"):
            yield path, wrong, "invalid_type"
    for wrong in (12, True, {}, "[]"):
        yield "usage.languages", wrong, "invalid_type"


def _list_wrong_amounts() -> Iterator[Fault]:
    for path in _AMOUNTS:
        for text in ('"12"', "12.0", "1e2", "0.5", "-1.0", "0e0", "1E400", "true", "false", "null", "[]", "{}", '""'):
            yield path, Raw(text), "invalid_type"
        for number in (-1, LIMIT + 1, 2**53, 2**63, 2**64, -(2**64), 10**400):
            yield path, Raw(number), "invalid_value"
        yield path, Raw("1" + "0" * 5000), "invalid_value"


def _list_wrong_texts() -> Iterator[Fault]:
    for text in ("", "x" * 129, "👩" * 129):
        yield "id", text, "invalid_value"
    for path, uuid in (("workspace_id", WORKSPACE), ("user.id", USER)):
        for text in _spoil(uuid):
            yield path, text, "invalid_value"
    for path in ("timestamp", "recorded_at"):
        for text in _BAD_STAMPS:
            yield path, text, "invalid_value"
    for text in ("", "Workflow_Run", "workflow_run ", "Completed", "canceled", "login"):
        yield "action", text, "invalid_value"
        yield "run.status", text, "invalid_value"
    for inner in ('{"d":' * 128 + "1" + "}" * 128, "[" * 128 + "]" * 128, "[" * 100_000 + "]" * 100_000):
        yield "metadata", Raw('{"deep":' + inner + "}"), "invalid_value"
    for text in _BAD_LOCALES:
        yield "usage.languages.0.locale", text, "invalid_locale"


def _spoil(uuid: str) -> tuple[str, ...]:
    wrong_ends = (uuid[:-1], uuid + "0", uuid + "\n", f" {uuid}", "urn:uuid:" + uuid, "{" + uuid + "}")
    return ("", uuid.replace("-", ""), uuid.replace("-", "_"), "g" + uuid[1:], "\uff10" + uuid[1:], *wrong_ends)


def _list_stamps_out_of_range(now_us: int) -> Iterator[Fault]:
    for text in (
        "2010-12-31T23:59:59.999999Z",
        "2010-12-31T23:59:59.9999999Z",
        "2011-01-01T00:00:00+00:01",
        "0000-01-01T00:00:00Z",
        "0000-02-29T23:59:59+23:59",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59.999999-23:59",
        write_instant(now_us + DAY_US + 1),
        write_instant(now_us + 2 * DAY_US),
    ):
        yield "timestamp", text, "timestamp_out_of_range"
