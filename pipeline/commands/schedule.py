"""`usage run --every`: one run after another, at the ticks of the clock, until a signal stops it.

The interval divides every UTC day into ticks. A tick that passes during a run is skipped:

    every 5m   a run from 12:05:00 to 12:05:40 is followed by one at 12:10:00
    every 5m   a run from 12:05:00 to 12:13:00 is followed by one at 12:15:00
"""

import re
from typing import TYPE_CHECKING, Final, NoReturn

from pipeline.commands.options import instant
from pipeline.commands.outcome import run_once
from pipeline.commands.signals import stoppable
from pipeline.contract.calendar import DAY_US, SECOND_US, rfc3339
from pipeline.startup import bound_free_memory, release_free_memory
from pipeline.streams import note

if TYPE_CHECKING:
    from pipeline.commands.run_metrics import RunMetrics
    from pipeline.contract.settings import Settings

_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([smh])", re.ASCII).fullmatch
_UNITS_US: Final = {"s": SECOND_US, "m": 60 * SECOND_US, "h": 3600 * SECOND_US}
# The longest time until a wait is corrected after the clock was set or the machine slept.
_WAIT_SECONDS: Final = 60.0


class IntervalError(ValueError):
    """Raised when a text is not an interval that divides a day; the message says why."""


def parse_interval(text: str) -> int:
    """Return an interval such as `30s`, `5m` or `1h` in microseconds.

    Raises:
        IntervalError: the text is not an interval, or the ticks would differ from day to day.
    """
    match = _DURATION(text)
    if match is None:
        raise IntervalError(f"a number and s, m or h, such as 30s, 5m or 1h, not {text!r}")
    interval = int(match[1]) * _UNITS_US[match[2]]
    if DAY_US % interval:
        raise IntervalError(f"a part of a day, so that runs start at the same times every day; {text} is not")
    return interval


def next_tick(now: int, interval: int) -> int:
    """Return the first tick after `now`, both in microseconds UTC."""
    return (now // interval + 1) * interval


def repeat(settings: "Settings", interval: int, *, as_json: bool, metrics: "RunMetrics | None" = None) -> NoReturn:
    """Run at once, then at every tick. A run that fails is reported, and the next tick tries again.

    Args:
        settings: where the data folder is.
        interval: the time from tick to tick, in microseconds.
        as_json: print each report as one line of JSON.
        metrics: gets the figures of each run; None if nobody wants them.

    Raises:
        SystemExit: a signal stopped the command.
    """
    bound_free_memory()
    with stoppable() as stop:
        while True:
            due = next_tick(instant(None), interval)
            try:
                run_once(settings, instant(None), stop, as_json=as_json, metrics=metrics)
            except SystemExit as ended:
                note(f"the run ended with exit code {ended.code}")
            release_free_memory()
            missed = (instant(None) - due) // interval + 1
            if missed > 0:
                note(f"{missed:,} runs were due meanwhile and were skipped")
            due = next_tick(instant(None), interval)
            note(f"the next run is due at {rfc3339(due)}")
            while (left := due - instant(None)) > 0:
                stop.wait(min(left / SECOND_US, _WAIT_SECONDS))
