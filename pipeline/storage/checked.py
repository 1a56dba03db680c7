"""What the check has open: one interface, whatever keeps the files. It changes nothing.

`storage.folder_check` has that of a data folder; `storage.opened` opens it.
"""

from contextlib import AbstractContextManager
from typing import Protocol

from pipeline.storage.digests import Digest
from pipeline.storage.store import DamagedError, Store
from pipeline.storage.writer import StoredState


class CheckedState(StoredState, Protocol):
    """What the check needs of the state. It may be damaged: each method may raise one of `opened.UNREADABLE`."""

    def digests(self) -> dict[str, Digest]:
        """Return the digests of published files by path; those that are unknown are left out."""

    def unfinished(self, store: Store) -> str | None:
        """Return the run whose commit has begun but not ended, deletes included; None if there is none."""

    def refuse_damage(self) -> None:
        """Look at the structure of the whole state."""


class CheckedTables(Protocol):
    """The tables as of one moment: no run is at work, or what runs do meanwhile is not seen."""

    @property
    def store(self) -> Store:
        """Return the files."""

    @property
    def damage(self) -> list[DamagedError]:
        """Return what is wrong with that by which the store finds its files; it goes on without it."""

    def state(self) -> AbstractContextManager[CheckedState | None]:
        """Open the state; None if there is none.

        Raises:
            Exception: one of `opened.UNREADABLE`; also from the state's methods.
        """

    def is_current(self, uri: str) -> bool:
        """Return whether a file that cannot be read is still published: a run may have replaced it meanwhile."""

    def leftovers(self) -> list[str]:
        """Return what is to be said of files that nothing names, and that are no fault."""
