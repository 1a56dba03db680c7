"""Ask the state what it remembers, if there is one and it can be read.

Reads the state; changes nothing. `lines.account` reports a state that cannot be read.
"""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, TypeVar

import msgspec

from pipeline.contract.settings import Settings
from pipeline.storage.opened import open_state
from pipeline.storage.state import State

_Answer = TypeVar("_Answer")

UNREADABLE: Final = (sqlite3.DatabaseError, msgspec.MsgspecError)


class StateReader:
    """Opens the state for each question: a part of it may be damaged.

    Args:
        settings: where the state is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def opened(self) -> AbstractContextManager[State | None]:
        """Open the state; None if there is none.

        Raises:
            sqlite3.DatabaseError, msgspec.MsgspecError: it cannot be read; also from the state's methods.
        """
        return open_state(self._settings)

    def ask(self, question: Callable[[State], _Answer], otherwise: _Answer) -> _Answer:
        """Return the state's answer, or `otherwise` if there is no state or it cannot be read."""
        try:
            with self.opened() as state:
                return otherwise if state is None else question(state)
        except UNREADABLE:
            return otherwise
