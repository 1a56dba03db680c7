"""What several commands ask for in the same words."""

import os
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from pipeline.commands.exit_codes import WRONG_USAGE
from pipeline.contract import formats
from pipeline.contract.settings import SettingError, Settings

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="The data folder, else USAGE_DATA_DIR.", show_default=False)
]
Now = Annotated[
    str | None, typer.Option("--now", help="Act as if it were this instant (RFC 3339).", show_default=False)
]


def settings(**overrides: Any) -> Settings:
    """Return the settings of the environment with those given on the command line; exit 2 where one is wrong."""
    try:
        return Settings.read(os.environ, **overrides)
    except SettingError as error:
        refuse(str(error))


def instant(now: str | None) -> int:
    """Return `--now`, or the clock's now, in microseconds UTC; exit 2 where it is no instant."""
    if now is None:
        return time.time_ns() // 1000
    try:
        return formats.instant(now)
    except formats.FormatError:
        refuse(f"--now must be an RFC 3339 date-time with offset such as 2026-11-24T12:00:00Z, not {now!r}")


def refuse(message: str) -> NoReturn:
    """Say on stderr what is wrong with the command, and exit 2."""
    typer.echo(message, err=True)
    raise typer.Exit(WRONG_USAGE)
