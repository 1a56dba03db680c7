"""`usage quarantine`: count, show, export and retry rejected lines."""

import json
import os
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.commands.exit_codes import FAILED
from pipeline.commands.options import add_data_dir, add_json, add_now, instant, refuse, settings
from pipeline.commands.outcome import load
from pipeline.commands.parser import Parser, whole_number
from pipeline.streams import note, show

if TYPE_CHECKING:
    from pipeline.quarantine import Quarantine, Rejected
    from pipeline.storage.store import Store

_LINE_NUMBER_MAX = 2**63 - 1
_REASONS = 3  # of each file in the summary


def options(parser: Parser) -> None:
    """Add the options of `usage quarantine`."""
    parser.add_argument("--reason", metavar="CODE", help="Only lines with this reason code.")
    parser.add_argument("--file", metavar="FILE", help="Only lines of this file, relative to raw/.")
    parser.add_argument(
        "--show",
        dest="shown",
        metavar="FILE:LINE",
        help="Show one rejected line in full, and all that is wrong with it.",
    )
    parser.add_argument("--list", dest="list_lines", action="store_true", help="List the lines, newest file first.")
    parser.add_argument("--limit", type=whole_number(1), metavar="N", help="With --list: at most this many lines.")
    parser.add_argument("--export", metavar="PATH", help="Write the raw lines to a file, pipe or device; - is stdout.")
    parser.add_argument("--force", action="store_true", help="With --export: replace an existing file.")
    parser.add_argument("--retry", action="store_true", help="Validate the lines again; load the good ones.")
    add_json(parser, "JSON; with --list JSON Lines of all columns.")
    add_data_dir(parser)
    add_now(parser)


def command(
    *,
    reason: str | None,
    file: str | None,
    shown: str | None,
    list_lines: bool,
    limit: int | None,
    export: str | None,
    force: bool,
    retry: bool,
    as_json: bool,
    data_dir: str | None,
    now: str | None,
) -> None:
    """Show how many lines were rejected, and why.

    With an option, show the lines. --export writes them byte for byte as they were in the raw file; correct them
    and drop them into raw/ under a new name.

    Exit codes: 0 done, even if nothing is in quarantine; 1 a file of the quarantine cannot be read, the others are
    shown; 2 wrong options, no such line, or the export's file exists; with --retry those of `usage run`.
    """
    from pipeline.quarantine import Quarantine
    from pipeline.storage.opened import open_store

    _check(reason, limit, force=force, list_lines=list_lines, shown=shown, export=export, retry=retry, as_json=as_json)
    found_settings = settings(data_dir=data_dir)
    with open_store(found_settings) as store:
        if retry:
            from pipeline.load.discovery import Retry

            load(found_settings, instant(now), as_json=as_json, retry=Retry(reason, _named(store, file)))
            return
        if shown is not None:
            if reason is not None or file is not None:
                refuse("--show names one line: leave out --reason and --file")
            file, number = _place(shown)
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
    shown: str | None,
    export: str | None,
    retry: bool,
    as_json: bool,
) -> None:
    """Exit 2 if the options do not go together."""
    from typing import get_args

    from pipeline.validation.records import Reason

    if reason is not None and reason not in get_args(Reason):
        refuse(f"--reason must be one of {', '.join(get_args(Reason))}, not {reason!r}")
    if (shown is not None) + list_lines + (export is not None) + retry > 1:
        refuse("--show, --list, --export and --retry exclude each other: give one of them")
    if limit is not None and not list_lines:
        refuse("--limit needs --list")
    if force and export is None:
        refuse("--force needs --export")
    if as_json and export is not None:
        refuse("--json does not go with --export, which writes raw lines")


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
    faults = found.faults(rejected)
    if as_json:
        others = [{"reason": one.reason, "field": one.field, "message": one.message} for one in faults]
        show(_json(_columns(rejected) | {"faults": others}))
        return
    rows = [
        ("file", printable(rejected.source_file)),
        ("line", f"{rejected.line_number}"),
        ("reason", printable(rejected.reason)),
        ("field", printable(rejected.field or "-")),
        ("message", printable(rejected.message)),
        *(("also", printable(f"{fault.reason}: {fault.message}")) for fault in faults[1:]),
        ("loaded", rfc3339(rejected.loaded_at)),
        ("bytes", f"{len(rejected.line):,}"),
    ]
    if rejected.caveat:
        rows.append(("note", rejected.caveat))
    show("\n".join(aligned(rows, "<<")))
    show(f"\n{printable(rejected.text)}")


def _list(found: "Quarantine", limit: int | None, *, as_json: bool) -> None:
    from pipeline.contract.text import printable
    from pipeline.terminal import fitted, width

    most = width()
    empty = True
    for rejected in islice(found.lines(), limit):
        empty = False
        if as_json:
            show(_json(_columns(rejected)))
            continue
        beginning = rejected.line[: 4 * most].decode(errors="backslashreplace")  # a character has up to 4 bytes
        text = f"{rejected.source_file}:{rejected.line_number}  {rejected.reason}  {rejected.message}  {beginning}"
        show(fitted(printable(text), most))
    if empty:
        note(_nothing(found))


def _export(found: "Quarantine", target: str, *, force: bool) -> None:
    from pipeline import quarantine
    from pipeline.commands.target import check, is_stdout
    from pipeline.contract.text import printable
    from pipeline.storage import destination

    def warn(rejected: "Rejected") -> None:
        note(f"{printable(rejected.source_file)}:{rejected.line_number}: {rejected.caveat}")

    path = Path(target)
    if target == "-" or is_stdout(path):
        written = quarantine.write(found.lines(), sys.stdout.buffer, warn)
    else:
        check(path, force=force)
        try:
            with destination.opened(path) as file:
                written = quarantine.write(found.lines(), file, warn)
        except BrokenPipeError:
            raise
        except OSError as error:
            refuse(f"{printable(target)} cannot be written: {error.strerror or error}")
    note(f"{written:,} lines exported")


def _summarise(found: "Quarantine", *, as_json: bool) -> None:
    from pipeline.contract.calendar import rfc3339
    from pipeline.contract.text import printable
    from pipeline.terminal import table

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
        show(_json({"lines": lines.total(), "reasons": dict(lines.most_common()), "files": columns}))
        return
    if not files:
        show(_nothing(found))
        return
    show(f"{lines.total():,} rejected lines of {len(files):,} raw files\n")
    by_reason = [(printable(reason), f"{count:,}", f"{touched[reason]:,}") for reason, count in lines.most_common()]
    show("\n".join(table([("reason", "lines", "files"), *by_reason], "<>>")))
    by_file = [
        (
            rfc3339(file.loaded_at)[:19] + "Z",
            f"{file.lines:,}",
            f"{file.first_line:,}",
            printable(file.source_file),
            _reasons(file.reasons),
        )
        for file in files
    ]
    show()
    show("\n".join(table([("loaded", "lines", "first line", "file", "reasons"), *by_file], "<>><<")))


def _reasons(lines: dict[str, int]) -> str:
    """Return the most frequent reasons of a file, as many as fit a line."""
    from pipeline.contract.text import printable

    shown = ", ".join(f"{count:,} {printable(reason)}" for reason, count in islice(lines.items(), _REASONS))
    return shown + (f" and {len(lines) - _REASONS:,} more reasons" if len(lines) > _REASONS else "")


def _nothing(found: "Quarantine") -> str:
    if found.failures:
        return "nothing that can be read is in quarantine"
    return "nothing in quarantine matches" if found.is_filtered else "nothing is in quarantine"


def _report_failures(found: "Quarantine") -> None:
    """If files of the quarantine could not be read, print why and exit 1."""
    for uri, failure in found.failures.items():
        note(f"{uri}: {failure}")
    if found.failures:
        raise SystemExit(FAILED)


def _columns(rejected: "Rejected") -> dict[str, Any]:
    """Return all columns of a line as JSON values."""
    from pipeline.contract.calendar import rfc3339
    from pipeline.contract.tables import QUARANTINE

    columns = {name: getattr(rejected, name) for name in QUARANTINE.names}
    return columns | {"line": rejected.text, "loaded_at": rfc3339(rejected.loaded_at)}


def _json(value: dict[str, Any]) -> str:
    # ASCII only, so that no control character of a line reaches a terminal.
    return json.dumps(value)
