"""The interface of an engine, which loads logs into its own folder and answers questions about them.

UnavailableError  an engine is not installed
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from benchmarks.questions import LIMIT, Question, Raw, Row
from pipeline.contract import calendar

_BLOCK_BYTES: Final = 512  # the unit of `st_blocks`


class UnavailableError(RuntimeError):
    """Raised when an engine is not installed; the message says what to install."""


class Logs(NamedTuple):
    """A data folder with raw files and a directory, and uncompressed files with its valid lines alone."""

    folder: Path
    clean: list[Path]


class Reader(Protocol):
    """A client of an engine; each thread has its own."""

    def ask(self, question: Question) -> Raw:
        """Answer a question."""
        ...


class Engine(Protocol):
    """One way to store and read the logs; its data are in `folder`."""

    folder: Path

    def running(self) -> AbstractContextManager[None]:
        """Run whatever must run while the engine loads or answers; stop it at the end."""
        ...

    def load(self, logs: Logs) -> None:
        """Load the first logs."""
        ...

    def append(self, log: Path) -> None:
        """Append one log; return when the next answer will show it."""
        ...

    def reader(self) -> AbstractContextManager[Reader]:
        """Connect."""
        ...

    def bytes_on_disk(self) -> int:
        """Return the size of the engine's data; it must be running."""
        ...


@runtime_checkable
class ZonedReader(Reader, Protocol):
    """A client of an engine with zone data of its own."""

    def local_days(self, question: Question) -> Sequence[Row] | None:
        """Return (date, credits, characters, lines, runs) for the days of a summary, by the engine's own zone data.

        Returns None if the engine does not know the zone.
        """
        ...


@runtime_checkable
class RollingUp(Protocol):
    """An engine that can roll up by the local days of one zone, to show what that costs."""

    def roll_up_zone(self, zone: str) -> int:
        """Roll up by the local days of one zone, and drop the result; return its bytes."""
        ...


@runtime_checkable
class Server(Protocol):
    """An engine that `wrk` can ask."""

    def address(self, question: Question) -> tuple[str, str, str]:
        """Return the URL of the server, the path of a question, and a key of its workspace."""
        ...


@cache
def statement(engine: str, name: str) -> str:
    """Return the text of `sql/<engine>/<name>.sql`."""
    return (Path(__file__).parent / "sql" / engine / f"{name}.sql").read_text("utf-8")


def zoned_parameters(question: Question) -> Mapping[str, Any]:
    """Return the parameters of a statement for the local days of a summary; instants in microseconds UTC."""
    start, *_, end = calendar.range_days(question.timezone, question.range, question.today)
    return {"workspace_id": question.workspace_id, "zone": question.timezone, "since": start, "until": end}


def parameters(question: Question) -> Mapping[str, Any]:
    """Return the parameters of a statement for a question; instants in microseconds UTC."""
    if question.kind == "summary":
        return {"workspace_id": question.workspace_id, "starts": list(question.instants[:-1]), "until": question.end}
    since = {"workspace_id": question.workspace_id, "since": question.start}
    if question.kind == "by_language":
        return {**since, "until": question.end}
    # The first page starts after a position that is newer than every event of the window.
    timestamp, event_id = question.after or (question.end, "")
    return {**since, "after_timestamp": timestamp, "after_id": event_id, "rows": LIMIT + 1}


def bytes_in(folder: Path) -> int:
    """Return the disk usage of a folder's files, in whole blocks."""
    return sum(path.lstat().st_blocks * _BLOCK_BYTES for path in folder.rglob("*") if path.is_file())
