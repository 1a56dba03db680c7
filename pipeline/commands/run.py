"""`usage run`: load new raw logs and publish the results, once or on a schedule."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.options import (
    add_data_dir,
    add_json,
    add_now,
    add_workspaces,
    instant,
    refuse,
    settings,
    workspace_ids,
)
from pipeline.commands.outcome import load
from pipeline.commands.parser import Parser, whole_number
from pipeline.commands.schedule import IntervalError, parse_interval, repeat
from pipeline.streams import note

if TYPE_CHECKING:
    from pipeline.commands.run_metrics import RunMetrics
    from pipeline.contract.settings import Settings
    from pipeline.load.rebuild import Rebuild


def options(parser: Parser) -> None:
    """Add the options of `usage run`."""
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="Raw files or folders to read (default: all of raw/)."
    )
    add_data_dir(parser)
    parser.add_argument(
        "--workers",
        type=whole_number(0),
        metavar="N",
        help="Number of processes; 0 means one per core (default: USAGE_WORKERS).",
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="Scheduler of a cluster that does the work, e.g. tcp://host:8786 (default: USAGE_CLUSTER).",
    )
    parser.add_argument("--strict", action="store_true", help="Exit 3 if lines were rejected.")
    parser.add_argument("--rebuild", action="store_true", help="Rebuild the tables from all raw files.")
    add_workspaces(parser, "With --rebuild: UUID of a workspace; repeat for more (default: all).")
    parser.add_argument("--since", metavar="MONTH", help="With --rebuild: first UTC month, e.g. 2026-10.")
    parser.add_argument("--until", metavar="MONTH", help="With --rebuild: last UTC month, e.g. 2026-10.")
    parser.add_argument("--accept-loss", action="store_true", help="With --rebuild: lose events of missing raw files.")
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="FILE",
        help="An unread file that counts as whole as it is; repeat for more.",
    )
    add_json(parser, "Print one JSON object on a line, for programs.")
    parser.add_argument("--every", metavar="30s|5m|1h", help="Run now, then at this interval by the clock.")
    parser.add_argument(
        "--metrics", type=Path, metavar="FILE", help="Write the figures of runs to this file, for Prometheus."
    )
    add_now(parser)


def command(
    *,
    paths: list[Path],
    data_dir: str | None,
    workers: int | None,
    cluster: str | None,
    strict: bool,
    rebuild: bool,
    workspaces: list[str],
    since: str | None,
    until: str | None,
    accept_loss: bool,
    accept: list[str],
    as_json: bool,
    every: str | None,
    metrics: Path | None,
    now: str | None,
) -> None:
    """Load new raw logs and publish the results.

    Exit codes: 0 done; 1 failed, nothing published; 2 wrong options, or no raw/ that can be listed; 3 done, but lines
    were rejected (with --strict); 4 done, except for raw files that could not be read, now or earlier; 75 another run
    is at work; 130, 143 stopped by SIGINT, SIGTERM. With --every only a signal ends the command: the outcome of each
    run is printed, and the next run follows.
    """
    rebuilt = _rebuild(rebuild, paths, workspaces, since, until, accept_loss)
    if every is not None:
        if paths or rebuilt or strict or accept or now is not None:
            refuse("--every loads what is new, by the clock: leave out PATH, --rebuild, --strict, --accept and --now")
        interval, found = _interval(every), _settings(data_dir, workers, cluster)
        repeat(found, interval, as_json=as_json, metrics=_metrics(metrics, found))
    if accept and (paths or rebuilt):
        refuse("--accept goes with a run of all of raw/: leave out PATH and --rebuild")
    found = _settings(data_dir, workers, cluster)
    load(
        found,
        instant(now),
        strict=strict,
        as_json=as_json,
        metrics=_metrics(metrics, found),
        paths=paths,
        rebuild=rebuilt,
        accept=accept,
    )


def _settings(data_dir: str | None, workers: int | None, cluster: str | None) -> "Settings":
    """Return the settings; exit 2 if a cluster cannot do the work. Warn if its port is open to others."""
    from pipeline.load.cluster.address import Address, AddressError

    found = settings(data_dir=data_dir, workers=workers, cluster=cluster)
    if not found.cluster:
        return found
    try:
        address = Address.parse(found.cluster)
    except AddressError as error:
        refuse(f"--cluster must be {error}")
    if isinstance(found.data, Path) or isinstance(found.raw, Path):
        refuse("--cluster needs USAGE_DATA_DIR and USAGE_RAW on an object store: other machines cannot see a folder")
    if address.warning:
        note(f"warning: {address.warning}")
    return found


def _metrics(path: Path | None, found: "Settings") -> "RunMetrics | None":
    """Return what writes the figures of runs; exit 2 if there is no folder for them."""
    if path is None:
        return None
    from pipeline.commands.run_metrics import RunMetrics

    if not path.parent.is_dir() or path.is_dir():
        refuse(f"--metrics must be a file in a folder that exists, not {str(path)!r}")
    return RunMetrics(path, found)


def _interval(text: str) -> int:
    try:
        return parse_interval(text)
    except IntervalError as error:
        refuse(f"--every must be {error}")


def _rebuild(
    wanted: bool,
    paths: list[Path],
    workspaces: list[str],
    since: str | None,
    until: str | None,
    accept_loss: bool,
) -> "Rebuild | None":
    """Return what to rebuild; exit 2 if the options do not go together."""
    from pipeline.load.rebuild import Rebuild

    if not wanted:
        if workspaces or since or until or accept_loss:
            refuse("--workspace, --since, --until and --accept-loss need --rebuild")
        return None
    if paths:
        refuse("--rebuild reads all raw files: leave out PATH")
    for option, month in (("--since", since), ("--until", until)):
        if month and not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
            refuse(f"{option} must be a month such as 2026-10, not {month!r}")
    if since and until and since > until:
        refuse(f"--since {since} is after --until {until}")
    return Rebuild(frozenset(workspace_ids(workspaces)), since or "", accept_loss, until or "")
