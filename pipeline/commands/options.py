"""Options that several commands share, and how a wrong one is refused."""

import os
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from pipeline.commands.exit_codes import WRONG_USAGE
from pipeline.commands.parser import Parser
from pipeline.contract import formats
from pipeline.contract.settings import SettingError, Settings
from pipeline.streams import note


def add_data_dir(parser: Parser, *names: str) -> None:
    """Add the option that names the data folder, under further names if need be."""
    parser.add_argument(
        "--data-dir", *names, dest="data_dir", metavar="DIR", help="The data folder (default: USAGE_DATA_DIR)."
    )


def add_now(parser: Parser) -> None:
    """Add the option that replaces the clock."""
    parser.add_argument("--now", metavar="TIME", help="Take this instant as now (RFC 3339).")


def add_json(parser: Parser, what: str = "Print one JSON object, for programs.") -> None:
    """Add the option that asks for JSON."""
    parser.add_argument("--json", dest="as_json", action="store_true", help=what)


def add_workspaces(parser: Parser, what: str = "UUID of a workspace; repeat for more (default: all).") -> None:
    """Add an option that may be repeated."""
    parser.add_argument("--workspace", dest="workspaces", action="append", metavar="UUID", help=what, default=[])


def workspace_ids(texts: Sequence[str], option: str = "--workspace") -> list[str]:
    """Return UUIDs in lower case; exit 2 if a text is none."""
    try:
        return [formats.uuid(text) for text in texts]
    except formats.FormatError as error:
        refuse(f"{option} must be a UUID, not {str(error)!r}")


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
    note(message)
    raise SystemExit(WRONG_USAGE)
