"""`usage retention`: erase the days before those that are kept, for good."""

import re
from typing import Annotated

import typer

from pipeline.commands.app import app
from pipeline.commands.erasing import erase
from pipeline.commands.options import DataDir, Now, instant, refuse, settings
from pipeline.commands.outcome import reporting_failures

_days = re.compile(r"([1-9][0-9]{0,4})d", re.ASCII).fullmatch
# The monthly view shows 12 calendar months, the current one included.
_API_DAYS = 400


@app.command()
def retention(
    keep: Annotated[str, typer.Option(metavar="DAYS", help="UTC days to keep, today included, e.g. 400d.")],
    apply: Annotated[bool, typer.Option("--apply", help="Erase the data; without it, only print how much.")] = False,
    data_dir: DataDir = None,
    now: Now = None,
) -> None:
    """Erase the days before those that are kept.

    The events, numbers and rejected lines of these UTC days are erased. Without --apply nothing is changed. The first
    day kept never moves back, because erased days cannot be restored.

    Exit codes: 0 done; 1 failed, the next run does the rest; 2 wrong options; 75 a run is at work; 130, 143
    stopped by SIGINT, SIGTERM, the next run does the rest.
    """
    from pipeline.contract.calendar import DAY_US, rfc3339, utc_day
    from pipeline.storage.opened import open_store
    from pipeline.storage.tombstones import Tombstone

    match = _days(keep)
    if match is None:
        refuse(f"--keep must be a number of days such as 400d, not {keep!r}")
    days, found, at = int(match[1]), settings(data_dir=data_dir), instant(now)
    if days < _API_DAYS:
        typer.echo(f"warning: the API looks back 12 months: keep {_API_DAYS}d, or it shows zeros there", err=True)
    floor = utc_day(at - (days - 1) * DAY_US).isoformat()
    with reporting_failures(), open_store(found) as store:
        before = store.tombstones().floor
    if before > floor:
        typer.echo(f"the first day kept stays {before}, not {floor}: erased days cannot be restored", err=True)
    else:
        typer.echo(f"the first day kept is {floor}", err=True)
    erase(found, at, [Tombstone("floor", rfc3339(at), day=floor)], apply=apply)
