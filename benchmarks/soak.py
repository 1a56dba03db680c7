"""Load a service for minutes while its data change; exit 1 on any error.

    python -m benchmarks.soak [--minutes 5] [--workers 1] [--faults]

Runs commit new logs every few seconds, including late and repeated records; users and a workspace are erased, the
retention floor rises, keys are added and removed, the directory changes and breaks. Meanwhile `wrk`, if installed, adds
load, and consistency readers check every answer. If root may mount it so, the service sees the data folder read-only.
At the end all answers must equal those of a freshly started service. With `--faults` workers are killed and the service
is restarted meanwhile; then readers may meet a broken connection, but never a wrong answer.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, product
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from benchmarks.atomic_batches import PART_CREDITS, PARTS
from benchmarks.churn import ERASED, USERS_ERASED, Churn
from benchmarks.consistency_reader import ACTIVITY, LANGUAGE, SUMMARY, Client, Findings, Task, WatchedWorkspace
from benchmarks.faults import Restartable
from benchmarks.measuring import family, resident_kib
from benchmarks.serving import Load, Process, load, served
from pipeline.contract.calendar import RANGES, VIEWS

_PAUSE_SECONDS: Final = 2.0  # between runs
_DIRECTORY_SECONDS: Final = 1.5  # by then the last change of the directory is certainly in force
_THREADS: Final = 6
_PRESSURE_CONNECTIONS: Final = 8
_LEAK_FACTOR, _LEAK_MIB, _LEAK_FILES = 1.2, 24, 32  # growth from the middle to the end that counts as a leak
_FILLED_SECONDS: Final = 120  # the service's cache of answers is full by then; growth before that is not a leak
_ZONES: Final = ("UTC", "Asia/Kathmandu", "America/St_Johns")
_SHOWN: Final = 20  # errors
_PATIENCE_SECONDS: Final = 15  # of readers, when connections may break
_ROOT: Final = Path(__file__).parents[1]


class Worker(msgspec.Struct, frozen=True):
    """Memory and open files of the largest worker."""

    mib: float
    files: int


class Report(msgspec.Struct):
    """The result of a soak test."""

    commits: int = 0
    kills: int = 0
    restarts: int = 0
    read_only: bool = False
    errors: list[str] = msgspec.field(default_factory=list)
    checks: dict[str, int] = msgspec.field(default_factory=dict)
    seconds: float = 0
    milliseconds: list[float] = msgspec.field(default_factory=list)
    compared: int = 0
    held: list[Worker] = msgspec.field(default_factory=list)  # at the start, in the middle, at the end
    pressure: Load | None = None  # from `wrk`

    def lines(self) -> Iterator[str]:
        """Yield the lines of the printed report."""
        ordered = sorted(self.milliseconds)
        checks = ", ".join(f"{number:,} {name}" for name, number in sorted(self.checks.items()))
        yield f"{self.commits} commits in {self.seconds:.0f} s; data folder {'' if self.read_only else 'not '}read-only"
        yield f"{self.kills} workers killed, {self.restarts} restarts"
        yield f"{len(ordered):,} answers checked ({len(ordered) / self.seconds:,.0f} per second); checks: {checks}"
        if ordered:
            yield f"p50 {statistics.median(ordered):.1f} ms, p99 {ordered[len(ordered) * 99 // 100]:.1f} ms"
        if self.pressure:
            yield (
                f"answers to wrk: {self.pressure.rate:,.0f} per second, p50 {self.pressure.p50:.1f} ms,"
                f" p99 {self.pressure.p99:.1f} ms"
            )
        yield "largest worker, start / middle / end: " + " / ".join(f"{held.mib:.0f} MiB" for held in self.held)
        yield "open files, start / middle / end: " + " / ".join(str(held.files) for held in self.held)
        yield f"{self.compared} answers compared with a fresh service's"
        yield from (f"ERROR {error}" for error in self.errors[:_SHOWN])
        yield f"{len(self.errors)} errors"


def soak(seconds: float, workers: int, *, steps: int = 1, pressure: bool = True, faults: bool = False) -> Report:
    """Load a service for some time while its data change.

    Args:
        seconds: the least time under load; preparation and comparison take about ten seconds more.
        workers: the number of the service's workers.
        steps: the least number of times that the data change.
        pressure: add load from `wrk`, if it is installed.
        faults: kill workers and restart the service.
    """
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        churn, over = Churn(Path(folder) / "data"), threading.Event()
        with (
            _read_only(Path(folder) / "data") as (seen, report.read_only),
            Restartable(seen, workers) as server,
        ):
            sides = [
                threading.Thread(target=_read, args=(server, churn, over, faults, report)),
                threading.Thread(target=_measure_workers, args=(server, seconds, over, report)),
            ]
            if pressure and shutil.which("wrk"):
                sides.append(threading.Thread(target=_press, args=(server, churn, seconds, faults, report)))
            start = time.monotonic()
            for side in sides:
                side.start()
            _change(churn, server, start + seconds, steps, faults, report)
            over.set()
            for side in sides:
                side.join()
            report.seconds, report.commits = time.monotonic() - start, churn.commits
            report.kills, report.restarts = server.kills, server.restarts
            churn.write_accounts(quota=1)
            time.sleep(_DIRECTORY_SECONDS)
            with served(seen, None) as fresh:
                _compare(server, fresh, churn, report)
    if not faults:  # a worker that is new has not filled its caches
        _look_for_leaks(report)
    return report


def _change(churn: Churn, server: Restartable, until: float, steps: int, faults: bool, report: Report) -> None:
    for number in count():
        if number >= steps and time.monotonic() > until:
            return
        try:
            churn.step(number)
            churn.add_and_remove_key(server.url)
            if faults and number % 3 == 1:
                server.restart()
            elif faults and number % 3 == 0:  # in the third step the directory is broken, and nothing could start
                server.kill_worker()
        except Exception as error:  # noqa: BLE001 - any error is one of the report
            report.errors.append(f"churn: {error}")
            return
        time.sleep(max(0, min(_PAUSE_SECONDS, until - time.monotonic())))


def _read(server: Restartable, churn: Churn, over: threading.Event, faults: bool, report: Report) -> None:
    """Run the consistency readers until `over`, and add their findings to the report."""
    workspaces = [WatchedWorkspace(key, k not in {USERS_ERASED, ERASED}) for k, key in enumerate(churn.keys)]
    command = [sys.executable, "-m", "benchmarks.consistency_reader"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=_ROOT) as reader:  # noqa: S603 - our own
        if reader.stdin is not None:
            reader.stdin.write(
                msgspec.json.encode(Task(server.url, workspaces, _THREADS, 1, _PATIENCE_SECONDS * faults)) + b"\n"
            )
            reader.stdin.flush()
        over.wait()
        output, errors = reader.communicate()
    if reader.returncode:
        report.errors.append(f"the consistency reader exited with {reader.returncode}: {errors.decode()[-500:]}")
        return
    findings = msgspec.json.decode(output, type=Findings)
    report.checks, report.milliseconds = findings.checks, findings.milliseconds
    report.errors += findings.errors


def _press(server: Restartable, churn: Churn, seconds: float, faults: bool, report: Report) -> None:
    headers = [f"Authorization: Bearer {churn.keys[1]}"]
    found = load(server.url, _paths(), seconds=max(1, int(seconds)), headers=headers, connections=_PRESSURE_CONNECTIONS)
    report.pressure = found
    failed = found.refused if faults else found.errors
    if failed:
        report.errors.append(f"wrk: {failed} requests failed")


def _measure_workers(server: Restartable, seconds: float, over: threading.Event, report: Report) -> None:
    """Measure the largest worker when it is warm, in the middle and at the end."""
    for share in (0.1, 0.4, 1):  # of `seconds`, to wait before each measurement
        over.wait(share * seconds)
        pids = family(server.pid)[1:]
        if not pids and not server.restarts:
            report.errors.append("the service has ended")
            return
        files = [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids if Path(f"/proc/{pid}/fd").exists()]
        report.held.append(Worker(max(map(resident_kib, pids), default=0) / 1024, max(files, default=0)))


def _look_for_leaks(report: Report) -> None:
    if report.seconds < _FILLED_SECONDS or not report.held:
        return
    *_, middle, end = report.held
    if end.mib > middle.mib * _LEAK_FACTOR + _LEAK_MIB:
        report.errors.append(f"memory grew from {middle.mib:.0f} to {end.mib:.0f} MiB")
    if end.files > middle.files + _LEAK_FILES:
        report.errors.append(f"open files grew from {middle.files} to {end.files}")


def _compare(server: Restartable, fresh: Process, churn: Churn, report: Report) -> None:
    """Check that the service that was under load answers like a fresh one, and with what was loaded."""
    for key, workspace in zip(churn.keys, churn.workspaces, strict=True):
        both = [Client(each.url, key) for each in (server, fresh)]
        used = both[0].ask(f"{LANGUAGE}?range=90d").data["total_credits"]
        if used != churn.batches[workspace] * PARTS * PART_CREDITS:
            report.errors.append(f"workspace {workspace}: {used} credits, {churn.batches[workspace]} batches")
        for path in _paths():
            pairs = ([each.ask(path).data for each in both] for _ in range(2))  # twice, as a day may begin in between
            if all(one != other for one, other in pairs):
                report.errors.append(f"workspace {workspace}: {path} differs from a fresh service's answer")
            report.compared += 1
        for each in both:
            each.close()


def _paths() -> list[str]:
    paths = [f"{SUMMARY}?range={range_}&activity_view={view}" for range_, view in product(RANGES, VIEWS)]
    paths += [f"{LANGUAGE}?range={range_}" for range_ in RANGES] + [f"{LANGUAGE}?activity_view={v}" for v in VIEWS]
    paths += [f"{ACTIVITY}?range={range_}&limit=100" for range_ in RANGES]
    return [f"{path}&timezone={quote(zone)}" for path in paths for zone in _ZONES]


@contextmanager
def _read_only(data: Path) -> Iterator[tuple[Path, bool]]:
    """Yield a read-only mount of a folder and True, or the folder itself and False if it cannot be mounted."""
    seen = data.with_name("seen")
    seen.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() or not mount or subprocess.run([mount, "--bind", data, seen], check=False).returncode:  # noqa: S603
        yield data, False
        return
    try:
        subprocess.run([mount, "-o", "remount,bind,ro", seen], check=True)  # noqa: S603 - a tool
        yield seen, True
    finally:
        subprocess.run(["umount", "-l", seen], check=True)  # noqa: S603, S607 - a tool


def main() -> None:
    """Run the soak test and print its report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--faults", action="store_true", help="kill workers and restart the service")
    asked = parser.parse_args()
    report = soak(asked.minutes * 60, asked.workers, faults=asked.faults)
    print(*report.lines(), sep="\n")  # noqa: T201
    sys.exit(bool(report.errors))


if __name__ == "__main__":
    main()
