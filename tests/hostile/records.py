"""Good records: ordinary records as a product writes them, and versions that compete in awkward ways."""

import random
from collections.abc import Iterable, Iterator
from typing import Any

from tests.hostile.cast import Cast
from tests.hostile.moments import draw_moment, list_moments
from tests.hostile.texts import DROP, Raw, change, write_stamp
from tests.oracle import read_instant
from tests.oracle.events import STATUSES
from tests.oracle.validation import ACTIONS

LIMIT = 10**12
LOCALES = ("en-us", "EN_us", "en-GB", "ko-KR", "ja", "pt_BR", "zh-Hans-CN", "sr-latn", "es-419", "fil", "yue", "qq-zz")
UNTAGGED = (None, "", "und", "UND", "Und")
IDS = (
    'quote"backslash\\slash/',
    "new\nline\ttab",
    "nul\u0000byte",
    "\u001f\u007f\u0085\u2028\u2029\ufeff",
    "👩\u200d🚀",
    "\ue000 private",
    "\uffff last of the basic plane",
    "\U00010000 first astral",
    "\U0010ffff",
    "e\u0301",
    "é",
    " ",
    "../../etc/passwd",
    "'; drop table events; --",
    "workspace_id=x",
    "-",
    "0",
    "İ",
    "x" * 128,
    "👩" * 128,
)
METADATA = (
    "null",
    "{}",
    '{"price":1.00,"huge":1e400,"tiny":1E-400,"zero":-0,"neg":-0.0}',
    '{"digits":' + "9" * 400 + ',"more":12345678901234567890}',
    '{"b":1,"a":2,"B":3,"":4}',
    '{"a":1,"a":{"b":[true,false,null]}}',
    '{"\\u00e9":"\\u00E9","\\ud83d\\ude00":"\\/\\b\\f\\n\\r\\t\\u0000\\u001F"}',
    '{"text":"\u2028 \u2029 \ufeff \x7f"}',
    '{ "spaced" : [ 1 , 2 ,\t{ } ] }',
    '{"deep":' + "[" * 127 + "]" * 127 + "}",
    '{"d":' * 128 + "1" + "}" * 128,
    '{"key":"' + "k" * 5000 + '"}',
)


def ordinary_records(rng: random.Random, cast: Cast, now_us: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield records that a product would log. A run gets up to two updates."""
    for number in range(count):
        record = make_record(rng, cast, f"evt_{number:06d}_{rng.getrandbits(40):010x}", draw_moment(rng, now_us))
        yield record
        if record["action"] == "workflow_run":
            yield from _update_run(rng, record)


def make_record(rng: random.Random, cast: Cast, identifier: str, moment_us: int) -> dict[str, Any]:
    """Make one record. The first workspaces get the most records."""
    action = rng.choice(ACTIONS)
    person = rng.choice(cast.people)
    workspace = cast.busy_workspaces[min(int(rng.expovariate(1)), len(cast.busy_workspaces) - 1)]
    record: dict[str, Any] = {
        "id": identifier,
        "workspace_id": rng.choice((workspace, workspace, workspace.upper())),
        "timestamp": write_stamp(moment_us, rng),
        "action": action,
        "kind": rng.choice((action, "workflow_execution", "")),
        "resource": {"type": rng.choice(("workflow", "voice", "")), "id": rng.choice((None, "r1")), "name": "N° 1"},
    }
    if rng.random() < 0.9:
        record["user"] = rng.choice(
            ({"id": person.id, "name": person.name}, {"name": "", "id": person.id.upper()}, None)
        )
    if rng.random() < 0.5:
        record["metadata"] = Raw(rng.choice(METADATA))
    if rng.random() < 0.5:
        record["ip"] = rng.choice((None, "203.0.113.9", "2001:db8::1", "not an address"))
    if rng.random() < 0.5:
        record["recorded_at"] = rng.choice((None, write_stamp(moment_us + rng.randrange(10**9), rng)))
    if action == "workflow_run" or rng.random() < 0.2:
        record["run"] = {"id": rng.choice(("run_1", "")), "status": rng.choice(STATUSES)}
    elif rng.random() < 0.2:
        record["run"] = None
    if rng.random() < 0.8:
        record["usage"] = _make_usage(rng)
    if rng.random() < 0.2:
        record["unknown"] = Raw('{"id":"other","usage":[1e5,NULL]}'.replace("NULL", "null"))
    return record


def _make_usage(rng: random.Random) -> dict[str, Any] | None:
    largest = rng.choice((3, 20, 1000, 1000, LIMIT))
    languages = []
    for _ in range(rng.choice((0, 1, 1, 2, 3, 7))):
        language: dict[str, Any] = {"locale": rng.choice((*LOCALES, *UNTAGGED))}
        for name in ("characters", "lines", "corrected"):
            if rng.random() < 0.8:
                language[name] = rng.choice((0, 1, largest, rng.randrange(largest + 1)))
        if rng.random() < 0.1:
            del language["locale"]
        languages.append(language)
    usage: dict[str, Any] = {"credits": rng.choice((0, 1, 7, largest, rng.randrange(largest + 1)))}
    usage |= {"audio_ms": rng.randrange(largest + 1), "languages": languages}
    for name in list(usage):
        if rng.random() < 0.1:
            del usage[name]
    if usage.get("languages") == []:
        usage["languages"] = rng.choice(([], None))
    return rng.choice((usage, usage, usage, usage, None)) if largest == 3 else usage


def _update_run(rng: random.Random, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield later versions of a run, all with the timestamp of the first."""
    recorded_us = read_instant(record.get("recorded_at") or record["timestamp"]) or 0
    for _ in range(rng.choice((0, 1, 2))):
        recorded_us += rng.randrange(1, 10**9)
        update = {**record, "recorded_at": write_stamp(recorded_us, rng), "usage": _make_usage(rng)}
        yield change(update, "run.status", rng.choice(STATUSES))


def edge_records(rng: random.Random, cast: Cast, now_us: int, run_start_us: int) -> Iterator[dict[str, Any]]:
    """Yield events at every edge of every awkward zone, and one microsecond before and after it."""
    for number, moment_us in enumerate(list_moments(now_us, run_start_us)):
        yield make_record(rng, cast, f"edge-{number}", moment_us)


def awkward_records(rng: random.Random, cast: Cast, now_us: int) -> Iterator[dict[str, Any]]:
    """Yield records with awkward ids at one instant, which the feed must sort, and with awkward metadata."""
    moment_us = now_us - 3_600_000_000
    for identifier in IDS:
        yield make_record(rng, cast, identifier, moment_us)
    for number, metadata in enumerate(METADATA):
        yield {**make_record(rng, cast, f"meta-{number}", moment_us), "metadata": Raw(metadata)}


def competing_versions(rng: random.Random, cast: Cast, records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield versions of records that tie at every level, and records with the same id in other days and workspaces."""
    for record in records:
        moment_us = read_instant(record["timestamp"]) or 0
        rival = {**record, "recorded_at": write_stamp(moment_us + 5, rng), "usage": {"credits": 5, "languages": []}}
        rival["run"] = {"id": "run_1", "status": "paused"}
        day_start_us = moment_us // 86_400_000_000 * 86_400_000_000
        for path, value in (
            ("run.status", "completed"),
            ("run.status", "cancelled"),
            ("usage.credits", 6),
            ("usage.credits", LIMIT),
            ("usage.languages", [{"locale": "de", "characters": 1}]),
            ("resource.name", "\uffff"),
            ("resource.name", "\U00010000"),
            ("resource.name", None),
            ("ip", None),
            ("recorded_at", DROP),
            ("recorded_at", write_stamp(moment_us - 10**12, rng)),
            ("timestamp", write_stamp(day_start_us, rng)),
            ("timestamp", write_stamp(min(day_start_us + 86_399_999_999, moment_us + 10**9), rng)),
            ("timestamp", write_stamp(day_start_us - 1, rng)),
            ("workspace_id", record["workspace_id"].swapcase()),
            ("workspace_id", rng.choice(cast.busy_workspaces)),
            ("run", None),
        ):
            if rng.random() < 0.4:
                yield change(rival, path, value)
