"""`usage run --every`: one run after the other, at the ticks of the clock, until a signal stops it."""

from typing import TYPE_CHECKING

import typer

from pipeline.commands.options import instant
from pipeline.commands.outcome import attempt
from pipeline.commands.signals import stoppable

if TYPE_CHECKING:
    from pipeline.contract.settings import Settings

# So long at most until it is noticed that the clock was set, or that the machine had slept.
_WAIT_SECONDS = 60.0


def repeat(settings: "Settings", every: int) -> None:
    """Run at once, then at every tick; what made a run fail is said, and the next one tries again.

    Args:
        settings: name the data folder.
        every: the time from tick to tick, in microseconds.
    """
    from pipeline import ticks
    from pipeline.contract.calendar import SECOND_US, rfc3339

    with stoppable() as stop:
        while True:
            due = ticks.following(instant(None), every)
            try:
                attempt(settings, instant(None), stop)
            except typer.Exit as ended:
                typer.echo(f"that run ended with exit code {ended.exit_code}", err=True)
            missed = (instant(None) - due) // every + 1
            if missed > 0:
                typer.echo(f"{missed:,} runs were due meanwhile and are left out", err=True)
            due = ticks.following(instant(None), every)
            typer.echo(f"the next run is due at {rfc3339(due)}", err=True)
            while (left := due - instant(None)) > 0:
                stop.wait(min(left / SECOND_US, _WAIT_SECONDS))
