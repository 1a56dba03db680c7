"""`usage retention`: erase the days before those that are kept, for good."""

import re

from pipeline.commands.erasing import add_options, erase
from pipeline.commands.options import instant, refuse, settings
from pipeline.commands.outcome import reporting_failures
from pipeline.commands.parser import Parser
from pipeline.streams import note

_days = re.compile(r"([1-9][0-9]{0,4})d", re.ASCII).fullmatch
# The monthly view shows 12 calendar months, the current one included.
_API_DAYS = 400


def options(parser: Parser) -> None:
    """Add the options of `usage retention`."""
    parser.add_argument("--keep", required=True, metavar="DAYS", help="UTC days to keep, today included, e.g. 400d.")
    add_options(parser)


def command(*, keep: str, apply: bool, as_json: bool, data_dir: str | None, now: str | None) -> None:
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
    warnings = [f"the API looks back 12 months: keep {_API_DAYS}d, or it shows zeros there"] if days < _API_DAYS else []
    floor = utc_day(at - (days - 1) * DAY_US).isoformat()
    with reporting_failures(), open_store(found) as store:
        before = store.tombstones().floor
    if before > floor:
        note(f"the first day kept stays {before}, not {floor}: erased days cannot be restored")
    else:
        note(f"the first day kept is {floor}")
    asked = {"first_day_kept": max(before, floor)}
    erase(
        found,
        at,
        [Tombstone("floor", rfc3339(at), day=floor)],
        apply=apply,
        as_json=as_json,
        asked=asked,
        warnings=warnings,
    )
