"""The three answers on a terminal: totals, a bar chart, languages, the newest events.

Takes what the published client returns. Prints with rich, which omits colours if the output is not a terminal.
"""

from datetime import datetime
from typing import Final

from onepin.types.usage_activity_out import UsageActivityOut
from onepin.types.usage_by_language_out import UsageByLanguageOut
from onepin.types.usage_summary_out import UsageSummaryOut
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_BAR_CELLS: Final = 40
_SHARE_CELLS: Final = 14
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_LANGUAGE_ROWS: Final = 12


def show_totals(console: Console, summary: UsageSummaryOut) -> None:
    """Print the totals of the range and the caller's own credits."""
    table = Table(
        title=f"Totals of {_span(summary.period.start, summary.period.end)}", title_justify="left", box=SIMPLE_HEAD
    )
    table.add_column("what")
    table.add_column("number", justify="right")
    runs, credit = summary.runs, summary.credits
    numbers = [
        ("characters", f"{summary.characters.total:,}"),
        ("lines", f"{summary.lines.total:,}"),
        (
            "characters a line",
            "-" if summary.lines.avg_chars_per_line is None else f"{summary.lines.avg_chars_per_line}",
        ),
        ("words corrected", "-" if summary.corrected is None else f"{summary.corrected.total:,}"),
        ("audio", f"{summary.audio.total_ms / 3_600_000:,.1f} h"),
        ("runs", f"{runs.total:,}"),
        ("  completed, failed, cancelled", f"{runs.completed:,}, {runs.failed:,}, {runs.cancelled:,}"),
        ("  running, pending, paused", f"{runs.running:,}, {runs.pending:,}, {runs.paused or 0:,}"),
        ("my credits in this billing period", f"{credit.used:,}"),
        ("  of my quota", "no quota" if credit.quota is None else f"{credit.quota:,} ({credit.percent} %)"),
    ]
    for name, number in numbers:
        table.add_row(name, number)
    console.print(table)


def show_activity(console: Console, summary: UsageSummaryOut) -> None:
    """Print one bar for each bucket of the activity view."""
    activity = summary.activity
    buckets = activity.buckets or []
    most = max((bucket.credits for bucket in buckets), default=0)
    table = Table(title=f"Credits, {activity.range_label.lower()}", title_justify="left", box=None)
    for header, justify in (
        ("", "left"),
        ("from (UTC)", "left"),
        ("", "left"),
        ("credits", "right"),
        ("runs", "right"),
    ):
        table.add_column(header, justify="right" if justify == "right" else "left", no_wrap=True)
    for bucket in buckets:
        bar = f"[cyan]{_bar(bucket.credits / most if most else 0, _BAR_CELLS)}[/]"
        table.add_row(bucket.label, f"{bucket.start:%m-%d %H:%M}", bar, f"{bucket.credits:,}", f"{bucket.runs:,}")
    console.print(table)
    peak = f", most in {activity.peak.label}: {activity.peak.value:,}" if activity.peak else ""
    console.print(f"total {activity.total:,}, {activity.avg:,} a {activity.bucket_unit}{peak}")


def show_languages(console: Console, usage: UsageByLanguageOut) -> None:
    """Print the languages with most credits and their shares."""
    languages = usage.languages or []
    table = Table(title="Languages", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("language", no_wrap=True, overflow="ellipsis")
    for header in ("share", "credits", "characters"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    most = max((row.share for row in languages), default=0)
    for row in languages[:_LANGUAGE_ROWS]:
        bar = f"[green]{_bar(row.share / most if most else 0, _SHARE_CELLS)}[/]"
        table.add_row(escape(row.display_name), f"{row.share:.1%}", f"{row.credits:,}", f"{row.characters:,}", bar)
    console.print(table)
    more = f"{len(languages) - _LANGUAGE_ROWS} more; " if len(languages) > _LANGUAGE_ROWS else ""
    console.print(f"{more}{usage.total_credits:,} credits in all, {usage.untagged_credits:,} of them without language")


def show_feed(console: Console, events: list[UsageActivityOut]) -> None:
    """Print the newest events."""
    table = Table(title="Newest events", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("when (UTC)", no_wrap=True)
    table.add_column("action", no_wrap=True)
    table.add_column("resource", no_wrap=True, overflow="ellipsis")
    table.add_column("who", no_wrap=True, overflow="ellipsis")
    for event in events:
        table.add_row(
            f"{event.timestamp:%m-%d %H:%M:%S}",
            escape(event.action),
            escape(event.resource.name or event.resource.type),
            escape(event.user.name) if event.user else "[dim]system[/]",
        )
    console.print(table)


def _bar(fraction: float, cells: int) -> str:
    """Draw a fraction of this many cells, to an eighth of a cell; anything above zero is visible."""
    eighths = max(round(fraction * cells * 8), 1 if fraction else 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _span(start: datetime, end: datetime) -> str:
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
