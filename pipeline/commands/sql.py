"""`usage sql`: query the tables in SQL; nothing can be written to them.

Reads statements from the argument, stdin or a terminal; writes rows to stdout or a file.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.exit_codes import FAILED
from pipeline.commands.interrupts import interruptible
from pipeline.commands.options import add_data_dir, add_now, instant, refuse, settings
from pipeline.commands.parser import Parser, one_of
from pipeline.streams import note, show

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.analysis.session import Session
    from pipeline.analysis.statements import Statement
    from pipeline.contract.settings import Settings

FORMATS = ("table", "csv", "json", "ndjson", "parquet", "md")
# What a file is named; a pipe, a device or a name without suffix gets a table.
_SUFFIXES = {**{f".{name}": name for name in FORMATS[1:]}, ".jsonl": "ndjson", ".txt": "table", "": "table"}

# More than anybody writes, and no harm where something else is piped in by mistake.
_STATEMENT_BYTES = 4 << 20
_is_size = re.compile(r"[1-9][0-9]{0,8}[KMGT]i?B", re.IGNORECASE).fullmatch


def options(parser: Parser) -> None:
    """Add the options of `usage sql`."""
    parser.add_argument(
        "statement",
        nargs="?",
        metavar="STATEMENT",
        help="SELECT or EXPLAIN; without it, statements come from stdin or a prompt.",
    )
    parser.add_argument(
        "--format",
        dest="format_",
        type=one_of(FORMATS),
        metavar="|".join(FORMATS),
        help="Output format of the rows (default: by the suffix of --output, else table).",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="Write the rows to this file, pipe or device instead of stdout."
    )
    parser.add_argument("--force", action="store_true", help="Let --output replace an existing file.")
    add_data_dir(parser)
    add_now(parser)


def command(
    *,
    statement: str | None,
    format_: str | None,
    output: Path | None,
    force: bool,
    data_dir: str | None,
    now: str | None,
) -> None:
    """Query the tables in SQL. Statements cannot write, and cannot read anything else.

    The views and macros are those of usage.duckdb in the data folder, which any DuckDB client can open.

    Example: usage sql "select action, count(*) from events group by action" --output actions.csv

    Exit codes: 0 done; 1 a statement failed, of whose rows none were written unless there are more than 8 MB;
    2 wrong usage, or a statement that may not run here; 129, 130, 143 stopped by SIGHUP, SIGINT, SIGTERM; 141 whoever
    reads the rows wants no more.
    """
    found = settings(data_dir=data_dir)
    if isinstance(found.data, Path) and not found.data.is_dir():
        refuse(f"{found.data}: no such folder")
    moment = None if now is None else instant(now)
    output = _target(output, force=force)
    named = format_ is not None
    format_ = _format(format_, output)
    with interruptible():
        if statement is None and sys.stdin.isatty():
            if output is not None or named:
                refuse("--format and --output need a statement, as an argument or on stdin")
            _prompt(found, moment)
            return
        wanted = _statements(_piped() if statement is None else statement.encode(errors="surrogateescape"))
        if len(wanted) > 1 and (output is not None or format_ == "parquet"):
            refuse("a file holds the rows of only one statement")
        with _opened(found, moment) as running:
            for number, each in enumerate(wanted):
                if number:
                    show()
                _answer(running, each, format_, output)


def _target(output: Path | None, *, force: bool) -> Path | None:
    """Return where rows go, None for stdout; exit 2 if they must not go there."""
    from pipeline.commands import target

    if output is None and force:
        refuse("--force needs --output")
    if output is not None and target.is_stdout(output):
        output = None
    if output is not None:
        target.check(output, force=force)
    return output


def _format(wanted: str | None, output: Path | None) -> str:
    """Return the format of the rows; exit 2 if option and suffix differ, or if a terminal cannot show it."""
    from pipeline.storage import destination

    found = None
    if output is not None and not destination.is_stream(output):
        found = _SUFFIXES.get(output.suffix.lower())
        if wanted is None and found is None:
            refuse(f"{output.suffix} is no format of --output: name one with --format, or end the name in {_endings()}")
        if wanted is not None and found not in {wanted, None, "table"}:
            refuse(f"--format {wanted} contradicts the suffix of {output}: leave one out")
    if wanted == "parquet" and output is None and sys.stdout.isatty():
        refuse("Parquet cannot be shown on a terminal: add --output FILE, or redirect stdout")
    return wanted or found or "table"


def _endings() -> str:
    return ", ".join(suffix for suffix in _SUFFIXES if suffix)


def _prompt(found: "Settings", moment: int | None) -> None:
    from pipeline.analysis.prompt import run_prompt

    with _opened(found, moment) as running:
        run_prompt(running)


def _piped() -> bytes:
    content = sys.stdin.buffer.read(_STATEMENT_BYTES + 1)
    if len(content) > _STATEMENT_BYTES:
        refuse(f"stdin has more than {_STATEMENT_BYTES >> 20} MiB: that is no statement")
    return content


def _statements(content: bytes) -> "list[Statement]":
    """Return the statements of a text; exit 2 if there are none, or if one may not run."""
    from pipeline.analysis.statements import StatementError, statements

    try:
        found = statements(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        refuse(f"error: the statement is not UTF-8: its byte {error.start + 1:,} is 0x{content[error.start]:02x}")
    except StatementError as error:
        refuse(f"error: {error}")
    if not found:
        refuse('no statement was given; try `usage sql "select count(*) from events"`')
    return found


@contextmanager
def _opened(found: "Settings", moment: int | None) -> "Iterator[Session]":
    """Open a session; report a failure of it, or of a statement, in one message, and exit 1."""
    import pyarrow as pa

    from pipeline.analysis import session
    from pipeline.analysis.source import QueryError, open_source

    for variable, size in (("USAGE_SQL_MEMORY", found.sql_memory), ("USAGE_SQL_SPILL", found.sql_spill)):
        if not _is_size(size):
            refuse(f"{variable}={size!r} must be a size such as 500MB or 1GB")
    limits = session.Limits(found.sql_memory, found.sql_spill)
    try:
        with open_source(found) as source, session.open_session(source, moment, limits) as running:
            yield running
    except BrokenPipeError:
        raise
    except (QueryError, OSError, pa.ArrowException) as error:
        note(f"error: {error}")
        raise SystemExit(FAILED) from None


def _answer(running: "Session", statement: "Statement", format_: str, output: Path | None) -> None:
    """Run a statement, and write its rows as they come."""
    from pipeline.analysis.held import Held
    from pipeline.analysis.writers import TRUNCATED, WRITERS, terminal_width, write_plan
    from pipeline.storage import destination

    with destination.opened(output) if output else nullcontext(sys.stdout.buffer) as file:
        held = Held(file, can_rewind=output is not None and not destination.is_stream(output))
        width = None if output else terminal_width()

        def consume(rows: "pa.RecordBatchReader") -> bool:
            held.clear()
            return write_plan(rows, held) if statement.is_explained else WRITERS[format_](rows, held, width)

        is_complete = running.run(statement, consume, held.can_clear)
        held.release()
    if not is_complete:
        note(TRUNCATED)
