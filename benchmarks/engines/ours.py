"""This project: `usage run` loads; the service's functions answer in this process, or `usage serve` over HTTP.

In this process every answer is computed; the server caches answers until a commit or a new day changes them.
"""

import http.client
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from benchmarks.data_folders import write_keys
from benchmarks.engines.engine import Logs, UnavailableError, bytes_in
from benchmarks.load import NOW
from benchmarks.questions import Kind, Question, Raw
from benchmarks.serving import Process, served
from pipeline.contract.directory import MEMBERS, Member, read_rows
from pipeline.contract.formats import instant
from pipeline.contract.settings import DIRECTORY, RAW
from service.api import activity, by_language, cursors, parameters, summary
from service.api.cursors import Cursor
from service.api.envelope import Answer
from service.api.parameters import FeedParameters, LanguageParameters, SummaryParameters
from service.api.routes import ACTIVITY, BY_LANGUAGE, SUMMARY
from service.auth.authentication import Caller
from service.auth.directory import DirectoryReader
from service.tables.folder_source import FolderSource
from service.tables.snapshots import Snapshots

_PATHS: Final[dict[Kind, str]] = {"summary": SUMMARY, "by_language": BY_LANGUAGE, "feed": ACTIVITY}
_NOW_US: Final = instant(NOW)

# What the service does for each kind of question, apart from authentication and caching.
_Steps = tuple[type[parameters.Parameters], Callable[..., Any], Callable[..., Any]]
_STEPS: Final[dict[Kind, _Steps]] = {
    "summary": (SummaryParameters, summary.ask, lambda *known: Answer(summary.answer(*known))),
    "by_language": (LanguageParameters, by_language.ask, lambda *known: Answer(by_language.answer(*known))),
    "feed": (FeedParameters, activity.ask, activity.answer),
}


class Ours:
    """A data folder, loaded by `usage run` and read in this process."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "ours"

    def running(self) -> AbstractContextManager[None]:
        """Start nothing, because the tables are files."""
        return nullcontext()

    def load(self, logs: Logs) -> None:
        """Load the logs as delivered, including bad lines."""
        shutil.copytree(logs.folder / RAW, self.folder / RAW, copy_function=os.link)
        shutil.copytree(logs.folder / DIRECTORY, self.folder / DIRECTORY)
        self._run()

    def append(self, log: Path) -> None:
        """Append one log by a run that publishes it."""
        shutil.copy(log, self.folder / RAW / log.name)
        self._run()

    @contextmanager
    def reader(self) -> Iterator["_Reader"]:
        """Open the tables."""
        yield _Reader(self.folder)

    def bytes_on_disk(self) -> int:
        """Return the size of the tables; raw files and quarantine are not counted, since other engines have neither."""
        return sum(bytes_in(self.folder / table) for table in ("events", "cube", "actors", "manifests"))

    def _run(self) -> None:
        usage = str(Path(sys.executable).with_name("usage"))
        command = [usage, "run", "--data-dir", str(self.folder), "--now", NOW]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own


class OursServed(Ours):
    """The same folder behind `usage serve` with one worker."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        if shutil.which("wrk") is None:
            raise UnavailableError("`wrk`, which queries it, is not installed; Debian: apt install wrk")
        self._server: Process | None = None
        self._keys: dict[str, str] = {}

    def address(self, question: Question) -> tuple[str, str, str]:
        """Return the URL of the server, the path of a question, and a key of its workspace."""
        assert self._server is not None, "the server is not running"  # noqa: S101 - an internal error
        return self._server.url, _path(question), self._keys[question.workspace_id]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve the folder, with a new key for each workspace's first member."""
        members = _first_members(self.folder)
        self._keys = dict(zip(members, write_keys(self.folder, list(members.items())), strict=True))
        with served(self.folder, NOW) as self._server:
            yield

    def load(self, logs: Logs) -> None:
        """Do nothing: the folder is loaded already."""

    @contextmanager
    def reader(self) -> Iterator["_Client"]:  # type: ignore[override]  # another reader, of the same protocol
        """Connect."""
        assert self._server is not None, "the server is not running"  # noqa: S101 - an internal error
        with closing(http.client.HTTPConnection(urlsplit(self._server.url).netloc)) as connection:
            yield _Client(connection, self._keys)


class _Reader:
    def __init__(self, folder: Path) -> None:
        self._snapshots = Snapshots(FolderSource(folder))
        self._directory = DirectoryReader(folder)
        self._members = _first_members(folder)

    def ask(self, question: Question) -> Raw:
        takes, ask, answer = _STEPS[question.kind]
        caller = Caller("api_key", self._members[question.workspace_id], question.workspace_id, None, ())
        values = parameters.read(takes, _path(question).partition("?")[2].encode(), [])
        asked = ask(values, caller, self._directory.current(), _NOW_US)
        return msgspec.json.encode(answer(asked, self._snapshots.current()))


class _Client:
    def __init__(self, connection: http.client.HTTPConnection, keys: dict[str, str]) -> None:
        self._connection, self._keys = connection, keys

    def ask(self, question: Question) -> Raw:
        headers = {"Authorization": f"Bearer {self._keys[question.workspace_id]}"}
        self._connection.request("GET", _path(question), headers=headers)
        reply = self._connection.getresponse()
        body = reply.read()
        if reply.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{_path(question)}: {reply.status} {body.decode()}")
        return body


def _path(question: Question) -> str:
    """Return the path and query of a question."""
    query: dict[str, str] = {"range": question.range, "timezone": question.timezone}
    if question.kind == "summary":
        query["activity_view"] = question.view
    if question.after:
        place = Cursor(
            version=1,
            direction="next",
            timestamp=question.after[0],
            id=question.after[1],
            start=question.start,
            end=question.end,
            range=question.range,
            type=None,
            user_id=None,
            timezone=question.timezone,
        )
        query["cursor"] = cursors.encode(place)
    return f"{_PATHS[question.kind]}?{urlencode(query, quote_via=quote)}"


def _first_members(folder: Path) -> dict[str, str]:
    """Return the first active member of each workspace."""
    members: dict[str, str] = {}
    for member in read_rows(folder / DIRECTORY / MEMBERS, Member):
        if member.status == "active":
            members.setdefault(member.workspace_id, member.user_id)
    return members
