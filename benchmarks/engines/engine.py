"""What an engine is here: something that loads logs into a folder of its own and answers questions about them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from benchmarks.questions import LIMIT, Question, Raw, Row
from pipeline.contract import calendar

_BLOCK_BYTES: Final = 512  # as `stat` counts them


class UnavailableError(RuntimeError):
    """Raised when an engine is not installed; the text says what to install."""


class Logs(NamedTuple):
    """A data folder with raw files and a directory, and its good lines alone as plain files."""

    folder: Path
    clean: list[Path]


class Reader(Protocol):
    """One client of an engine; each thread has its own."""

    def ask(self, question: Question) -> Raw:
        """Answer a question."""
        ...


class Engine(Protocol):
    """One way to keep and read the logs; what it keeps is in `folder`."""

    folder: Path

    def running(self) -> AbstractContextManager[None]:
        """Run whatever has to run while it loads or answers, and stop it."""
        ...

    def load(self, logs: Logs) -> None:
        """Take the first logs."""
        ...

    def append(self, log: Path) -> None:
        """Take one further log and return when the next answer shows it."""
        ...

    def reader(self) -> AbstractContextManager[Reader]:
        """Connect."""
        ...

    def bytes_on_disk(self) -> int:
        """Return what is kept, while it runs."""
        ...


@runtime_checkable
class ZonedReader(Reader, Protocol):
    """A client of an engine with zone data of its own."""

    def local_days(self, question: Question) -> Sequence[Row] | None:
        """Return (date, credits, characters, lines, runs) of the days of a summary, by the engine's own zone data.

        None where it has no such zone.
        """
        ...


@runtime_checkable
class RollingUp(Protocol):
    """An engine that shows what a roll-up for each zone costs."""

    def roll_up_zone(self, zone: str) -> int:
        """Make a roll-up by the local days of one zone and drop it; return its bytes."""
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
    """Return what a statement for the local days of a summary takes."""
    start, *_, end = calendar.range_days(question.timezone, question.range, question.today)
    return {"workspace_id": question.workspace_id, "zone": question.timezone, "since": start, "until": end}


def parameters(question: Question) -> Mapping[str, Any]:
    """Return what a statement for a question takes; instants in microseconds UTC."""
    if question.kind == "summary":
        return {"workspace_id": question.workspace_id, "starts": list(question.instants[:-1]), "until": question.end}
    since = {"workspace_id": question.workspace_id, "since": question.start}
    if question.kind == "by_language":
        return {**since, "until": question.end}
    # A position that is newer than every event of the window stands for none.
    timestamp, event_id = question.after or (question.end, "")
    return {**since, "after_timestamp": timestamp, "after_id": event_id, "rows": LIMIT + 1}


def bytes_in(folder: Path) -> int:
    """Return what the files of a folder take, in whole blocks."""
    return sum(path.lstat().st_blocks * _BLOCK_BYTES for path in folder.rglob("*") if path.is_file())
