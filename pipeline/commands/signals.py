"""How commands that write are stopped: SIGTERM and SIGINT are remembered until a point where it is safe to stop."""

import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.commands.exit_codes import SIGNALLED
from pipeline.streams import note

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StoppedError(Exception):
    """Raised at a safe point after a signal asked to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Stop:
    """The signals that asked the command to stop."""

    def __init__(self, woken: socket.socket) -> None:
        self._woken = woken
        self._asked: list[int] = []

    def ask(self, number: int) -> None:
        """Remember a signal."""
        self._asked.append(number)

    def pause(self) -> None:
        """Stop the command here if a signal asked for it.

        Raises:
            StoppedError: a signal came.
        """
        if self._asked:
            raise StoppedError(self._asked[0])

    def wait(self, seconds: float) -> None:
        """Wait for some seconds, or until a signal comes.

        Raises:
            StoppedError: a signal came.
        """
        self.pause()
        select.select([self._woken], [], [], seconds)
        self.pause()


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Remember SIGTERM and SIGINT; if one stopped the command, exit with 128 plus its number."""
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    stop = Stop(woken)
    # `select` alone misses a signal that comes just before it starts, or that another thread receives.
    woken_before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, lambda number, _: stop.ask(number)) for number in _SIGNALS}
    try:
        yield stop
    except StoppedError as stopped:
        note("stopped; the next run does the rest")
        raise SystemExit(SIGNALLED + stopped.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken_before)
        woken.close()
        waker.close()
