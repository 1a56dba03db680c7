"""ClickHouse as a library: events in a MergeTree ordered by workspace and time, and a roll-up by quarter-hours.

A version replaces another one with the same key, which contains `timestamp`. This is exact only if no version changes
an event's timestamp within its day; the sample never does.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from benchmarks.engines.engine import Logs, UnavailableError, parameters, statement, zoned_parameters
from benchmarks.questions import Kind, Question, Raw, Row

try:
    from chdb.session import Session
except ImportError:  # `make bench` installs it
    Session = None


class Clickhouse:
    """Events with their languages."""

    name: ClassVar = "clickhouse"
    kinds: ClassVar[Mapping[Kind, str]] = {"summary": "summary", "by_language": "by_language", "feed": "feed"}
    tables: ClassVar[Sequence[str]] = ("events",)

    def __init__(self, root: Path) -> None:
        if Session is None:
            raise UnavailableError("chdb is not installed; `make bench` installs it")
        self.folder = root / self.name

    def running(self) -> AbstractContextManager[None]:
        """Start nothing, because the engine is a library here."""
        return nullcontext()

    def load(self, logs: Logs) -> None:
        """Load the first logs, and merge their versions."""
        with self._opened() as session:
            _run(session, "events_table")
            _run(session, "insert_events", files=str(logs.clean[0].parent / "*.jsonl"))
            session.query("optimize table events final")

    def append(self, log: Path) -> None:
        """Append one log; its versions are merged when they are read."""
        with self._opened() as session:
            _run(session, "insert_events", files=str(log))

    @contextmanager
    def reader(self) -> Iterator["_Reader"]:
        """Connect."""
        with self._opened() as session:
            yield _Reader(session, self.kinds)

    def bytes_on_disk(self) -> int:
        """Return the size of the tables."""
        with self._opened() as session:
            return sum(int(size) for table, size in _run(session, "sizes") if table in self.tables)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        self.folder.mkdir(parents=True, exist_ok=True)
        session = Session(str(self.folder))
        try:
            yield session
        finally:
            session.close()


class ClickhouseQuarters(Clickhouse):
    """Events and a roll-up of them by quarter-hours, updated with every load: this project's idea in ClickHouse."""

    name = "clickhouse-quarters"
    kinds: ClassVar[Mapping[Kind, str]] = {
        "summary": "rollup_summary",
        "by_language": "rollup_by_language",
        "feed": "feed",
    }
    tables = ("events", "rollup")

    def load(self, logs: Logs) -> None:  # noqa: ARG002 - its copy of the tables has them
        """Roll up the events that were loaded."""
        with self._opened() as session:
            for name in ("rollup_table", "touched_table", "touched_all", "rollup"):
                _run(session, name)
            session.query("drop table touched")
            session.query("optimize table rollup final")

    def append(self, log: Path) -> None:
        """Append one log, and roll up its days."""
        super().append(log)
        with self._opened() as session:
            _run(session, "touched_table")
            _run(session, "touched", files=str(log))
            _run(session, "rollup")
            session.query("drop table touched")


class _Reader:
    def __init__(self, session: Any, kinds: Mapping[Kind, str]) -> None:
        self._session, self._kinds = session, kinds

    def ask(self, question: Question) -> Raw:
        return _run(self._session, self._kinds[question.kind], **parameters(question))

    def local_days(self, question: Question) -> Sequence[Row] | None:
        try:
            rows = _run(self._session, "local_days", **zoned_parameters(question))
        except RuntimeError:  # chdb raises it for an unknown zone
            return None
        return [(date.fromisoformat(day), *numbers) for day, *numbers in rows]


def _run(session: Any, name: str, **values: Any) -> list[Row]:
    answer = session.query(statement("clickhouse", name), "JSONCompactEachRow", params=values or None).bytes()
    return [msgspec.json.decode(line) for line in answer.splitlines()]
