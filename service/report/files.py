"""A report as the content of files: one of HTML or JSON, or one of CSV for each table.

Pure: a report in, bytes out. The languages and the days of the CSV are those of the API.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from service.api import csv_tables
from service.api.comparison import Elapsed
from service.report.report import Report

Format = Literal["html", "csv", "json"]

_TOTALS: Final = "usage-totals"
_WINDOW: Final = "window"


def content(report: Report, format_: Literal["html", "json"]) -> bytes:
    """Return a report as one file."""
    if format_ == "json":
        return msgspec.json.format(msgspec.json.encode(report)) + b"\n"
    # The template library takes a while to be imported.
    from service.report import rendering  # noqa: PLC0415

    return rendering.render(report)


def tables(report: Report) -> dict[str, bytes]:
    """Return a report as CSV files, by name."""
    languages = csv_tables.language_rows(report.languages, report.total_credits, report.untagged_credits)
    found = (
        (_TOTALS, (_WINDOW, *Elapsed.__struct_fields__), _totals(report)),
        (csv_tables.DAYS.name, csv_tables.DAYS.columns, map(msgspec.structs.astuple, report.daily)),
        (csv_tables.LANGUAGES.name, csv_tables.LANGUAGES.columns, languages),
    )
    return {f"{name}.csv": csv_tables.encode(columns, rows) for name, columns, rows in found}


def _totals(report: Report) -> Iterator[Sequence[object]]:
    """Yield the whole period, and the windows that are compared."""
    yield (
        *("period", report.period.start, report.period.end, report.total_credits, report.characters.total),
        *(report.corrected.total, report.lines.total, report.audio.total_ms, report.runs.total),
    )
    for name in report.comparison.__struct_fields__:
        window = getattr(report.comparison, name)
        if window is not None:
            yield name, *msgspec.structs.astuple(window)
