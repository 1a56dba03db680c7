"""The figures of runs for Prometheus: a file for the textfile collector of node_exporter, replaced after every run.

Reads and writes the one file that it is given, and asks the data folder what waits. Counters go on from the values in
the file. Whatever is wrong with the file is a warning: it changes neither a run nor its exit code.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from pipeline import status
from pipeline.commands.exit_codes import BUSY, FAILED, REJECTED, SIGNALLED, UNREADABLE, WRONG_USAGE
from pipeline.commands.signals import StoppedError
from pipeline.contract.calendar import SECOND_US
from pipeline.contract.settings import SettingError, Settings
from pipeline.load.results import RunReport
from pipeline.status import Status
from pipeline.storage import atomic
from pipeline.streams import note
from pipeline.validation.records import Reason

_SUCCESS: Final = "usage_run_success_timestamp_seconds"
_SUCCESSES: Final = (0, REJECTED, UNREADABLE)  # all that could be read was published
_CODES: Final = (0, FAILED, WRONG_USAGE, REJECTED, UNREADABLE, BUSY)
_OUTCOMES: Final = ("accepted", "duplicates", "rejected", "blank")
_MODE: Final = 0o644  # the collector is another user

Samples = dict[tuple[str, str], float]  # by name, and by the value of the only label or ""


class RunMetrics:
    """The figures of the runs of one data folder.

    Args:
        path: of the file, in a folder that exists.
        settings: where the data are.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path, self._settings = path, settings

    @contextmanager
    def recorded(self) -> Iterator[Callable[[RunReport], None]]:
        """Write the figures of the run in the block, however it ends; yield a function that takes its report."""
        reports: list[RunReport] = []
        began = time.monotonic()
        code = FAILED
        try:
            yield reports.append
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
            raise
        except StoppedError as stopped:
            code = SIGNALLED + stopped.number
            raise
        except SettingError:
            code = WRONG_USAGE
            raise
        finally:
            self._record(code, time.monotonic() - began, reports)

    def _record(self, code: int, seconds: float, reports: Sequence[RunReport]) -> None:
        waits = None if code >= SIGNALLED else self._status()  # whoever stops a run does not want to wait
        try:
            run = _Run(_samples(self._path), code, seconds, time.time(), reports, waits)
            with atomic.replacing(self._path) as file:
                os.fchmod(file.fileno(), _MODE)
                file.write(generate_latest(_Figures(run)))
        except OSError as error:
            note(f"warning: {self._path} could not be written: {error.strerror or error}")

    def _status(self) -> Status | None:
        """Return what waits; None if that cannot be found out, as where the object store is away."""
        try:
            return status.read(self._settings, time.time_ns() // 1000, 0)
        except Exception as error:  # noqa: BLE001 - the run is over, and has said what is wrong
            why = " ".join(str(error).split()) or type(error).__name__
            note(f"warning: it is not known what waits: {why}")
            return None


class _Run(msgspec.Struct, frozen=True):
    """A run that has ended."""

    before: Samples  # of the file, as the run before left it
    code: int  # with which it exits
    seconds: float
    end: float  # seconds since 1970
    reports: Sequence[RunReport]  # none if it failed
    status: Status | None  # None: unknown


class _Figures(Collector):
    """The metrics in the file."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    def collect(self) -> Iterator[Any]:
        """Yield every metric."""
        run, lines, reasons = self._run, Counter[str](), Counter[str]()
        for report in run.reports:
            lines.update({outcome: getattr(report, outcome) for outcome in _OUTCOMES})
            reasons.update(report.reasons)
        codes = {str(run.code): 1}
        yield self._counter("usage_runs", "Runs that ended.", "exit_code", map(str, _CODES), codes)
        yield self._counter("usage_run_lines", "Lines read.", "outcome", _OUTCOMES, lines)
        yield self._counter("usage_run_rejected_lines", "Lines rejected.", "reason", get_args(Reason), reasons)
        yield GaugeMetricFamily("usage_run_exit_code", "Exit code of the last run.", run.code)
        yield GaugeMetricFamily("usage_run_end_timestamp_seconds", "End of the last run.", run.end)
        yield GaugeMetricFamily("usage_run_duration_seconds", "Duration of the last run.", run.seconds)
        success = run.end if run.code in _SUCCESSES else run.before.get((_SUCCESS, ""))
        if success is not None:
            yield GaugeMetricFamily(_SUCCESS, "End of the last run that exited with 0, 3 or 4.", success)
        if run.status is not None:
            yield from _waiting(run.status)

    def _counter(
        self, name: str, documentation: str, label: str, known: Iterable[str], more: Mapping[str, int]
    ) -> CounterMetricFamily:
        """Return a counter that goes on from the file.

        All known values of its label are there from the start: Prometheus does not see the first increase of a counter
        that begins with it.
        """
        counts: dict[str, float] = dict.fromkeys(known, 0)
        counts |= {value: count for (found, value), count in self._run.before.items() if found == f"{name}_total"}
        for value, increase in more.items():
            counts[value] = counts.get(value, 0) + increase
        family = CounterMetricFamily(name, documentation, labels=(label,))
        for value, total in counts.items():
            family.add_metric((value,), total)
        return family


def _waiting(found: Status) -> Iterator[Any]:
    """Yield what is known of the files that are not loaded, and of the age of the data."""
    if found.waiting is not None:
        files, size_bytes = found.waiting.files, found.waiting.bytes
        yield GaugeMetricFamily("usage_run_waiting_files", "Raw files that the next run would read.", files)
        yield GaugeMetricFamily("usage_run_waiting_bytes", "What it would read of them, about.", size_bytes)
        unread = len(found.unread)
        yield GaugeMetricFamily("usage_run_unread_files", "Raw files that could not be read to their end.", unread)
    if found.published is not None and found.published.data_as_of is not None:
        as_of = found.published.data_as_of / SECOND_US
        yield GaugeMetricFamily("usage_run_data_as_of_timestamp_seconds", "What is complete by then is loaded.", as_of)


def _samples(path: Path) -> Samples:
    """Return the samples of the file; none if it does not exist or is broken.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return {
            (sample.name, next(iter(sample.labels.values()), "")): sample.value
            for family in text_string_to_metric_families(path.read_text("utf-8"))
            for sample in family.samples
        }
    except (FileNotFoundError, ValueError):
        return {}
