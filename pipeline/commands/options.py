"""Options that several commands share, and how a wrong one is refused."""

import os
import time
from typing import Annotated, Any, NoReturn

import typer

from pipeline.commands.exit_codes import WRONG_USAGE
from pipeline.contract import formats
from pipeline.contract.settings import SettingError, Settings

DataDir = Annotated[str | None, typer.Option("--data-dir", help="The data folder.", show_default="USAGE_DATA_DIR")]
Now = Annotated[str | None, typer.Option("--now", help="Take this instant as now (RFC 3339).", show_default=False)]


def settings(**overrides: Any) -> Settings:
    """Return the settings: those of the command line, else of the environment. Exit 2 if one is wrong."""
    try:
        found = Settings.read(os.environ, **overrides)
    except SettingError as error:
        refuse(str(error))
    if not _is_utf8(str(found.data)):  # the libraries that write there take no other
        refuse(f"the path of the data folder must be UTF-8, not {str(found.data)!r}")
    return found


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def instant(now: str | None) -> int:
    """Return `--now`, else the clock's time, in microseconds UTC. Exit 2 if `--now` is not an instant."""
    if now is None:
        return time.time_ns() // 1000
    try:
        return formats.instant(now)
    except formats.FormatError:
        refuse(f"--now must be an RFC 3339 date-time with offset such as 2026-11-24T12:00:00Z, not {now!r}")


def refuse(message: str) -> NoReturn:
    """Print on stderr what is wrong with the command, and exit 2."""
    typer.echo(message, err=True)
    raise typer.Exit(WRONG_USAGE)
