"""`usage report`: what one workspace used, to be printed or sent, as HTML, CSV or JSON."""

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.commands.exit_codes import FAILED
from pipeline.commands.interrupts import interruptible
from pipeline.commands.options import add_data_dir, add_now, instant, refuse, settings
from pipeline.commands.parser import Parser, one_of
from pipeline.streams import note, show

if TYPE_CHECKING:
    from pipeline.contract.calendar import Range
    from service.report.report import Question

FORMATS = ("html", "csv", "json")
RANGES = ("30d", "60d", "90d")
_FIRST_MONTH = "2011-01"  # no event is older
_is_month = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])").fullmatch


def options(parser: Parser) -> None:
    """Add the options of `usage report`."""
    parser.add_argument("--workspace", required=True, metavar="UUID", help="The workspace.")
    parser.add_argument(
        "--zone", default="UTC", metavar="ZONE", help="Its IANA time zone, e.g. Europe/Berlin (default: UTC)."
    )
    parser.add_argument(
        "--range",
        dest="range_",
        type=one_of(RANGES),
        metavar="|".join(RANGES),
        help="Days, the last of which is today (default: 30d).",
    )
    parser.add_argument("--month", metavar="YYYY-MM", help="A calendar month instead.")
    parser.add_argument(
        "--format",
        dest="format_",
        default="html",
        type=one_of(FORMATS),
        metavar="|".join(FORMATS),
        help="Format of the report (default: html).",
    )
    parser.add_argument(
        "--output", type=Path, metavar="PATH", help="Write to this file instead of stdout; CSV to files in this folder."
    )
    parser.add_argument("--force", action="store_true", help="Let --output replace existing files.")
    add_data_dir(parser)
    add_now(parser)


def command(
    *,
    workspace: str,
    zone: str,
    range_: "Range | None",
    month: str | None,
    format_: Literal["html", "csv", "json"],
    output: Path | None,
    force: bool,
    data_dir: str | None,
    now: str | None,
) -> None:
    """Report what a workspace used, to be printed or sent, with the API's numbers.

    Today is the day of the data, so that the same data give the same report.

    Example: usage report --workspace UUID --zone Europe/Berlin --month 2026-10 --output october.html

    Exit codes: 0 done; 1 nothing is published, the tables cannot be read, or the report cannot be written; 2 wrong
    options, no such workspace, or a month that has not begun or is not kept.
    """
    from pipeline.commands import target
    from pipeline.contract.directory import DirectoryError
    from pipeline.contract.location import Location
    from service.report import files
    from service.report.report import QuestionError, read
    from service.tables.source import StoreError
    from service.telemetry.logs import configure_logs

    found = settings(data_dir=data_dir)
    if isinstance(found.data, Path) and not found.data.is_dir():
        refuse(f"{found.data}: no such folder")
    question = _question(workspace, zone, range_, month, now)
    _check_output(output, format_, force=force)
    if isinstance(found.data, Location):
        configure_logs()  # of what goes wrong with the store, on stderr
    with interruptible():
        try:
            answer = read(found, question)
        except QuestionError as error:
            refuse(str(error))
        except (StoreError, DirectoryError) as error:
            note(f"error: {error}")
            raise SystemExit(FAILED) from None
        if format_ == "csv":
            _write_tables(files.tables(answer), output or Path(), force=force)
        elif output is None or target.is_stdout(output):
            show(files.content(answer, format_).decode(), end="")
        else:
            _write(output, files.content(answer, format_))


def _question(workspace: str, zone: str, range_: "Range | None", month: str | None, now: str | None) -> "Question":
    """Return what a report is asked for; exit 2 if the options do not say it."""
    from pipeline.contract import formats
    from pipeline.contract.calendar import zone_names
    from service.report.report import Question

    if month is not None and range_ is not None:
        refuse("--month and --range exclude each other")
    try:
        workspace_id = formats.uuid(workspace)
    except formats.FormatError:
        refuse(f"--workspace must be a UUID, not {workspace!r}")
    if zone not in zone_names():
        refuse(f"--zone must be an IANA time zone name such as Europe/Berlin (case-sensitive), not {zone!r}")
    if month is not None and (not _is_month(month) or month < _FIRST_MONTH):
        refuse(f"--month must be a month such as 2026-10, from {_FIRST_MONTH} on, not {month!r}")
    moment = None if now is None else instant(now)
    if now is not None and not "2011" <= now[:4] < "3000":  # far from the ends of what dates can be
        refuse(f"--now must be in the years 2011 to 2999, not {now!r}")
    return Question(
        workspace_id=workspace_id,
        timezone=zone,
        range=None if month else range_ or "30d",
        month=date.fromisoformat(f"{month}-01") if month else None,
        now=moment,
    )


def _check_output(output: Path | None, format_: str, *, force: bool) -> None:
    """Exit 2 if a report must not go there."""
    from pipeline.commands import target

    if output is None:
        if force:
            refuse("--force needs --output")
        if format_ == "csv":
            refuse("--format csv needs --output, the folder of its files")
    elif format_ != "csv":
        target.check(output, force=force)
    elif output.exists() and not output.is_dir():
        refuse(f"{output} is a file; with --format csv, name a folder")


def _write_tables(tables: dict[str, bytes], folder: Path, *, force: bool) -> None:
    """Write CSV files into a folder, which is made if it is missing; exit 2 if that would replace one."""
    from pipeline.commands import target

    folder.mkdir(parents=True, exist_ok=True)
    for name in tables:
        target.check(folder / name, force=force)
    for name, content in tables.items():
        _write(folder / name, content)


def _write(path: Path, content: bytes) -> None:
    from pipeline.storage import destination

    with destination.opened(path) as file:
        file.write(content)
