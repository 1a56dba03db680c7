"""Run statements as `usage sql` does, and return the rows as Python values."""

from typing import Any

from pipeline.analysis import values
from pipeline.analysis.session import Session, open_session
from pipeline.analysis.statements import statements
from tests.support.data_folder import DataFolder


def rows(session: Session, text: str) -> list[tuple[Any, ...]]:
    """Return the rows of one statement as tuples of JSON values."""
    (statement,) = statements(text)
    return session.run(statement, lambda reader: [row for batch in reader for row in values.rows(batch)])


def records(session: Session, text: str) -> list[dict[str, Any]]:
    """Return the rows of one statement as dicts by column name."""
    (statement,) = statements(text)
    return session.run(
        statement,
        lambda reader: [
            dict(zip(reader.schema.names, row, strict=True)) for batch in reader for row in values.rows(batch)
        ],
    )


def ask(folder: DataFolder, text: str) -> list[tuple[Any, ...]]:
    """Run one statement in a new session, and return its rows."""
    with open_session(folder.root, folder.now) as session:
        return rows(session, text)
