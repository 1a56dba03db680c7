"""`usage files`: list the current files of the tables, for tools that read Parquet by themselves.

Writes paths or URLs to stdout, or a DuckDB database over them to a file.
"""

import re
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.exit_codes import FAILED
from pipeline.commands.interrupts import interruptible
from pipeline.commands.options import (
    add_data_dir,
    add_json,
    add_workspaces,
    refuse,
    settings,
    workspace_ids,
)
from pipeline.commands.parser import Parser, one_of
from pipeline.streams import note, show

if TYPE_CHECKING:
    from pipeline.analysis.current import Selection
    from pipeline.storage.store import Store


TABLES = ("events", "cube", "actors", "quarantine")
_days = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?", re.ASCII).fullmatch


def options(parser: Parser) -> None:
    """Add the options of `usage files`."""
    parser.add_argument(
        "--table",
        dest="tables",
        action="append",
        default=[],
        type=one_of(TABLES),
        metavar="|".join(TABLES),
        help="A table; repeat for more (default: events).",
    )
    add_workspaces(parser)
    parser.add_argument("--days", metavar="FROM..TO", help="UTC days, such as 2026-11-01..2026-11-30 (default: all).")
    add_json(parser, "Print one JSON object per line.")
    parser.add_argument(
        "--duckdb",
        type=Path,
        metavar="FILE",
        help="On an object store: write a DuckDB database over the files instead.",
    )
    parser.add_argument("--force", action="store_true", help="Let --duckdb replace an existing file.")
    add_data_dir(parser)


def command(
    *,
    tables: list[str],
    workspaces: list[str],
    days: str | None,
    as_json: bool,
    duckdb: Path | None,
    force: bool,
    data_dir: str | None,
) -> None:
    """List the current files of the tables, for tools that read Parquet.

    On an object store, all files are of one snapshot, and stay until 15 minutes after a later commit replaced them. In
    a data folder, a run replaces them at once, so list and read them between two runs.

    Exit codes: 0 done; 1 a run published something meanwhile, or the files cannot be listed; 2 wrong options.
    """
    from pipeline.storage.opened import open_store

    found = settings(data_dir=data_dir)
    wanted = _selection(workspaces, days)
    if duckdb is None and force:
        refuse("--force needs --duckdb")
    if (workspaces or days) and "quarantine" in tables:
        refuse("--workspace and --days cannot select files of the quarantine, which has the lines of whole raw files")
    if isinstance(found.data, Path):
        if not found.data.is_dir():
            refuse(f"{found.data}: no such folder")
        if duckdb is not None:
            refuse("--duckdb is for an object store: in a data folder, usage.duckdb is kept up to date by every run")
    if duckdb is not None and (tables or as_json):
        refuse("--duckdb takes no --table and no --json: the database has all tables")
    with interruptible(), open_store(found) as store:
        if duckdb is not None and not isinstance(found.data, Path):
            _write(duckdb, store, found.data.url, wanted, force=force)
        else:
            _print(store, tables or TABLES[:1], wanted, as_json=as_json)


def _selection(workspaces: list[str], days: str | None) -> "Selection":
    from pipeline.analysis.current import Selection

    wanted = sorted(set(workspace_ids(workspaces)))
    if days is None:
        return Selection(wanted)
    try:
        first, last = (date.fromisoformat(day).isoformat() for day in _bounds(days))
    except ValueError:
        refuse(f"--days must be a UTC day, or two such as 2026-11-01..2026-11-30, not {days!r}")
    if last < first:
        refuse(f"--days must name the first day first, not {days!r}")
    return Selection(wanted, first, last)


def _bounds(days: str) -> tuple[str, str]:
    """Return the first and the last day.

    Raises:
        ValueError: the text is neither a day nor two.
    """
    found = _days(days)
    if found is None:
        raise ValueError(days)
    return found[1], found[2] or found[1]


def _print(store: "Store", tables: Sequence[str], wanted: "Selection", *, as_json: bool) -> None:
    import msgspec

    from pipeline.analysis.current import current_files

    try:
        for table in dict.fromkeys(tables):
            for file in current_files(store, table, wanted):
                show(msgspec.json.encode(file).decode() if as_json else file.path)
    except FileNotFoundError:
        note("error: a run published new files: run this again")
        raise SystemExit(FAILED) from None


def _write(path: Path, store: "Store", address: str, wanted: "Selection", *, force: bool) -> None:
    from pipeline.analysis.current import write_database
    from pipeline.commands import target
    from pipeline.storage import destination

    target.check(path, force=force)
    with tempfile.TemporaryDirectory(prefix="usage-files-") as folder, destination.opened(path) as file:
        written = Path(folder) / "usage.duckdb"
        write_database(written, store, address, wanted)
        file.write(written.read_bytes())
