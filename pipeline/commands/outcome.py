"""What the commands that load or erase share: they show progress, report failures, and print a run's numbers."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.commands.as_json import show_json_line
from pipeline.commands.exit_codes import BUSY, FAILED, REJECTED, UNREADABLE
from pipeline.commands.options import refuse
from pipeline.commands.signals import Stop, stoppable
from pipeline.streams import note, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.commands.run_metrics import RunMetrics
    from pipeline.contract.settings import Settings
    from pipeline.load.results import FileError, RunReport

WHAT_TO_DO: Final = (
    "could not be read to the end, so that the data count as no newer:"
    " mend or remove each, or take it as it is with `usage run --accept FILE`"
)


def load(
    settings: "Settings",
    now: int,
    *,
    strict: bool = False,
    as_json: bool = False,
    metrics: "RunMetrics | None" = None,
    **what: Any,
) -> None:
    """Run the pipeline, print its numbers, and exit as documented.

    Args:
        settings: where the data folder is.
        now: when the run starts, in microseconds UTC.
        strict: exit 3 if lines were rejected.
        as_json: print the report as one line of JSON.
        metrics: gets the figures of the run; None if nobody wants them.
        what: further arguments of `pipeline.run.run`.
    """
    with stoppable() as stop:
        run_once(settings, now, stop, strict=strict, as_json=as_json, metrics=metrics, **what)


def run_once(
    settings: "Settings",
    now: int,
    stop: Stop,
    *,
    strict: bool = False,
    as_json: bool = False,
    metrics: "RunMetrics | None" = None,
    **what: Any,
) -> None:
    """Do the same as `load`, with signals handled by the caller: `stop` ends the run at a safe point."""
    from pipeline import run as pipeline_run
    from pipeline.commands.progress import show_progress

    with nullcontext(_ignore) if metrics is None else metrics.recorded() as record:
        with reporting_failures(*what.get("paths", ())), show_progress() as progress:
            report = pipeline_run.run(settings, now, progress=progress, pause=stop.pause, **what)
        record(report)
        _print_report(report, as_json=as_json)
        _refresh_views(settings)
        if report.errors:
            raise SystemExit(UNREADABLE)
        if strict and report.rejected:
            raise SystemExit(REJECTED)


def _ignore(_: object) -> None:
    pass


def _refresh_views(settings: "Settings") -> None:
    """Update `usage.duckdb` to the published tables; they are complete without it, so a failure is only a warning."""
    if not isinstance(settings.data, Path):
        return  # the views are over a folder
    from pipeline.analysis import database

    try:
        database.refresh(settings.data.absolute())
    except (OSError, MemoryError, RuntimeError, ValueError) as error:  # the last two are of libraries, without memory
        why = " ".join(str(error).split()) or "out of memory"
        note(f"warning: {database.DATABASE} could not be written, but the tables are complete: {why}")


@contextmanager
def reporting_failures(*paths: Path) -> Iterator[None]:
    """Print in one line why a command failed, and exit as documented; `paths` are those that the user named."""
    import sqlite3

    from pipeline.contract.directory import DirectoryError
    from pipeline.load.listing import PathError, RawFolderError
    from pipeline.load.rebuild import RawGoneError, remedy
    from pipeline.load.unread import AcceptError
    from pipeline.storage.lock import BusyError
    from pipeline.storage.store import DamagedError

    try:
        yield
    except BusyError as error:
        note(f"{error}; try again when it is done")
        raise SystemExit(BUSY) from None
    except RawGoneError as error:
        refuse(f"{error}; restore them, or add --accept-loss")
    except RawFolderError as error:
        refuse(f"{error}; nothing was read: mount or create this folder, or name another data folder with --data-dir")
    except (PathError, AcceptError) as error:
        refuse(str(error))
    except (OSError, RuntimeError, MemoryError, DirectoryError, sqlite3.Error) as error:
        if isinstance(error, FileNotFoundError) and error.filename in map(str, paths):
            refuse(f"{error.filename}: no such file")
        where = "state.sqlite: " if isinstance(error, sqlite3.Error) else ""
        what = "out of memory" if isinstance(error, MemoryError) else " ".join(str(error).split())
        note(f"error: {where}{what}")
        if isinstance(error, DamagedError) and error.uri != "state.sqlite":
            note(f"{error.uri}: {remedy(error.uri)}")
        note("the next run does the rest; `usage run --rebuild` repairs damaged files")
        raise SystemExit(FAILED) from None


def _print_report(report: "RunReport", *, as_json: bool) -> None:
    from pipeline.contract.text import printable
    from pipeline.load.results import hints

    if as_json:
        show_json_line(report)
    else:
        show(
            f"{report.lines:,} lines = {report.accepted:,} accepted + {report.duplicates:,} duplicates"
            f" + {report.rejected:,} rejected + {report.blank:,} blank, from {report.files:,} files"
            f" in {sum(report.seconds.values()):.2f} s;"
            f" {report.partitions:,} partitions of {report.workspaces:,} workspaces written;"
            f" data as of {report.data_as_of or 'an unknown time: no run has read all of raw/ yet'}"
        )
    for reason, lines in report.reasons.items():
        note(f"  rejected {lines:,} {reason}")
    if report.ignored.count:
        note(f"  ignored {printable(report.ignored.described)}")
    for warning in report.warnings:
        note(f"warning: {warning}")
    for hint in hints(report):
        note(printable(hint))
    if report.errors:
        print_unread(report.errors, report.unread)


def print_unread(errors: "Sequence[FileError]", count: int) -> None:
    """Print on stderr which files are unread, `count` in all, and what to do about them."""
    from pipeline.contract.text import printable

    for failure in errors:
        note(f"  {printable(failure.file)}: {printable(failure.error)}")
    if count > len(errors):
        note(f"  and {count - len(errors):,} more: `usage status` lists all of them")
    note(f"{count:,} {WHAT_TO_DO}")
