"""The prompt of `usage sql`: statements of several lines up to a semicolon, with completion and a history.

Reads the terminal. Writes results to it, and the history to the user's state folder, where only the user can read it;
without such a folder, the history ends with the prompt.
"""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Final

import pyarrow as pa
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.output import create_output

from pipeline.analysis.database import SCALAR_MACROS, TABLE_MACROS, VIEWS
from pipeline.analysis.session import Session
from pipeline.analysis.source import QueryError
from pipeline.analysis.statements import StatementError, statements
from pipeline.analysis.writers import TRUNCATED, terminal_width, write_plan, write_table
from pipeline.streams import note, show

_HELP: Final = """\
SELECT … ;        runs when a line ends with a semicolon; Ctrl-C stops it
.tables           list the views and macros
.schema [NAME]    list the columns of all views, or of one
.quit             leave; Ctrl-D does the same"""
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
where schema_name = 'main' and not internal and not regexp_matches(function_name, '^(data|listed)_')
order by parameters is not null, name"""


def run_prompt(session: Session) -> None:
    """Read statements and commands from the terminal and answer each, until the user leaves."""
    prompt: PromptSession[str] = PromptSession(
        history=_history(),
        output=create_output(stdout=sys.__stdout__),  # `sys.stdout` would escape what moves the cursor
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
    """Run a command or statements and write the result to stdout, errors to stderr."""
    try:
        if text.startswith("."):
            _run_command(session, text)
        else:
            _run(session, text)
    except KeyboardInterrupt:
        note("stopped")
    except (QueryError, StatementError, OSError, pa.ArrowException) as error:
        note(f"error: {error}")


def _run_command(session: Session, text: str) -> None:
    command, _, name = text.partition(" ")
    if command == ".tables":
        _run(session, _TABLES)
    elif command == ".schema":
        for view in [name] if name else VIEWS:
            show(view)
            _run(session, f"describe {view}")
    else:
        show(_HELP)


def _run(session: Session, text: str) -> None:
    for statement in statements(text):
        rows = BytesIO()

        def consume(
            reader: pa.RecordBatchReader, explained: bool = statement.is_explained, rows: BytesIO = rows
        ) -> bool:
            rows.seek(0)
            rows.truncate()
            return write_plan(reader, rows) if explained else write_table(reader, rows, terminal_width())

        is_complete = session.run(statement, consume)
        show(rows.getvalue().decode(), end="")
        if not is_complete:
            note(TRUNCATED)


def _is_done(text: str) -> bool:
    """Return whether Enter runs the text: it is a command, ends with a semicolon, or is empty."""
    written = text.strip()
    return not written or written.startswith(".") or written.endswith(";")


class _History(FileHistory):
    """A history file; what cannot be read or written is not worth the prompt."""

    def load_history_strings(self) -> Iterable[str]:
        """Return the statements, the last one first; none if they cannot be read."""
        try:
            return list(super().load_history_strings())
        except OSError:
            return []

    def store_string(self, string: str) -> None:
        """Add a statement."""
        with suppress(OSError):
            super().store_string(string)


def _history() -> History:
    """Return the history, in a file that only the user can read."""
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        path = Path(state) / "workspace-usage" / "sql-history"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(0o600)
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return InMemoryHistory()
    return _History(str(path))
