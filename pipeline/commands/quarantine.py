"""`usage quarantine`: count, show, export and retry rejected lines."""

import json
import os
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.app import app
from pipeline.commands.exit_codes import FAILED
from pipeline.commands.options import DataDir, Now, instant, refuse, settings
from pipeline.commands.outcome import load

if TYPE_CHECKING:
    from pipeline.quarantine import Quarantine, Rejected
    from pipeline.storage.store import Store

_LINE_NUMBER_MAX = 2**63 - 1
_WIDTH = 120  # of a line, if the terminal's width is unknown


@app.command()
def quarantine(
    reason: Annotated[str | None, typer.Option(help="Only lines with this reason code.", show_default=False)] = None,
    file: Annotated[
        str | None, typer.Option(help="Only lines of this file, relative to raw/.", show_default=False)
    ] = None,
    show: Annotated[
        str | None, typer.Option(metavar="FILE:LINE", help="Show one rejected line in full.", show_default=False)
    ] = None,
    list_lines: Annotated[bool, typer.Option("--list", help="List the lines, newest file first.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="With --list: at most this many lines.", show_default=False)
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Write the raw lines to a file, pipe or device; - is stdout.", show_default=False
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --export: replace an existing file.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Validate the lines again; load the good ones.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON; with --list JSON Lines of all columns.")] = False,
    data_dir: DataDir = None,
    now: Now = None,
) -> None:
    """Show how many lines were rejected, and why.

    With an option, show the lines. --export writes them byte for byte as they were in the raw file; correct them
    and drop them into raw/ under a new name.

    Exit codes: 0 done, even if nothing is in quarantine; 1 a file of the quarantine cannot be read, the others are
    shown; 2 wrong options, no such line, or the export's file exists; with --retry those of `usage run`.
    """
    from pipeline.quarantine import Quarantine
    from pipeline.storage.opened import open_store

    _check(reason, limit, force=force, list_lines=list_lines, show=show, export=export, retry=retry, as_json=as_json)
    found_settings = settings(data_dir=data_dir)
    with open_store(found_settings) as store:
        if retry:
            from pipeline.load.discovery import Retry

            load(found_settings, instant(now), retry=Retry(reason, _named(store, file)))
            return
        if show is not None:
            if reason is not None or file is not None:
                refuse("--show names one line: leave out --reason and --file")
            file, number = _place(show)
            found = Quarantine(store, file=_named(store, file))
            _show(found, file, number, as_json=as_json)
        else:
            found = Quarantine(store, reason=reason, file=_named(store, file))
            if list_lines:
                _list(found, limit, as_json=as_json)
            elif export is not None:
                _export(found, export, force=force)
            else:
                _summarise(found, as_json=as_json)
        _report_failures(found)


def _check(
    reason: str | None,
    limit: int | None,
    *,
    force: bool,
    list_lines: bool,
    show: str | None,
    export: str | None,
    retry: bool,
    as_json: bool,
) -> None:
    """Exit 2 if the options do not go together."""
    from typing import get_args

    from pipeline.validation.records import Reason

    if reason is not None and reason not in get_args(Reason):
        refuse(f"--reason must be one of {', '.join(get_args(Reason))}, not {reason!r}")
    if (show is not None) + list_lines + (export is not None) + retry > 1:
        refuse("--show, --list, --export and --retry exclude each other: give one of them")
    if limit is not None and not list_lines:
        refuse("--limit needs --list")
    if force and export is None:
        refuse("--force needs --export")
    if as_json and (retry or export is not None):
        refuse("--json does not go with --export and --retry")


def _place(text: str) -> tuple[str, int]:
    """Return the file and the line number of `FILE:LINE`; the name of a file may contain colons."""
    file, _, number = text.rpartition(":")
    # The quarantine stores line numbers in 64 bits; a longer text is refused before `int` has to parse it.
    is_number = number.isascii() and number.isdigit() and len(number) <= len(str(_LINE_NUMBER_MAX))
    if not file or not is_number or int(number) > _LINE_NUMBER_MAX:
        refuse(f"--show needs FILE:LINE such as logs/a.jsonl:3, not {text!r}")
    return file, int(number)


def _named(store: "Store", file: str | None) -> str | None:
    """Return a raw file's name as the quarantine stores it, from that name itself or from the name on disk."""
    from pipeline.contract.tables import quarantine_path
    from pipeline.load.raw_names import escape

    return file if file is None or store.exists(quarantine_path(file)) else escape(os.fsencode(file))


def _show(found: "Quarantine", file: str, number: int, *, as_json: bool) -> None:
    from pipeline.contract.calendar import rfc3339
    from pipeline.contract.text import printable
    from pipeline.terminal import aligned

    rejected = found.line(number)
    if rejected is None:
        _report_failures(found)
        refuse(f"line {number} of {printable(file)} is not in quarantine; `usage quarantine --list` lists what is")
    if as_json:
        typer.echo(_json(_columns(rejected)))
        return
    rows = [
        ("file", printable(rejected.source_file)),
        ("line", f"{rejected.line_number}"),
        ("reason", printable(rejected.reason)),
        ("field", printable(rejected.field or "-")),
        ("message", printable(rejected.message)),
        ("loaded", rfc3339(rejected.loaded_at)),
        ("bytes", f"{len(rejected.line):,}"),
    ]
    if rejected.caveat:
        rows.append(("note", rejected.caveat))
    typer.echo("\n".join(aligned(rows, "<<")))
    typer.echo(f"\n{printable(rejected.text)}")


def _list(found: "Quarantine", limit: int | None, *, as_json: bool) -> None:
    import shutil

    from pipeline.contract.text import printable
    from pipeline.terminal import fitted

    width = shutil.get_terminal_size((_WIDTH, 0)).columns
    empty = True
    for rejected in islice(found.lines(), limit):
        empty = False
        if as_json:
            typer.echo(_json(_columns(rejected)))
            continue
        beginning = rejected.line[: 4 * width].decode(errors="backslashreplace")  # a character has up to 4 bytes
        text = f"{rejected.source_file}:{rejected.line_number}  {rejected.reason}  {rejected.message}  {beginning}"
        typer.echo(fitted(printable(text), width))
    if empty:
        typer.echo(_nothing(found), err=True)


def _export(found: "Quarantine", target: str, *, force: bool) -> None:
    from pipeline import quarantine
    from pipeline.commands.target import check, is_stdout
    from pipeline.contract.text import printable
    from pipeline.storage import destination

    def warn(rejected: "Rejected") -> None:
        typer.echo(f"{printable(rejected.source_file)}:{rejected.line_number}: {rejected.caveat}", err=True)

    path = Path(target)
    if target == "-" or is_stdout(path):
        written = quarantine.write(found.lines(), typer.get_binary_stream("stdout"), warn)
    else:
        check(path, force=force)
        try:
            with destination.opened(path) as file:
                written = quarantine.write(found.lines(), file, warn)
        except BrokenPipeError:
            raise
        except OSError as error:
            refuse(f"{printable(target)} cannot be written: {error.strerror or error}")
    typer.echo(f"{written:,} lines exported", err=True)


def _summarise(found: "Quarantine", *, as_json: bool) -> None:
    from pipeline.contract.calendar import rfc3339
    from pipeline.contract.text import printable
    from pipeline.terminal import aligned

    files = found.files()
    lines: Counter[str] = Counter()
    touched: Counter[str] = Counter()
    for file in files:
        lines.update(file.reasons)
        touched.update(file.reasons.keys())
    if as_json:
        columns = [
            {name: getattr(file, name) for name in file.__struct_fields__} | {"loaded_at": rfc3339(file.loaded_at)}
            for file in files
        ]
        typer.echo(_json({"lines": lines.total(), "reasons": dict(lines.most_common()), "files": columns}))
        return
    if not files:
        typer.echo(_nothing(found))
        return
    typer.echo(f"{lines.total():,} rejected lines of {len(files):,} raw files\n")
    by_reason = [(printable(reason), f"{count:,}", f"{touched[reason]:,}") for reason, count in lines.most_common()]
    typer.echo("\n".join(aligned([("reason", "lines", "files"), *by_reason], "<>>")))
    by_file = [
        (
            rfc3339(file.loaded_at)[:19] + "Z",
            f"{file.lines:,}",
            f"{file.first_line:,}",
            printable(file.source_file),
            ", ".join(f"{count:,} {printable(reason)}" for reason, count in file.reasons.items()),
        )
        for file in files
    ]
    typer.echo()
    typer.echo("\n".join(aligned([("loaded", "lines", "first line", "file", "reasons"), *by_file], "<>><<")))


def _nothing(found: "Quarantine") -> str:
    if found.failures:
        return "nothing that can be read is in quarantine"
    return "nothing in quarantine matches" if found.is_filtered else "nothing is in quarantine"


def _report_failures(found: "Quarantine") -> None:
    """If files of the quarantine could not be read, print why and exit 1."""
    for uri, failure in found.failures.items():
        typer.echo(f"{uri}: {failure}", err=True)
    if found.failures:
        raise typer.Exit(FAILED)


def _columns(rejected: "Rejected") -> dict[str, Any]:
    """Return all columns of a line as JSON values."""
    from pipeline.contract.calendar import rfc3339
    from pipeline.contract.tables import QUARANTINE

    columns = {name: getattr(rejected, name) for name in QUARANTINE.names}
    return columns | {"line": rejected.text, "loaded_at": rfc3339(rejected.loaded_at)}


def _json(value: dict[str, Any]) -> str:
    # ASCII only, so that no control character of a line reaches a terminal.
    return json.dumps(value)
