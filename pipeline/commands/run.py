"""`usage run`: load new raw logs and publish the results, once or on a schedule."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.app import app
from pipeline.commands.options import DataDir, Now, instant, refuse, settings
from pipeline.commands.outcome import load
from pipeline.commands.schedule import IntervalError, parse_interval, repeat

if TYPE_CHECKING:
    from pipeline.commands.run_metrics import RunMetrics
    from pipeline.contract.settings import Settings
    from pipeline.load.rebuild import Rebuild


@app.command()
def run(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Raw files or folders to read.", show_default="all of raw/")
    ] = None,
    data_dir: DataDir = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Number of processes; 0 means one per core.", show_default="USAGE_WORKERS")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Scheduler of a cluster that does the work, e.g. tcp://host:8786.",
            show_default="USAGE_CLUSTER",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 3 if lines were rejected.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Rebuild the tables from all raw files.")] = False,
    workspace: Annotated[
        list[str] | None, typer.Option(help="With --rebuild: UUID of a workspace; repeat for more.", show_default="all")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="With --rebuild: first UTC month, e.g. 2026-10.", show_default="all")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="With --rebuild: last UTC month, e.g. 2026-10.", show_default="all")
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="With --rebuild: lose events of missing raw files.")
    ] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="An unread file that counts as whole as it is; repeat for more.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on a line, for machines.")] = False,
    every: Annotated[
        str | None,
        typer.Option(metavar="30s|5m|1h", help="Run now, then at this interval by the clock.", show_default=False),
    ] = None,
    metrics: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the figures of runs to this file, for Prometheus.", show_default=False
        ),
    ] = None,
    now: Now = None,
) -> None:
    """Load new raw logs and publish the results.

    Exit codes: 0 done; 1 failed, nothing published; 2 wrong options, or no raw/ that can be listed; 3 done, but lines
    were rejected (with --strict); 4 done, except for raw files that could not be read, now or earlier; 75 another run
    is at work; 130, 143 stopped by SIGINT, SIGTERM. With --every only a signal ends the command: the outcome of each
    run is printed, and the next run follows.
    """
    rebuilt = _rebuild(rebuild, paths, workspace, since, until, accept_loss)
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
        paths=paths or (),
        rebuild=rebuilt,
        accept=accept or (),
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
        typer.echo(f"warning: {address.warning}", err=True)
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
    paths: list[Path] | None,
    workspaces: list[str] | None,
    since: str | None,
    until: str | None,
    accept_loss: bool,
) -> "Rebuild | None":
    """Return what to rebuild; exit 2 if the options do not go together."""
    from pipeline.contract import formats
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
    try:
        return Rebuild(frozenset(map(formats.uuid, workspaces or ())), since or "", accept_loss, until or "")
    except formats.FormatError as error:
        refuse(f"--workspace must be a UUID, not {str(error)!r}")
