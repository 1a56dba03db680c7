"""What the tables are read from: a folder, or an object store. Both look alike to whoever computes answers.

Defines the interface; reads and writes nothing. `folder_source` and `object_source` have it.

    StoreError       nothing is published yet, or the tables cannot be read
    NotFetchedError  files that an answer needs have to be fetched first
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import date
from typing import Any, Protocol, TypeAlias, TypeVar

from pipeline.contract.layout import StoredFile
from pipeline.contract.tables import Month, Published

# Of what is published, or of a file: a value that no other has.
Identity: TypeAlias = Hashable
# What `pq.ParquetFile` reads: a path, or an open file of Arrow.
Readable: TypeAlias = Any
# Files of an object store that are at hand, by key: they stay readable whatever is deleted.
Fetched: TypeAlias = Mapping[str, Readable]

_T = TypeVar("_T")


class StoreError(Exception):
    """Raised when nothing is published yet, or the tables cannot be read; the message is for the log only."""


class NotFetchedError(Exception):
    """Raised when files have to be fetched before an answer can be computed: then it is computed from the start."""

    def __init__(self, files: Mapping[str, StoredFile]) -> None:
        super().__init__(files)
        self.files = files  # by key


class DayFile(Protocol):
    """The events of one day, which stay readable as they were until it is closed."""

    @property
    def identity(self) -> Identity:
        """Return a value that no other file has."""

    def open(self) -> Readable:
        """Return the open file."""

    def close(self) -> None:
        """Close it, if it was opened."""


class Files(Protocol):
    """The files of one workspace."""

    @property
    def months(self) -> Mapping[str, Month]:
        """Return the paths of the files of each UTC month, by `YYYY-MM`."""

    def month(self, path: str) -> Readable:
        """Return a file of a month; its name says which content it has.

        Raises:
            FileNotFoundError: a commit has just replaced it.
            NotFetchedError: it has to be fetched first.
        """

    def day(self, day: date) -> DayFile:
        """Return the events of a UTC day.

        Raises:
            FileNotFoundError: there are none.
        """


class Source(Protocol):
    """Where the tables come from."""

    @property
    def loaded_workspaces(self) -> int:
        """Return how many workspaces are in memory."""

    def identity(self) -> Identity:
        """Return the identity of what is published now; called once a request.

        Raises:
            FileNotFoundError: nothing is published yet.
            StoreError: nothing is published that could be read, and why.
        """

    def published(self) -> tuple[Published, Identity]:
        """Return what is published now.

        Raises:
            FileNotFoundError: nothing is published yet.
            StoreError: nothing is published that could be read, and why.
        """

    def files(self, workspace_id: str, published: Published, identity: Identity, fetched: Fetched) -> Files:
        """Return the files of a workspace as of what is published, of which some were fetched for this answer.

        Raises:
            NotFetchedError: what names them has to be fetched first.
        """

    def forget(self, workspace_id: str) -> None:
        """Read again which files a workspace has, because one of them was missing."""

    async def fetch(self, missing: Mapping[str, StoredFile]) -> Fetched:
        """Return files that were not at hand.

        Raises:
            FileNotFoundError: one does not exist any more.
            StoreError: one cannot be read.
        """

    async def read_again(self) -> None:
        """Look now whether something else is published."""

    def away_since(self) -> int | None:
        """Return since when the tables cannot be read where they are, in microseconds UTC; None if they can."""

    def close(self) -> None:
        """Stop what goes on in threads."""


def gathered(calls: Iterable[Callable[[], _T]]) -> list[_T]:
    """Return the results of all calls. Files that several of them lack are named by one error.

    Raises:
        NotFetchedError: files have to be fetched first.
    """
    results: list[_T] = []
    missing: dict[str, StoredFile] = {}
    for call in calls:
        try:
            results.append(call())
        except NotFetchedError as error:
            missing.update(error.files)
    if missing:
        raise NotFetchedError(missing)
    return results
