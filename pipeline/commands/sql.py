"""`usage sql`: query the tables in SQL; nothing can be written to them.

Reads statements from the argument, stdin or a terminal; writes rows to stdout or a file.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.commands.app import app
from pipeline.commands.options import DataDir, Now, instant, refuse, settings

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.analysis.session import Session
    from pipeline.analysis.statements import Statement

Format = Literal["table", "csv", "json", "parquet"]

_FAILED = 1
_INTERRUPTED = 130  # 128 + SIGINT, as in shells
_SPOOLED_BYTES = 8 << 20


@app.command()
def sql(
    statement: Annotated[
        str | None,
        typer.Argument(help="SELECT or EXPLAIN; without it, statements come from stdin or a prompt."),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="Output format of the rows.")] = "table",
    output: Annotated[
        Path | None, typer.Option(help="Write the rows to this file instead of stdout.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --output replace an existing file.")] = False,
    data_dir: DataDir = None,
    now: Now = None,
) -> None:
    """Query the tables in SQL. Statements cannot write, and cannot read anything else.

    The views and macros are those of usage.duckdb in the data folder, which any DuckDB client can open.

    Example: usage sql "select action, count(*) from events group by action"

    Exit codes: 0 done; 1 a statement failed, and none of its rows were written; 2 wrong usage, or a statement that
    may not run here; 130 stopped by SIGINT.
    """
    from pipeline.analysis import session
    from pipeline.analysis.statements import StatementError, statements

    root = settings(data_dir=data_dir).data_dir.absolute()
    if not root.is_dir():
        refuse(f"{root}: no such folder")
    _check(format_, output, force=force)
    moment = None if now is None else instant(now)
    if statement is None and sys.stdin.isatty():
        if output is not None or format_ != "table":
            refuse("--format and --output need a statement, as an argument or on stdin")
        from pipeline.analysis.prompt import run_prompt

        with _failing(), session.open_session(root, moment) as running:
            run_prompt(running)
        return
    text = sys.stdin.read() if statement is None else statement
    try:
        found = statements(text)
    except StatementError as error:
        refuse(f"error: {error}")
    if not found:
        refuse('no statement was given; try `usage sql "select count(*) from events"`')
    if len(found) > 1 and (output is not None or format_ == "parquet"):
        refuse("a file holds the rows of only one statement")
    with _failing(), session.open_session(root, moment) as running:
        for number, each in enumerate(found):
            if number:
                typer.echo()
            _answer(running, each, format_, output)


def _check(format_: Format, output: Path | None, *, force: bool) -> None:
    """Exit 2 if the options do not fit together."""
    if output is None:
        if force:
            refuse("--force needs --output")
        if format_ == "parquet" and sys.stdout.isatty():
            refuse("Parquet cannot be shown on a terminal: add --output FILE, or redirect stdout")
    elif output.exists() and not force:
        refuse(f"{output} already exists; choose another name, or add --force to replace it")


@contextmanager
def _failing() -> Iterator[None]:
    """Report a failure in one message, and exit."""
    import pyarrow as pa

    from pipeline.analysis.session import QueryError

    try:
        yield
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    except (QueryError, OSError, pa.ArrowException) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(_FAILED) from None


def _answer(running: "Session", statement: "Statement", format_: Format, output: Path | None) -> None:
    """Run a statement, and write its rows once all of them have arrived."""
    import tempfile

    from pipeline.analysis.writers import TRUNCATED, WRITERS, terminal_width, write_plan
    from pipeline.storage import atomic

    with tempfile.SpooledTemporaryFile(_SPOOLED_BYTES) as file:

        def consume(rows: "pa.RecordBatchReader") -> bool:
            file.seek(0)
            file.truncate()
            if statement.is_explained:
                return write_plan(rows, file)
            return WRITERS[format_](rows, file, None if output else terminal_width())

        is_complete = running.run(statement, consume)
        file.seek(0)
        if output is None:
            shutil.copyfileobj(file, typer.get_binary_stream("stdout"))
        else:
            with atomic.replacing(output) as copy:
                shutil.copyfileobj(file, copy)
    if not is_complete:
        typer.echo(TRUNCATED, err=True)
