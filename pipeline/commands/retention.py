"""`usage retention`: take away the days that are older than what is kept, for good."""

import re
from typing import Annotated

import typer

from pipeline.commands.app import app
from pipeline.commands.erasing import erase
from pipeline.commands.options import DataDir, Now, instant, refuse, settings

_days = re.compile(r"([1-9][0-9]{0,4})d", re.ASCII).fullmatch
# The monthly view shows 12 months and begins with the first of one.
_API_DAYS = 400


@app.command()
def retention(
    keep: Annotated[str, typer.Option(metavar="DAYS", help="How many UTC days stay, today included, such as 400d.")],
    apply: Annotated[bool, typer.Option("--apply", help="Do it; else only say what would go.")] = False,
    data_dir: DataDir = None,
    now: Now = None,
) -> None:
    """Take away events, numbers and rejected lines of the UTC days before those that are kept.

    Without --apply nothing is changed. The first day that is kept never moves back: what went cannot be had again.

    Exit codes: 0 done; 1 failed, the next run does the rest; 2 the command is wrong; 75 a run is at work; 130, 143
    stopped by SIGINT, SIGTERM, the next run does the rest.
    """
    from pipeline.commands.outcome import failing
    from pipeline.contract.calendar import DAY_US, rfc3339, utc_day
    from pipeline.storage.tombstones import Tombstone, Tombstones

    match = _days(keep)
    if match is None:
        refuse(f"--keep must be a number of days such as 400d, not {keep!r}")
    days, found, at = int(match[1]), settings(data_dir=data_dir), instant(now)
    if days < _API_DAYS:
        typer.echo(f"warning: the API looks back 12 months: with less than {_API_DAYS}d it shows zeros there", err=True)
    floor = utc_day(at - (days - 1) * DAY_US).isoformat()
    with failing():
        before = Tombstones.read(found.data_dir).floor
    if before > floor:
        typer.echo(f"the first day kept stays {before}, not {floor}: what went cannot come back", err=True)
    else:
        typer.echo(f"the first day kept is {floor}", err=True)
    erase(found, at, [Tombstone("floor", rfc3339(at), day=floor)], apply=apply)
