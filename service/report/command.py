"""`usage report`: what one workspace used, to be printed or sent, as HTML, CSV or JSON."""

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.commands.app import app
from pipeline.commands.exit_codes import FAILED
from pipeline.commands.interrupts import interruptible
from pipeline.commands.options import DataDir, Now, instant, refuse, settings

if TYPE_CHECKING:
    from pipeline.contract.calendar import Range
    from service.report.report import Question

_FIRST_MONTH = "2011-01"  # no event is older
_is_month = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])").fullmatch


@app.command()
def report(
    workspace: Annotated[str, typer.Option(metavar="UUID", help="The workspace.", show_default=False)],
    zone: Annotated[str, typer.Option(metavar="NAME", help="IANA zone whose days count, e.g. Europe/Berlin.")] = "UTC",
    range_: Annotated[
        Literal["30d", "60d", "90d"] | None,
        typer.Option("--range", help="Days, the last of which is today.", show_default="30d"),
    ] = None,
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="A calendar month instead.", show_default=False)
    ] = None,
    format_: Annotated[Literal["html", "csv", "json"], typer.Option("--format", help="Format of the report.")] = "html",
    output: Annotated[
        Path | None,
        typer.Option(help="Write to this file instead of stdout; CSV to files in this folder.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --output replace existing files.")] = False,
    data_dir: DataDir = None,
    now: Now = None,
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
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(FAILED) from None
        if format_ == "csv":
            _write_tables(files.tables(answer), output or Path(), force=force)
        elif output is None or target.is_stdout(output):
            typer.echo(files.content(answer, format_), nl=False)
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
