"""Few records that are awkward for every statement: ties at each level, shared ids, remainders, amounts of nothing.

They come in three files: an old one, which is stored, and two new ones.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from tests.support.data_folder import USER, WORKSPACE, record

OTHER: Final = "0b5e1c3a-0000-4000-8000-000000000001"  # sorts before WORKSPACE
ADA: Final = "c0000000-0000-4000-8000-00000000000a"
LARGEST: Final = 10**12
OLD, NEW, NEWER = "0-old.jsonl", "1-new.jsonl", "2-newer.jsonl"

Record = dict[str, Any]

# For each stored column that may differ between versions of equal rank, in the order of the canonical JSON: the fields
# of a version whose text is smaller, and of one whose text is greater.
_COLUMNS: Final[tuple[tuple[Record, Record], ...]] = (
    ({"action": "member_invited"}, {"action": "voice_generated"}),
    ({"audio_ms": 10}, {"audio_ms": 9}),
    ({"ip": "192.0.2.1"}, {"ip": None}),
    ({"kind": "a"}, {"kind": "\uffff"}),
    ({"languages": []}, {"languages": [{"locale": "de"}]}),
    ({"metadata": {"a": 1}}, {"metadata": {"a": 2}}),
    ({"resource_id": ""}, {"resource_id": None}),
    ({"resource_name": "\uffff"}, {"resource_name": "\U00010000"}),
    ({"resource_type": "v"}, {"resource_type": "w"}),
    ({"run_id": "r1"}, {"run_id": "r2"}),
    ({"timestamp": "10:00:00.1"}, {"timestamp": "10:00:00.2"}),
    ({"user_id": USER}, {"user_id": ADA}),
    ({"user_name": "A"}, {"user_name": "a"}),
)
# In the order of their canonical JSON: each key decides before the next one.
_LANGUAGES: Final[tuple[Record, ...]] = (
    {"locale": None, "characters": 6, "corrected": 9, "lines": 9},
    {"locale": "zu", "characters": 7, "corrected": 1, "lines": 9},
    {"locale": "zu", "characters": 7, "corrected": 2, "lines": 1},
    {"locale": "de", "characters": 7, "corrected": 2, "lines": 2},
    {"locale": None, "characters": 7, "corrected": 2, "lines": 2},
)
_STATUSES: Final = (None, "pending", "running", "paused", "completed", "failed", "cancelled")


def version(id_: str, day: str, **fields: Any) -> Record:
    """Return a version of an event at ten, recorded a minute later, by fields that are named like the columns."""
    named: Record = {
        "timestamp": "10:00:00",
        "resource_id": "v",
        "resource_name": "n",
        "resource_type": "t",
        "run_id": "r",
    }
    named |= {"user_id": USER, "user_name": "Ada", "status": "completed", "credits": 3, "audio_ms": 9, "languages": []}
    named |= fields
    taken = {name: named.pop(name) for name in ("credits", "audio_ms", "languages")}
    resource = {key: named.pop(f"resource_{key}") for key in ("id", "name", "type")}
    user = {key: named.pop(f"user_{key}") for key in ("id", "name")}
    run = {"id": named.pop("run_id"), "status": named.pop("status")}
    return record(
        id_,
        **{
            "recorded_at": f"{day}T10:01:00Z",
            "usage": taken,
            "resource": resource,
            "user": user,
            "run": run if run["status"] else None,
            **named,
            "timestamp": f"{day}T{named['timestamp']}Z",
        },
    )


def _rivals() -> Iterator[tuple[Record, Record]]:
    """Yield the fields of two versions that compete; the second one wins."""
    yield {"status": "cancelled", "credits": 9}, {"recorded_at": "2026-10-31T10:01:00.000001Z", "credits": 1}
    for worse, better in pairwise(_STATUSES):
        yield {"status": worse, "credits": 9}, {"status": better, "credits": 1}
    yield {"credits": 9, "kind": "z"}, {"credits": 10, "kind": "a"}
    for smaller, greater in pairwise(_LANGUAGES):
        yield {"languages": [smaller]}, {"languages": [greater]}
    for smaller, greater in _COLUMNS:
        yield smaller, greater
    for (smaller, greater), (next_smaller, next_greater) in pairwise(_COLUMNS):
        yield smaller | next_greater, greater | next_smaller


def _competing(day: str) -> Iterator[tuple[str, Record]]:
    """Yield versions with their files: the winner once in the old file and once in a new one."""
    for number, (loser, winner) in enumerate(_rivals()):
        for name, first, second in (("a", loser, winner), ("b", winner, loser)):
            yield OLD, version(f"{name}{number}", day, **first)
            yield NEW, version(f"{name}{number}", day, **second)
    for number, (kinds, files) in enumerate(
        (
            ("aza", (OLD, NEW, NEWER)),  # two of three are identical and lose
            ("zaz", (OLD, NEW, NEWER)),  # the stored one of identical winners counts
            ("azz", (OLD, NEW, NEWER)),  # the one that was listed first counts
            ("zz", (NEW, NEWER)),
            ("aa", (OLD, NEWER)),
        )
    ):
        for kind, file in zip(kinds, files, strict=True):
            yield file, version(f"same{number}", day, kind=kind)
    # The canonical JSON of the older version is the greatest of the three.
    yield OLD, version("three", day, kind="z", recorded_at=f"{day}T10:00:30Z")
    yield NEW, version("three", day, kind="m")
    yield NEWER, version("three", day, kind="n")


def _language(locale: str | None, characters: int, lines: int = 0, corrected: int = 0) -> Record:
    return {"locale": locale, "characters": characters, "lines": lines, "corrected": corrected}


_USAGES: Final[tuple[Record, ...]] = (
    {},
    {"credits": 5},
    {"credits": 5, "languages": [_language("de", 0, 2)]},
    {"credits": 5, "languages": [_language(None, 3)]},
    {"credits": 5, "languages": [_language("de", 3, 2, 1)]},
    {"credits": 0, "languages": [_language("de", 3, 2, 1)]},
    {"credits": 5, "languages": [_language("de", 0), _language("fr", 0, 7)]},
    {"credits": 10, "languages": [_language("de", 1), _language("fr", 1), _language("en", 1)]},
    {"credits": 11, "languages": [_language("de", 1), _language("fr", 1), _language("en", 1)]},
    {"credits": 1, "languages": [_language(None, 1), _language("zu", 1)]},
    {"credits": 1, "languages": [_language("de", 1), _language("fr", 2)]},
    {"credits": 7, "languages": [_language("de", 1, 9), _language("fr", 5, 0, 8), _language(None, 2)]},
    {"credits": 7, "languages": [_language("de", 0, 1), _language("fr", 5), _language("en", 0, 0, 1)]},
    {"credits": LARGEST, "languages": [_language("de", LARGEST), _language("fr", LARGEST - 1), _language("en", 7)]},
    {"credits": LARGEST, "languages": [_language("de", LARGEST)]},
    {"languages": [_language("de", 0, 0, 4)]},
    {"languages": [_language("de", 0, 4)]},
    {"audio_ms": 8},
    {"credits": 5, "audio_ms": 3, "languages": [_language("de", 3)]},
)


def _used(day: str) -> Iterator[Record]:
    """Yield events whose usage is shared out, each in a quarter-hour of its own, and again in one they share."""
    for number, usage in enumerate(_USAGES):
        yield record(f"u{number}", timestamp=f"{day}T{number // 4:02}:{number % 4 * 15 + 14}:59.999999Z", usage=usage)
        yield record(f"w{number}", timestamp=f"{day}T12:{number % 2 * 15:02}:00Z", usage=usage)


def _ran(day: str) -> Iterator[Record]:
    """Yield runs and events with a run in each status, in quarter-hours of their own."""
    for number, status in enumerate(_STATUSES[1:]):
        for action, hour in (("workflow_run", 14), ("voice_generated", 16)):
            fields = {"run": {"id": "r", "status": status}, "usage": {"audio_ms": number + 5, "credits": number % 2}}
            stamp = f"{day}T{hour + number // 4:02}:{number % 4 * 15:02}:00Z"
            yield record(f"{action}{status}", timestamp=stamp, action=action, **fields)
    usage = {"credits": 9, "languages": [_language("de", 3), _language("fr", 1)]}
    run = {"action": "workflow_run", "run": {"id": "r", "status": "failed"}}
    yield record("texts", timestamp=f"{day}T17:00:00Z", recorded_at=f"{day[:-1]}9T00:00:00Z", usage=usage, **run)
    yield record("quiet", timestamp=f"{day}T18:00:00Z", action="workflow_run", run={"id": "", "status": "pending"})


def files() -> dict[str, list[Record]]:
    """Return the records by file."""
    found: dict[str, list[Record]] = {OLD: [], NEW: [], NEWER: []}
    for file, item in _competing("2026-10-31"):
        found[file].append(item)
    # The next day has some of these ids again, with greater JSON, and so has another workspace, which recorded them
    # earlier, with smaller JSON. All are tied.
    repeated = [version(f"{name}{number}", "2026-11-01", kind="u") for name in "ab" for number in (0, 8, 9)]
    elsewhere = [
        {**item, "kind": "m", "workspace_id": OTHER, "recorded_at": "2026-11-01T10:00:59Z"} for item in repeated
    ]
    found[OLD] += [*repeated, *elsewhere]
    found[NEW] += [{**item, "kind": "n"} for item in elsewhere]
    # Nothing changes on this day: what comes again is the same, or older.
    found[NEWER] += repeated[:5]
    found[NEWER] += [{**repeated[5], "kind": "z", "recorded_at": "2026-11-01T10:00:00Z"}]
    # These days are stored, and only one of them gets more.
    for day in ("2026-11-02", "2026-11-05"):
        for workspace in (WORKSPACE, OTHER):
            found[OLD] += [{**item, "workspace_id": workspace} for item in (*_used(day), *_ran(day))][::5]
    found[NEW] += [record("more", timestamp="2026-11-02T23:59:59.999999Z", user={"id": ADA, "name": "Ada"})]
    found[OLD] += [{**version(f"o{number}", "2026-10-31"), "workspace_id": OTHER} for number in range(3)]
    # Its other day of that month has changes in WORKSPACE alone.
    found[NEW] += [{**record("before", timestamp="2026-10-30T10:00:00Z"), "workspace_id": OTHER}]
    found[OLD] += [version("ada", "2026-11-06", user_id=ADA)]  # all of a day
    found[NEWER] += [{**record("other", timestamp="2026-11-03T10:00:00Z"), "workspace_id": OTHER}]
    found[NEWER] += [*_used("2026-11-03"), *_ran("2026-11-03")]
    found[NEWER] += [version(f"t{number}", "2026-11-04", user_id=ADA) for number in (1, 10, 9)]
    found[NEWER] += [version("t2", "2026-11-04", timestamp=f"10:00:0{number}") for number in range(2)]
    return found
