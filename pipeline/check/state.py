"""Ask the state what it remembers, if there is one and it can be read.

Reads the state; changes nothing. `lines.account` reports a state that cannot be read.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from pipeline.storage.checked import CheckedState, CheckedTables
from pipeline.storage.opened import UNREADABLE

_Answer = TypeVar("_Answer")


class StateReader:
    """Opens the state for each question: a part of it may be damaged.

    Args:
        tables: whose state it is.
    """

    def __init__(self, tables: CheckedTables) -> None:
        self._tables = tables

    def opened(self) -> AbstractContextManager[CheckedState | None]:
        """Open the state; None if there is none.

        Raises:
            Exception: one of `UNREADABLE`; also from the state's methods.
        """
        return self._tables.state()

    def ask(self, question: Callable[[CheckedState], _Answer], otherwise: _Answer) -> _Answer:
        """Return the state's answer, or `otherwise` if there is no state or it cannot be read."""
        try:
            with self.opened() as state:
                return otherwise if state is None else question(state)
        except UNREADABLE:
            return otherwise
