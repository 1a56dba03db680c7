"""Load a service for minutes while its data change; exit 1 on any error.

    python -m benchmarks.soak [--minutes 5] [--workers 1] [--faults] [--replicas 2]

Runs commit new logs every few seconds, including late and repeated records; users and a workspace are erased, the
retention floor rises, keys are added and removed, the directory changes and breaks. Meanwhile `wrk`, if installed, adds
load, and consistency readers check every answer. If root may mount it so, the service sees the data folder read-only.
At the end all answers must equal those of a freshly started service. With `--faults` workers are killed and the service
is restarted meanwhile; then readers may meet a broken connection, but never a wrong answer. With `--replicas` the data
lie on an object store, SeaweedFS on loopback, and so many services read them with a key that may not write.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
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
from benchmarks.sites import folder_site, object_site
from pipeline.contract.calendar import RANGES, VIEWS

_PAUSE_SECONDS: Final = 2.0  # between runs
_KEY_STEPS: Final = 3  # a new key is tried in one step of so many, since services take seconds to notice it
_LOOK_SECONDS: Final = 0.05
_LOOKS: Final = 20  # at open files
_FOLLOWED_SECONDS: Final = 30  # within which every service must have the last commit
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
        yield f"{self.commits} commits in {self.seconds:.0f} s; data {'' if self.read_only else 'not '}read-only"
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


def soak(
    seconds: float,
    workers: int,
    *,
    steps: int = 1,
    pressure: bool = True,
    faults: bool = False,
    replicas: int = 0,
    directory: bool = True,
) -> Report:
    """Load a service for some time while its data change.

    Args:
        seconds: the least time under load; preparation and comparison take about ten seconds more.
        workers: the number of the workers of each service.
        steps: the least number of times that the data change.
        pressure: add load from `wrk`, if it is installed.
        faults: kill workers and restart the service.
        replicas: how many services there are of data on an object store; 0 for one service of a folder.
        directory: change the directory, too.
    """
    report = Report()
    with object_site() if replicas else folder_site() as site, ExitStack() as stack:
        churn, over = Churn(site, directory=directory), threading.Event()
        report.read_only = site.is_read_only
        servers = [
            stack.enter_context(Restartable(site.seen, workers, site.settings(number)))
            for number in range(max(1, replicas))
        ]
        sides = [threading.Thread(target=_read, args=(servers, churn, over, faults, report))]
        sides.append(threading.Thread(target=_measure_workers, args=(servers[0], seconds, over, report)))
        if pressure and shutil.which("wrk"):
            sides += [
                threading.Thread(target=_press, args=(one, churn, seconds, faults, report)) for one in servers[:1]
            ]
        start = time.monotonic()
        for side in sides:
            side.start()
        _change(churn, servers, start + seconds, steps, faults, report)
        over.set()
        for side in sides:
            side.join()
        report.seconds, report.commits = time.monotonic() - start, churn.commits
        report.kills, report.restarts = sum(one.kills for one in servers), sum(one.restarts for one in servers)
        if directory:
            churn.write_accounts(quota=1)
            time.sleep(site.directory_seconds)
        with served(site.seen, None, settings=site.settings(len(servers))) as fresh:
            for server in servers:
                _follow(server, fresh)
                _compare(server, fresh, churn, report)
    if not faults:  # a worker that is new has not filled its caches
        _look_for_leaks(report)
    return report


def _change(churn: Churn, servers: list[Restartable], until: float, steps: int, faults: bool, report: Report) -> None:
    for number in count():
        if number >= steps and time.monotonic() > until:
            return
        try:
            churn.step(number)
            if number % _KEY_STEPS == 0:
                churn.add_and_remove_key([server.url for server in servers])
            server = servers[number % len(servers)]
            if faults and number % 3 == 1:
                server.restart()
            elif faults and number % 3 == 0:  # in the third step the directory is broken, and nothing could start
                server.kill_worker()
        except Exception as error:  # noqa: BLE001 - any error is one of the report
            report.errors.append(f"churn: {error}")
            return
        time.sleep(max(0, min(_PAUSE_SECONDS, until - time.monotonic())))


def _read(servers: list[Restartable], churn: Churn, over: threading.Event, faults: bool, report: Report) -> None:
    """Run the consistency readers until `over`, and add their findings to the report."""
    workspaces = [WatchedWorkspace(key, k not in {USERS_ERASED, ERASED}) for k, key in enumerate(churn.keys)]
    command = [sys.executable, "-m", "benchmarks.consistency_reader"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=_ROOT) as reader:  # noqa: S603 - our own
        if reader.stdin is not None:
            task = Task([one.url for one in servers], workspaces, _THREADS, 1, _PATIENCE_SECONDS * faults)
            reader.stdin.write(msgspec.json.encode(task) + b"\n")
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
        files = _open_files(pids)
        for _ in range(_LOOKS if seconds else 0):  # for an answer, a worker opens dozens of copies for a moment
            time.sleep(_LOOK_SECONDS)
            files = min(files, _open_files(pids))
        report.held.append(Worker(max(map(resident_kib, pids), default=0) / 1024, files))


def _open_files(pids: list[int]) -> int:
    """Return the open files of the process that has most of them."""
    folders = [Path(f"/proc/{pid}/fd") for pid in pids]
    return max((len(list(folder.iterdir())) for folder in folders if folder.exists()), default=0)


def _look_for_leaks(report: Report) -> None:
    if report.seconds < _FILLED_SECONDS or not report.held:
        return
    *_, middle, end = report.held
    if end.mib > middle.mib * _LEAK_FACTOR + _LEAK_MIB:
        report.errors.append(f"memory grew from {middle.mib:.0f} to {end.mib:.0f} MiB")
    if end.files > middle.files + _LEAK_FILES:
        report.errors.append(f"open files grew from {middle.files} to {end.files}")


def _follow(server: Restartable, fresh: Process) -> None:
    """Wait until a service has the commit that a fresh one has.

    Raises:
        TimeoutError: it takes too long.
    """
    until = time.monotonic() + _FOLLOWED_SECONDS
    while _sequence(server.url) != _sequence(fresh.url):
        if time.monotonic() > until:
            raise TimeoutError(f"{server.url} does not follow the commits")
        time.sleep(_LOOK_SECONDS)


def _sequence(url: str) -> str:
    """Return the number of the commit that a service answers from."""
    with urllib.request.urlopen(f"{url}/metrics") as answer:  # noqa: S310 - http on loopback
        return str(re.findall(r"(?m)^usage_published_sequence (.+)$", answer.read().decode())[0])


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


def main() -> None:
    """Run the soak test and print its report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--faults", action="store_true", help="kill workers and restart the service")
    parser.add_argument("--replicas", type=int, default=0, help="services of data on an object store")
    asked = parser.parse_args()
    report = soak(asked.minutes * 60, asked.workers, faults=asked.faults, replicas=asked.replicas)
    print(*report.lines(), sep="\n")  # noqa: T201
    sys.exit(bool(report.errors))


if __name__ == "__main__":
    main()
