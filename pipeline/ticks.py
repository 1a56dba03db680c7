"""When a scheduled run is due: at the ticks of the clock, which an interval divides every UTC day into.

Pure functions on instants in microseconds UTC. A tick that passes while a run is at work is not made up for:

    every 5m   a run from 12:05:00 to 12:05:40 is followed by one at 12:10:00
    every 5m   a run from 12:05:00 to 12:13:00 is followed by one at 12:15:00
"""

import re
from typing import Final

from pipeline.contract.calendar import DAY_US, SECOND_US

_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([smh])", re.ASCII).fullmatch
_UNITS_US: Final = {"s": SECOND_US, "m": 60 * SECOND_US, "h": 3600 * SECOND_US}


class IntervalError(ValueError):
    """Raised when a text is no interval that a clock can show; it says why not."""


def interval(text: str) -> int:
    """Return an interval such as `30s`, `5m` or `1h` in microseconds.

    Raises:
        IntervalError: it is none, or ticks would not come at the same times of every day.
    """
    match = _DURATION(text)
    if match is None:
        raise IntervalError(f"a number and s, m or h, such as 30s, 5m or 1h, not {text!r}")
    every = int(match[1]) * _UNITS_US[match[2]]
    if DAY_US % every:
        raise IntervalError(f"a part of a day, so that it comes at the same times of each, which {text} is not")
    return every


def following(instant: int, every: int) -> int:
    """Return the first tick after an instant."""
    return (instant // every + 1) * every
