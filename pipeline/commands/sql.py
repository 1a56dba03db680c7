"""`usage sql`: ask the tables anything in SQL, and write nothing to them."""

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
_INTERRUPTED = 130  # 128 and SIGINT, as shells have it
_SPOOLED_BYTES = 8 << 20


@app.command()
def sql(
    statement: Annotated[
        str | None,
        typer.Argument(help="SELECT or EXPLAIN; else they come from stdin, or are asked for on a terminal."),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="How the rows are written.")] = "table",
    output: Annotated[
        Path | None, typer.Option(help="Write the rows to this file instead of stdout.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --output: replace a file that is there.")] = False,
    data_dir: DataDir = None,
    now: Now = None,
) -> None:
    """Ask the tables anything in SQL; nothing can be written to them, and nothing else be read.

    Views and macros are those of usage.duckdb in the data folder, which any DuckDB client opens.

    Exit codes: 0 done; 1 a statement failed, and nothing of it is written; 2 the command is wrong, or a statement is
    none that is run here; 130 stopped by SIGINT.
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
            refuse("--format and --output go with a statement, as an argument or on stdin")
        from pipeline.analysis.prompt import converse

        with _failing(), session.opened(root, moment) as opened:
            converse(opened)
        return
    text = sys.stdin.read() if statement is None else statement
    try:
        found = statements(text)
    except StatementError as error:
        refuse(f"error: {error}")
    if not found:
        refuse('no statement was given: `usage sql "select count(*) from events"`')
    if len(found) > 1 and (output is not None or format_ == "parquet"):
        refuse("one file holds the rows of one statement")
    with _failing(), session.opened(root, moment) as opened:
        for number, each in enumerate(found):
            if number:
                typer.echo()
            _answer(opened, each, format_, output)


def _check(format_: Format, output: Path | None, *, force: bool) -> None:
    """Exit 2 where the options do not go together."""
    if output is None:
        if force:
            refuse("--force goes with --output")
        if format_ == "parquet" and sys.stdout.isatty():
            refuse("Parquet is not for a terminal: add --output FILE, or send stdout elsewhere")
    elif output.exists() and not force:
        refuse(f"{output} is there already; choose another name, or add --force to replace a file")


@contextmanager
def _failing() -> Iterator[None]:
    """Say in one message what failed, and exit."""
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


def _answer(opened: "Session", statement: "Statement", format_: Format, output: Path | None) -> None:
    """Write what comes of a statement, when all of it is there."""
    import tempfile

    from pipeline.analysis.writing import NOT_WHOLE, WRITERS, width, write_plan
    from pipeline.storage import atomic

    with tempfile.SpooledTemporaryFile(_SPOOLED_BYTES) as file:

        def take(rows: "pa.RecordBatchReader") -> bool:
            file.seek(0)
            file.truncate()
            if statement.is_explained:
                return write_plan(rows, file)
            return WRITERS[format_](rows, file, None if output else width())

        is_whole = opened.run(statement, take)
        file.seek(0)
        if output is None:
            shutil.copyfileobj(file, typer.get_binary_stream("stdout"))
        else:
            with atomic.replacing(output) as copy:
                shutil.copyfileobj(file, copy)
    if not is_whole:
        typer.echo(NOT_WHOLE, err=True)
