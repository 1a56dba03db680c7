"""Records that come in portions, whole or not at all, so that an answer shows by itself whether it is torn.

A portion is what one user did in one workspace: as much today, ten and fifty days ago, in two months at least, loaded
by one run and forgotten by one. Of whatever lies in any window, each number is a known multiple of the credits.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from io import StringIO
from typing import Any, Final
from zlib import crc32

from pipeline.contract.calendar import DAY_US, rfc3339

Data = Mapping[str, Any]

PART_CREDITS: Final = 4  # of a portion, at each of its times
PART_EVENTS: Final = 2
PARTS: Final = 3
_CREDITS: Final = PART_CREDITS // PART_EVENTS
_TIMES: Final = ((0, 2), (10, 3), (50, 5))  # days ago and how many to choose from
_NEWEST_DAYS: Final = 5  # hold today's part, in every zone
_MIDDLE_DAYS: Final = 30  # hold the part of ten days ago too
_SPREAD_US: Final = 3_600_000_000
_OLD: Final = (200, 20)  # so long ago that retention takes it


class TornError(AssertionError):
    """Raised when numbers do not agree that always agree."""


def portion(workspace_id: str, user_id: str, name: str, now: int, *, old: bool = False) -> Iterator[bytes]:
    """Yield the lines of a portion, or of as much that is so old that no range reaches it.

    Args:
        workspace_id: where.
        user_id: who.
        name: no other portion's in this workspace.
        now: when it is written, in microseconds UTC.
        old: whether it is of the second kind.
    """
    chance = crc32(name.encode())
    for part, (ago, spread) in enumerate([_OLD] if old else _TIMES):
        moment = now - (ago + chance % spread) * DAY_US - 1 - chance % _SPREAD_US
        for number, locale in enumerate(("de-DE", None)):
            yield json.dumps(_record(workspace_id, user_id, f"{name}.{part}.{number}", moment, locale)).encode() + b"\n"


def _record(workspace_id: str, user_id: str, event_id: str, moment: int, locale: str | None) -> dict[str, Any]:
    used = {"locale": locale, "characters": 10 * _CREDITS, "lines": 3 * _CREDITS, "corrected": _CREDITS}
    return {
        "id": event_id,
        "workspace_id": workspace_id,
        "timestamp": rfc3339(moment),
        "action": "workflow_run",
        "kind": "workflow_execution",
        "resource": {"type": "workflow", "id": "w1", "name": "Übersetzung; =1+1"},
        "user": {"id": user_id, "name": "Ada"},
        "metadata": {"portion": event_id},
        "run": {"id": event_id, "status": "completed"},
        "usage": {"credits": _CREDITS, "audio_ms": 100 * _CREDITS, "languages": [used]},
    }


def agree(what: str, *numbers: object) -> None:
    """Demand that numbers are the same.

    Raises:
        TornError: they are not.
    """
    if any(number != numbers[0] for number in numbers):
        raise TornError(f"{what}: {', '.join(map(str, numbers))}")


def examine_summary(data: Data) -> int:
    """Demand that a summary agrees with itself; return the credits of its range."""
    daily, activity = data["daily"], data["activity"]
    agree("days", len(daily), int(data["range"][:-1]))
    agree("dates in order", [row["date"] for row in daily], sorted({row["date"] for row in daily}))
    for row in (*daily, *activity["buckets"]):
        agree("row", row["credits"] * 10, row["characters"])
        agree("row", row["credits"] * 3, row["lines"])
        agree("row", row["credits"], row["runs"] * _CREDITS)
    used: int = sum(row["credits"] for row in daily)
    agree("characters", used * 10, data["characters"]["total"])
    agree("lines", used * 3, data["lines"]["total"])
    agree("corrected", used, data["corrected"]["total"])
    agree("audio", used * 100, data["audio"]["total_ms"])
    agree("runs", used, data["runs"]["total"] * _CREDITS, data["runs"]["completed"] * _CREDITS)
    agree("activity", activity["total"], sum(row["credits"] for row in activity["buckets"]))
    agree("peak", (activity["peak"] or {"value": 0})["value"], max(row["credits"] for row in activity["buckets"]))
    _whole([row["credits"] for row in daily])
    return used


def examine_languages(data: Data) -> int:
    """Demand that usage by language agrees with itself; return all of its credits."""
    used = data["total_credits"]
    agree("languages", [row["locale_code"] for row in data["languages"]], ["de-de"] if used else [])
    for row in data["languages"]:
        agree("language", row["credits"] * 2, data["untagged_credits"] * 2, used)
        agree("language", row["credits"] * 10, row["characters"])
        agree("language", row["credits"] * 3, row["lines"])
        agree("language", row["credits"], row["corrected"])
        agree("share", row["share"], 0.5)
    return int(used)


def examine_sheet(text: str, range_: str) -> int:
    """Demand that the CSV of a summary's days agrees with itself; return their credits."""
    rows = list(csv.DictReader(StringIO(text.removeprefix("\ufeff"))))
    agree("rows", len(rows), int(range_[:-1]))
    for row in rows:
        agree("row", int(row["credits"]) * 10, int(row["characters"]))
        date.fromisoformat(row["date"])
    credits_by_day = [int(row["credits"]) for row in rows]
    _whole(credits_by_day)
    return sum(credits_by_day)


def whole_portions(events: Iterable[Data]) -> set[str]:
    """Return which portions are among the events whole; whether each event is there once is not asked."""
    parts = Counter(event["id"].split(".")[0] for event in events)
    return {name for name, number in parts.items() if number == PARTS * PART_EVENTS}


def _whole(credits_by_day: list[int]) -> None:
    """Demand that of every portion all parts are there that the days reach."""
    newest = sum(credits_by_day[-_NEWEST_DAYS:])
    agree("whole portions", newest % PART_CREDITS, 0)
    agree("parts of ten days ago", newest, sum(credits_by_day[-_MIDDLE_DAYS:-_NEWEST_DAYS]))
    if len(credits_by_day) > _MIDDLE_DAYS:
        agree("parts of fifty days ago", newest, sum(credits_by_day[:-_MIDDLE_DAYS]))
