"""Ask the state what it remembers, if there is one and it can be read.

Reads the state; changes nothing. `lines.account` reports a state that cannot be read.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from pipeline.contract.settings import Settings
from pipeline.storage.opened import UNREADABLE, open_state
from pipeline.storage.writer import CheckedState

_Answer = TypeVar("_Answer")


class StateReader:
    """Opens the state for each question: a part of it may be damaged.

    Args:
        settings: where the state is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def opened(self) -> AbstractContextManager[CheckedState | None]:
        """Open the state; None if there is none.

        Raises:
            Exception: one of `UNREADABLE`; also from the state's methods.
        """
        return open_state(self._settings)

    def ask(self, question: Callable[[CheckedState], _Answer], otherwise: _Answer) -> _Answer:
        """Return the state's answer, or `otherwise` if there is no state or it cannot be read."""
        try:
            with self.opened() as state:
                return otherwise if state is None else question(state)
        except UNREADABLE:
            return otherwise
