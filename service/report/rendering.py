"""A report as one HTML file, which needs nothing else to be shown, sent or printed: no script, no font, no network.

Reads the template and the style beside it. The template escapes every text that it is given.
"""

from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from pipeline.contract.formats import instant
from service.api.comparison import Comparison, Elapsed
from service.api.envelope import quotient
from service.report import words
from service.report.chart import draw
from service.report.report import Report

_TEMPLATE: Final = "report.html"


class Tile(NamedTuple):
    """One total. `change` is against the window before; empty if there is none."""

    name: str
    value: str
    change: str
    more: str = ""


def render(report: Report) -> bytes:
    """Return the HTML of a report."""
    text = _template().render(_shown(report))
    return text.encode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": words.number, "percent": words.percent}
    return environment.get_template(_TEMPLATE)


def _shown(report: Report) -> dict[str, Any]:
    """Return what the template shows."""
    days = [date.fromisoformat(day.date) for day in report.daily]
    return {
        "report": report,
        "title": _title(report, days),
        "span": words.span(days[0], days[-1]),
        "is_running": instant(report.period.end) > instant(report.timestamp),
        "data_as_of": report.data_as_of and _local(report, report.data_as_of),
        "first_kept_day": report.first_kept_day and words.day(report.first_kept_day),
        "tiles": _tiles(report),
        "compared": _compared(report, days),
        "chart": draw([day.credits for day in report.daily], list(map(words.short_day, days))),
        "chart_sentence": _sentence(report, days),
        "days": [(words.day(when), day) for when, day in zip(days, report.daily, strict=True)],
        "untagged_share": quotient(report.untagged_credits, report.total_credits, 6) if report.total_credits else 0.0,
    }


def _title(report: Report, days: list[date]) -> str:
    """Return when the report is of, as it follows the workspace in the title."""
    if report.month is not None:
        return f"in {words.month(days[0])}"
    return f"in the {len(days)} days to {words.day(days[-1])}"


def _tiles(report: Report) -> list[Tile]:
    runs, average = report.runs, report.lines.avg_chars_per_line
    states = [
        (runs.completed, "completed"),
        (runs.failed, "failed"),
        (runs.cancelled, "cancelled"),
        (runs.running + runs.pending + runs.paused, "open"),
    ]

    changed = partial(_change, report.comparison)

    return [
        Tile("Credits", words.number(report.total_credits), changed("credits")),
        Tile("Characters", words.number(report.characters.total), changed("characters")),
        Tile(
            "Lines",
            words.number(report.lines.total),
            changed("lines"),
            "" if average is None else f"{words.decimal(average)} characters per line",
        ),
        Tile(
            "Runs",
            words.number(runs.total),
            changed("runs"),
            ", ".join(f"{words.number(count)}\u00a0{state}" for count, state in states if count),
        ),
        Tile("Audio, hours", words.hours(report.audio.total_ms), changed("audio_ms")),
        Tile("Corrected", words.number(report.corrected.total), changed("corrected")),
    ]


def _change(compared: Comparison, name: str) -> str:
    if compared.previous is None or _is_empty(compared.current):
        return ""
    now, before = getattr(compared.current, name), getattr(compared.previous, name)
    change = words.change(now, before)
    if now == before:
        return change
    return f"{change} from {words.hours(before) if name == 'audio_ms' else words.number(before)}"


def _compared(report: Report, days: list[date]) -> str:
    """Return what the changes are against."""
    current, previous = report.comparison.current, report.comparison.previous
    if previous is None:
        return "Nothing to compare with: earlier days are not kept."
    if _is_empty(current):
        return "Nothing to compare yet."
    before = f"the {len(days)} days before"
    if report.month is not None:
        before = words.month(days[0] - timedelta(days=1))
    if current.end == report.period.end:
        return f"Changes compare with {before}."
    return (
        f"Changes compare the time up to {_local(report, current.end)} with the same part of {before},"
        f" up to {_local(report, previous.end)}."
    )


def _is_empty(window: Elapsed) -> bool:
    return window.start == window.end


def _sentence(report: Report, days: list[date]) -> str:
    """Return what the chart shows, for those who do not see it."""
    used = [day.credits for day in report.daily]
    text = f"Credits by day, {words.span(days[0], days[-1])}: {words.number(report.total_credits)} in all"
    if not any(used):
        return text
    return f"{text}, most on {words.day(days[used.index(max(used))])} with {words.number(max(used))}"


def _local(report: Report, moment: str) -> str:
    return words.instant(report.timezone, instant(moment))
