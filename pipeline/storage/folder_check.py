"""The data folder, held by the check: the lock, the files and the state.

Reads `state.sqlite` while it holds `run.lock`; writes nothing else.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from pipeline.storage.folder import FolderStore
from pipeline.storage.lock import locked
from pipeline.storage.state import STATE, State
from pipeline.storage.store import DamagedError


class FolderCheck:
    """The `CheckedTables` of a data folder.

    Args:
        root: its path.
    """

    damage: Final[list[DamagedError]] = []  # the check itself reads the manifests

    def __init__(self, root: Path) -> None:
        self.store = FolderStore(root)

    @contextmanager
    def state(self) -> Iterator[State | None]:
        """Open the state; None if there is none.

        Raises:
            sqlite3.DatabaseError: it cannot be read.
        """
        path = self.store.path(STATE)
        if not path.exists():
            yield None
            return
        with closing(State(path)) as state:
            yield state

    def is_current(self, _: str) -> bool:
        """Return True: no run is at work."""
        return True

    def leftovers(self) -> list[str]:
        """Return nothing: an orphan in a folder is a fault."""
        return []


@contextmanager
def opened(root: Path) -> Iterator[FolderCheck]:
    """Keep every run away from a data folder.

    Raises:
        BusyError: a run is at work.
        FileNotFoundError: there is no such folder.
    """
    with locked(root):
        yield FolderCheck(root)
