"""The questions that every engine is asked, and a common form of its answers, to compare them number by number.

Pure. A question contains its local days as instants, from this project's calendar. What changes when an engine uses its
own zone data is measured separately (`zones` of `benchmarks.steps`).

    UnequalError  an engine's answer is not the expected one
"""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any, Final, Literal

import msgspec

from pipeline.contract import calendar
from pipeline.contract.calendar import Range, View
from pipeline.contract.tables import MEASURES, STATUSES

Kind = Literal["summary", "by_language", "feed"]
Row = Sequence[Any]
Raw = bytes | Sequence[Row]  # a JSON document, or the rows of a statement

ZONES: Final = ("UTC", "America/New_York", "Asia/Kathmandu")
LIMIT: Final = 20
_TOTALS: Final = ("characters", "lines", "corrected", "audio_ms")
_NUMBERS: Final = ("credits", "characters", "lines", "runs")
_LANGUAGE: Final = ("locale_code", "credits", "characters", "lines", "corrected")
_EVENT: Final = ("id", "timestamp", "action", "kind", "resource", "user", "metadata", "ip")


class UnequalError(AssertionError):
    """Raised when an engine's answer is not the expected one; then nothing is timed."""


class Question(msgspec.Struct, frozen=True):
    """One question about one workspace.

    `instants`, in microseconds UTC, are all boundaries of a summary's days and buckets, or the start and the end of any
    other question's window.
    """

    kind: Kind
    name: str  # its heading in tables
    workspace_id: str
    timezone: str
    range: Range
    view: View
    today: date
    instants: tuple[int, ...]
    after: tuple[int, str] | None = None  # (microseconds UTC, id): the feed's page starts after this event

    @property
    def start(self) -> int:
        """Return the start of its window, in microseconds UTC."""
        return self.instants[0]

    @property
    def end(self) -> int:
        """Return the end of its window, in microseconds UTC."""
        return self.instants[-1]


def summary(workspace_id: str, zone: str, range_: Range, view: View, now: int, name: str = "summary") -> Question:
    """Return the question for the totals, days and buckets of a workspace."""
    today = calendar.today(zone, now)
    buckets = calendar.view_buckets(zone, view, today)
    instants = {*calendar.range_days(zone, range_, today), *(bucket.start for bucket in buckets), buckets[-1].end}
    return Question("summary", name, workspace_id, zone, range_, view, today, tuple(sorted(instants)))


def by_language(workspace_id: str, zone: str, range_: Range, now: int, name: str = "by language") -> Question:
    """Return the question for usage by language."""
    today = calendar.today(zone, now)
    days = calendar.range_days(zone, range_, today)
    return Question("by_language", name, workspace_id, zone, range_, "daily", today, (days[0], days[-1]))


def feed(
    workspace_id: str,
    zone: str,
    range_: Range,
    now: int,
    *,
    after: tuple[int, str] | None = None,
    name: str = "feed, first page",
) -> Question:
    """Return the question for a page of events, newest first."""
    today = calendar.today(zone, now)
    days = calendar.range_days(zone, range_, today)
    return Question("feed", name, workspace_id, zone, range_, "daily", today, (days[0], days[-1]), after)


def usual(workspace_id: str, now: int, deep: tuple[int, str]) -> list[Question]:
    """Return the questions about one workspace in each of `ZONES`; `deep` is an event in the middle of 90 days."""
    return [
        question
        for zone in ZONES
        for question in (
            summary(workspace_id, zone, "30d", "daily", now, "summary, 30 days"),
            summary(workspace_id, zone, "90d", "monthly", now, "summary, 12 months"),
            by_language(workspace_id, zone, "30d", now, "by language, 30 days"),
            feed(workspace_id, zone, "30d", now, name="feed, first page"),
            feed(workspace_id, zone, "90d", now, after=deep, name="feed, deep page"),
        )
    ]


def every_zone(workspace_id: str, now: int) -> list[Question]:
    """Return the question for the summary of a workspace in every known zone."""
    return [summary(workspace_id, zone, "90d", "weekly", now) for zone in sorted(calendar.zone_names())]


def document(question: Question, raw: Raw) -> Any:
    """Return an answer in the common form."""
    if isinstance(raw, bytes):
        return _of_json(question, msgspec.json.decode(raw))
    return {"summary": _summary, "by_language": _by_language, "feed": _feed}[question.kind](question, raw)


def require_equal(question: Question, engine: str, answer: Any, expected: Any) -> None:
    """Check that an engine's answer, in the common form, is the expected one.

    Raises:
        UnequalError: it is not.
    """
    if answer != expected:
        raise UnequalError(f"{engine} answers {question} with\n{answer}\ninstead of\n{expected}")


def _of_json(question: Question, body: Any) -> Any:
    data = body["data"]
    if question.kind == "summary":
        return {
            "daily": [[row[name] for name in _NUMBERS] for row in data["daily"]],
            "buckets": [[row[name] for name in _NUMBERS] for row in data["activity"]["buckets"]],
            **{name: data[name]["total"] for name in ("characters", "lines", "corrected")},
            "audio_ms": data["audio"]["total_ms"],
            "runs": [data["runs"][status] for status in STATUSES],
        }
    if question.kind == "by_language":
        return {
            "languages": [[row[name] for name in _LANGUAGE] for row in data["languages"]],
            "untagged": data["untagged_credits"],
            "total": data["total_credits"],
        }
    return {"events": data, "more": body["pagination"]["next"] is not None}


def _summary(question: Question, rows: Sequence[Row]) -> Any:
    """Add up rows of (window, measures…); window k lies between instants k and k + 1 of the question."""
    none = (0,) * len(MEASURES)
    used = {window: tuple(map(int, numbers)) for window, *numbers in rows}
    place = {instant: number for number, instant in enumerate(question.instants)}

    def between(start: int, end: int) -> dict[str, int]:
        columns = zip(*(used.get(window, none) for window in range(place[start], place[end])), strict=True)
        return dict(zip(MEASURES, map(sum, columns), strict=True)) if start < end else dict.fromkeys(MEASURES, 0)

    def row(start: int, end: int) -> list[int]:
        sums = between(start, end)
        runs = sum(sums[f"runs_{status}"] for status in STATUSES)
        return [sums["credits"], sums["characters"], sums["lines"], runs]

    days = calendar.range_days(question.timezone, question.range, question.today)
    buckets = calendar.view_buckets(question.timezone, question.view, question.today)
    totals = between(days[0], days[-1])
    return {
        "daily": [row(*day) for day in pairwise(days)],
        "buckets": [row(bucket.start, bucket.end) for bucket in buckets],
        **{name: totals[name] for name in _TOTALS},
        "runs": [totals[f"runs_{status}"] for status in STATUSES],
    }


def _by_language(_: Question, rows: Sequence[Row]) -> Any:
    """Order rows of (locale, credits, characters, lines, corrected), most credits first."""
    used = [[locale, *map(int, numbers)] for locale, *numbers in rows]
    return {
        "languages": sorted(
            (row for row in used if row[0] is not None and any(row[1:])), key=lambda row: (-row[1], row[0])
        ),
        "untagged": sum(row[1] for row in used if row[0] is None),
        "total": sum(row[1] for row in used),
    }


def _feed(_: Question, rows: Sequence[Row]) -> Any:
    """Turn rows of (id, microseconds UTC, action, kind, resource and user columns, metadata, ip) into one page."""
    events = []
    for id_, timestamp, action, kind, type_, resource_id, resource_name, user_id, user_name, metadata, ip in rows[
        :LIMIT
    ]:
        resource = {"type": type_, "id": resource_id, "name": resource_name}
        user = None if user_id is None else {"id": user_id, "name": user_name}
        decoded = None if metadata is None else msgspec.json.decode(metadata)
        columns = (id_, calendar.rfc3339(timestamp), action, kind, resource, user, decoded, ip)
        events.append(dict(zip(_EVENT, columns, strict=True)))
    return {"events": events, "more": len(rows) > LIMIT}
