"""Run statements as `usage sql` does, and return the rows as Python values."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.analysis import values
from pipeline.analysis.session import Limits, Session, open_session
from pipeline.analysis.source import FolderSource
from pipeline.analysis.statements import statements
from pipeline.storage.folder import FolderStore
from tests.support.data_folder import DataFolder


@contextmanager
def open_folder(root: Path, now: int | None, limits: Limits = Limits()) -> Iterator[Session]:  # noqa: B008 - immutable
    """Open a session over a data folder; the arguments are those of `open_session`."""
    with open_session(FolderSource(FolderStore(root)), now, limits) as session:
        yield session


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
    with open_folder(folder.root, folder.now) as session:
        return rows(session, text)
