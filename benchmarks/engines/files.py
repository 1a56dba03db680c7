"""This project's Parquet files of events, as other engines read them: only the days that a question needs."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from benchmarks.engines.engine import Logs, bytes_in
from benchmarks.questions import Question
from pipeline.contract.calendar import DAY_US, utc_day
from pipeline.contract.tables import events_path


class Files:
    """The data folder that `ours` has loaded."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "ours"

    def running(self) -> AbstractContextManager[None]:
        """Start nothing, because the engine is a library."""
        return nullcontext()

    def load(self, logs: Logs) -> None:
        """Do nothing: the files exist already."""

    def append(self, log: Path) -> None:
        """Do nothing: the files exist already."""

    def bytes_on_disk(self) -> int:
        """Return the size of the files."""
        return bytes_in(self.folder / "events")


def files_of(folder: Path, question: Question) -> list[str]:
    """Return the existing files of the UTC days that overlap a question's window."""
    last = question.after[0] if question.after else question.end - 1
    days = range(question.start // DAY_US, last // DAY_US + 1)
    paths = (folder / events_path(question.workspace_id, utc_day(day * DAY_US).isoformat()) for day in days)
    return [str(path) for path in paths if path.exists()]
