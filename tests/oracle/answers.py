"""The three answers of the API, computed from the current events, with one loop over the events for each question."""

import json
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from babel import Locale

from tests.oracle.days import (
    BUCKET_UNITS,
    RANGE_LABELS,
    Window,
    find_billing_period,
    list_buckets,
    list_compared,
    list_days,
)
from tests.oracle.events import STATUSES, Event
from tests.oracle.instants import read_instant, write_instant
from tests.oracle.loading import Log, read_log
from tests.oracle.pace import project

Row = Mapping[str, Any]
_ENGLISH = Locale("en")


@dataclass(frozen=True)
class Directory:
    """The rows of the three directory files. If a key is repeated, the last row counts."""

    members: Sequence[Row] = ()
    accounts: Sequence[Row] = ()
    api_keys: Sequence[Row] = ()


@dataclass
class Totals:
    """The sums over the events of a window."""

    credits: int = 0
    characters: int = 0
    corrected: int = 0
    lines: int = 0
    audio_ms: int = 0
    runs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))


class Oracle:
    """Computes every number that the service returns."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.bad_lines = log.bad_lines
        self.accounting = log.accounting
        self.events = list(log.events.values())
        self._by_workspace: dict[str, list[Event]] = {}
        for event in sorted(self.events, key=_timestamp):
            self._by_workspace.setdefault(event.workspace_id, []).append(event)

    def list_events(self, workspace: str, start_us: int, end_us: int) -> list[Event]:
        """Return the events of a window, oldest first."""
        events = self._by_workspace.get(workspace.lower(), [])
        first, end = (bisect_left(events, edge_us, key=_timestamp) for edge_us in (start_us, end_us))
        return events[first:end]

    def _total(self, workspace: str, start_us: int, end_us: int) -> Totals:
        totals = Totals()
        for event in self.list_events(workspace, start_us, end_us):
            totals.credits += event.credits
            totals.audio_ms += event.counted_audio_ms
            for amounts in event.languages.values():
                totals.characters += amounts.characters
                totals.corrected += amounts.corrected
                totals.lines += amounts.lines
            if event.action == "workflow_run" and event.run_status is not None:
                totals.runs[event.run_status] += 1
        return totals

    def summary(
        self, workspace: str, user: str, zone: str, range_: str, view: str, now_us: int, directory: Directory
    ) -> dict[str, Any]:
        """Return `data` of GET /api/v1/usage/summary."""
        return {
            "range": range_,
            "activity_view": view,
            "timezone": zone,
            "credits": self._own_credits(user, now_us, directory),
            "activity": self._activity_chart(workspace, zone, view, now_us),
            **self.used(workspace, list_days(zone, range_, now_us)),
        }

    def used(self, workspace: str, days: list[Window]) -> dict[str, Any]:
        """Return the totals of adjacent days, and each of the days."""
        whole = self._total(workspace, days[0].start_us, days[-1].end_us)
        return {
            "period": _period(days),
            "characters": {"total": whole.characters},
            "corrected": {"total": whole.corrected},
            "lines": {"total": whole.lines, "avg_chars_per_line": _divide(whole.characters, whole.lines, 1)},
            "audio": {"total_ms": whole.audio_ms},
            "runs": {"total": sum(whole.runs.values()), **whole.runs},
            "daily": [{"date": day.label, **self._point(workspace, day)} for day in days],
        }

    def amounts(self, workspace: str, start_us: int, end_us: int) -> dict[str, int]:
        """Return what was used in a window, with all runs as one number."""
        totals = self._total(workspace, start_us, end_us)
        return {**vars(totals), "runs": sum(totals.runs.values())}

    def comparison(
        self, workspace: str, zone: str, range_: str, now_us: int, as_of_us: int | None, kept_us: int = 0
    ) -> dict[str, Any]:
        """Return `data.comparison` of the summary, where everything before `kept_us` is erased."""
        return self.compare(workspace, list_compared(zone, range_, now_us, as_of_us), kept_us)

    def compare(self, workspace: str, windows: list[Window], kept_us: int = 0) -> dict[str, Any]:
        """Return what was used in two windows, the second of which may be erased."""
        rows = [
            {**_period([window]), **self.amounts(workspace, window.start_us, window.end_us)}
            for window in windows
            if window.start_us >= kept_us
        ]
        return {"current": rows[0], "previous": rows[1] if len(rows) > 1 else None}

    def pace(self, user: str, now_us: int, directory: Directory) -> dict[str, Any] | None:
        """Return `data.credits.pace` of the summary."""
        account = _find_account(user, directory)
        if account.get("credits_renewal") == "one_time":
            return None
        start_us, end_us = _find_period(account, now_us)
        used = self._own_credits(user, now_us, directory)["used"]
        return project(used, account.get("quota"), start_us, end_us, now_us)

    def by_language(
        self, workspace: str, zone: str, range_: str | None, view: str | None, now_us: int
    ) -> dict[str, Any]:
        """Return `data` of GET /api/v1/usage/by-language. If there is a view, the range does not matter."""
        range_ = None if view else range_ or "30d"
        windows = list_buckets(zone, view, now_us) if view else list_days(zone, str(range_), now_us)
        found = self.languages(workspace, windows)
        return {"range": range_, "activity_view": view, "timezone": zone, "period": _period(windows), **found}

    def languages(self, workspace: str, windows: list[Window]) -> dict[str, Any]:
        """Return what each language used in adjacent windows."""
        by_locale: dict[str | None, Totals] = {None: Totals()}
        for event in self.list_events(workspace, windows[0].start_us, windows[-1].end_us):
            for locale, credits_ in event.share_credits().items():
                by_locale.setdefault(locale, Totals()).credits += credits_
            for locale, amounts in event.languages.items():
                totals = by_locale.setdefault(locale, Totals())
                totals.characters += amounts.characters
                totals.corrected += amounts.corrected
                totals.lines += amounts.lines
        total_credits = sum(totals.credits for totals in by_locale.values())
        total_characters = sum(totals.characters for totals in by_locale.values())
        untagged_credits = by_locale.pop(None).credits
        rows = [
            {
                "locale_code": locale,
                "display_name": name_locale(str(locale)),
                "share": _divide(totals.credits, total_credits, 6)
                if total_credits
                else _divide(totals.characters, total_characters, 6) or 0.0,
                "credits": totals.credits,
                "characters": totals.characters,
                "corrected": totals.corrected,
                "lines": totals.lines,
                "allocation_basis": "characters",
            }
            for locale, totals in sorted(by_locale.items(), key=lambda item: (-item[1].credits, str(item[0])))
            if totals.credits or totals.characters or totals.corrected or totals.lines
        ]
        return {"languages": rows, "total_credits": total_credits, "untagged_credits": untagged_credits}

    def activity(
        self,
        workspace: str,
        zone: str,
        range_: str,
        now_us: int,
        *,
        action: str | None = None,
        user_id: str | None = None,
    ) -> list[dict[str, Any]]:
        """Return all matching events of GET /api/v1/usage/activity, newest first. A page is a slice of the list."""
        days = list_days(zone, range_, now_us)
        events = self.list_events(workspace, days[0].start_us, days[-1].end_us)
        events = [event for event in events if action is None or event.action == action]
        events = [event for event in events if user_id is None or event.user_id == user_id.lower()]
        events.sort(key=lambda event: (event.timestamp, event.id), reverse=True)
        return [_feed_item(event) for event in events]

    def _activity_chart(self, workspace: str, zone: str, view: str, now_us: int) -> dict[str, Any]:
        buckets = [
            {"label": window.label, **_period([window]), **self._point(workspace, window)}
            for window in list_buckets(zone, view, now_us)
        ]
        total = sum(bucket["credits"] for bucket in buckets)
        top = max(buckets, key=lambda bucket: bucket["credits"])  # of equal buckets, max returns the earliest
        peak = {"value": top["credits"], **{name: top[name] for name in ("label", "start", "end")}}
        return {
            "view": view,
            "bucket_unit": BUCKET_UNITS[view],
            "range_label": RANGE_LABELS[view],
            "total": total,
            "avg": _divide(total, len(buckets), 1),
            "peak": peak if total else None,
            "buckets": buckets,
        }

    def _point(self, workspace: str, window: Window) -> dict[str, Any]:
        totals = self._total(workspace, window.start_us, window.end_us)
        return {
            "credits": totals.credits,
            "characters": totals.characters,
            "lines": totals.lines,
            "runs": sum(totals.runs.values()),
        }

    def _own_credits(self, user: str, now_us: int, directory: Directory) -> dict[str, Any]:
        user, account = user.lower(), _find_account(user, directory)
        start_us, end_us = _find_period(account, now_us)
        listed_in = {row["workspace_id"].lower() for row in directory.members if row["user_id"].lower() == user}
        used = sum(
            event.credits
            for workspace in listed_in
            for event in self.list_events(workspace, start_us, end_us)
            if event.user_id == user
        )
        quota = account.get("quota")
        percent = _divide(100 * used, quota, 2) if quota else None
        return {"used": used, "quota": quota, "percent": None if percent is None else min(100.0, max(0.0, percent))}


def load(files: Mapping[str, bytes], run_start_us: int, forgotten: Collection[str] = ()) -> Oracle:
    """Load raw files into a fresh oracle, without some forgotten users."""
    return Oracle(read_log(files, run_start_us, forgotten))


def _find_account(user: str, directory: Directory) -> Row:
    found: Row = {}
    for row in directory.accounts:
        if row["user_id"].lower() == user.lower():
            found = row
    return found


def _find_period(account: Row, now_us: int) -> tuple[int, int]:
    anchor_text = account.get("period_anchor")
    anchor_us = None if anchor_text is None else read_instant(anchor_text)
    if account.get("credits_renewal") == "one_time":
        return anchor_us or 0, 2**63
    return find_billing_period(anchor_us, now_us)


def _timestamp(event: Event) -> int:
    return event.timestamp


def name_locale(tag: str) -> str:
    """Join the English CLDR names of a tag's parts. Return the tag itself if the CLDR does not know a part."""
    language, *parts = tag.split("-")
    names = []
    for part in parts:
        name = _ENGLISH.scripts.get(part.title()) or _ENGLISH.territories.get(part.upper())
        name = name or _ENGLISH.variants.get(part.upper())
        if name is None:
            return tag
        names.append(str(name))
    if language not in _ENGLISH.languages:
        return tag
    return str(_ENGLISH.languages[language]) + (f" ({', '.join(names)})" if names else "")


def _divide(amount: int, by: int, digits: int) -> float | None:
    """Round the exact quotient half to even. Return None for a division by zero."""
    return float(round(Fraction(amount, by), digits)) if by else None


def _period(windows: list[Window]) -> dict[str, str]:
    return {"start": write_instant(windows[0].start_us), "end": write_instant(windows[-1].end_us)}


def _feed_item(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "timestamp": write_instant(event.timestamp),
        "action": event.action,
        "kind": event.kind,
        "resource": {"type": event.resource_type, "id": event.resource_id, "name": event.resource_name},
        "user": None if event.user_id is None else {"id": event.user_id, "name": event.user_name},
        "metadata": None if event.metadata is None else json.loads(event.metadata),
        "ip": event.ip,
    }
