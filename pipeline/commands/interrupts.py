"""How a command that only reads is stopped: SIGTERM and SIGHUP interrupt it wherever it is, as SIGINT does."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from pipeline.commands.exit_codes import SIGNALLED
from pipeline.streams import note

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class InterruptedBySignal(BaseException):
    """Raised by a signal wherever the main thread is, so that what it opened is closed and removed."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Let signals interrupt the block, then exit with 128 plus the signal's number."""
    asked: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        asked.append(number)
        if len(asked) == 1:  # else it is ending already, and must finish that
            raise InterruptedBySignal

    # A signal that is ignored stays so: `nohup` relies on it.
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        _end(signal.SIGINT)
    except InterruptedBySignal:
        _end(asked[0])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int) -> NoReturn:
    note("stopped")
    raise SystemExit(SIGNALLED + number) from None
