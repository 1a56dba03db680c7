"""The prompt of `usage sql`: statements of several lines until a semicolon, answers below them, a history.

Reads the terminal; writes to it, and the history to the user's state folder, for nobody else to read.
"""

import os
from io import BytesIO
from pathlib import Path
from typing import Final

import pyarrow as pa
import typer
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory

from pipeline.analysis.database import SCALAR_MACROS, TABLE_MACROS, VIEWS
from pipeline.analysis.session import QueryError, Session
from pipeline.analysis.statements import StatementError, statements
from pipeline.analysis.writing import NOT_WHOLE, width, write_plan, write_table

_HELP: Final = """\
SELECT … ;        runs when a line ends with a semicolon; Ctrl-C stops it
.tables           the views and the macros
.schema [NAME]    their columns, or one's
.quit             leaves, as Ctrl-D does"""
_KEYWORDS: Final = (
    *("select", "from", "where", "group by", "order by", "limit", "join", "left join", "using", "with", "having"),
    *("count(*)", "sum(", "filter (where", "date_trunc(", "interval", "describe", "explain", "summarize", "union all"),
)
_TABLES: Final = """
select view_name as name, null as parameters
from duckdb_views()
where schema_name = 'main' and not internal
union all
select function_name, array_to_string(parameters, ', ')
from duckdb_functions()
where schema_name = 'main' and not internal and function_name not like 'data\\_%' escape '\\'
order by parameters is not null, name"""


def converse(session: Session) -> None:
    """Ask for statements and answer them until there are no more."""
    prompt: PromptSession[str] = PromptSession(
        history=FileHistory(str(_history())),
        completer=WordCompleter([*VIEWS, *TABLE_MACROS, *SCALAR_MACROS, *_KEYWORDS], ignore_case=True),
        complete_while_typing=False,
        multiline=Condition(lambda: not _is_done(prompt.default_buffer.text)),
        prompt_continuation="   ... ",
        enable_history_search=True,
    )
    while True:
        try:
            text = prompt.prompt("usage> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text in {".quit", ".exit"}:
            return
        answer(session, text)


def answer(session: Session, text: str) -> None:
    """Write what comes of a command or of statements; what is wrong with them, to stderr."""
    try:
        if text.startswith("."):
            _obey(session, text)
        else:
            _run(session, text)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
    except (QueryError, StatementError, OSError) as error:
        typer.echo(f"error: {error}", err=True)


def _obey(session: Session, text: str) -> None:
    command, _, name = text.partition(" ")
    if command == ".tables":
        _run(session, _TABLES)
    elif command == ".schema":
        for view in [name] if name else VIEWS:
            typer.echo(view)
            _run(session, f"describe {view}")
    else:
        typer.echo(_HELP)


def _run(session: Session, text: str) -> None:
    for statement in statements(text):
        rows = BytesIO()

        def take(reader: pa.RecordBatchReader, explained: bool = statement.is_explained, rows: BytesIO = rows) -> bool:
            rows.seek(0)
            rows.truncate()
            return write_plan(reader, rows) if explained else write_table(reader, rows, width())

        is_whole = session.run(statement, take)
        typer.echo(rows.getvalue(), nl=False)
        if not is_whole:
            typer.echo(NOT_WHOLE, err=True)


def _is_done(text: str) -> bool:
    """Return whether what was written so far is to be run."""
    written = text.strip()
    return not written or written.startswith(".") or written.endswith(";")


def _history() -> Path:
    """Return the file of the history, which is the user's own."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(state) / "workspace-usage" / "sql-history"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(0o600)
    return path
