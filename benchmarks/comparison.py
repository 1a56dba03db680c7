"""Compare this project with other engines in one run, on the same logs, with the same questions and equal answers.

    python -m benchmarks.comparison OUT.json [--events 200000 …] [--workspaces 20] [--days 120] [--seconds 0.5]
        [--crowd 16] [--without clickhouse …] [--folder DIR]

Every step of every engine is its own process, one after the other. Engines that are not installed are left out and
listed. Writes the results to `OUT.json`, from which `benchmarks.report` makes the page.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.engines import ENGINES, HOURS, OURS
from benchmarks.engines.engine import Logs, UnavailableError
from benchmarks.load import NOW
from benchmarks.logs import BATCH, write_late, write_logs
from benchmarks.machine import machine
from benchmarks.measuring import Cost, proportional_kib, run
from benchmarks.results import Appended, Asked, Comparison, Grown, Result, Run, ZoneData, ZoneRollup
from benchmarks.steps import TASK, Task
from benchmarks.workspaces import choose, questions_about
from pipeline.contract.calendar import zone_data_version
from pipeline.contract.formats import instant
from pipeline.sample.cast import Plan

_FACTORS: Final = (1, 3, 10)  # relative lengths of the history before a batch; the last is all of it
_EVENTS_A_BATCH_LINE: Final = 1_000
_FEWEST_BATCH_LINES: Final = 100
_LATE_EVENTS: Final = 5
_ROLLED_UP: Final = "postgres"  # the engine that rolls up by the local days of a zone
_TRAVERSABLE: Final = 0o711  # PostgreSQL runs as another user if this runs as root


class Workbench:
    """One set of logs and the engines' data, in a root folder.

    Args:
        root: the folder.
        plan: the sample logs to write.
        asked: the command's arguments.
        batch_lines: the number of lines to hold back and append later.
    """

    def __init__(self, root: Path, plan: Plan, asked: argparse.Namespace, batch_lines: int) -> None:
        self.root, self.plan = root, plan
        self.logs = write_logs(root / "logs", plan, held_back=batch_lines)
        self._task = Task(
            logs=self.logs,
            questions=[],
            zones=[],
            batch=self.logs.folder / BATCH,
            late=[],
            seconds=asked.seconds,
            crowd=asked.crowd,
        )
        self._write_task()
        self._loads = {OURS: self.step("load", OURS)}
        self.sizes = choose(root / OURS, plan.now)
        questions, zones = questions_about(self.sizes, plan.now)
        late = write_late(self.logs.folder, questions[0].question.workspace_id, plan.now, _LATE_EVENTS)
        self._task = msgspec.structs.replace(self._task, questions=questions, zones=zones, late=late)
        self._write_task()
        self.step("expect", OURS)

    def step(self, step: str, name: str) -> Cost:
        """Run one step of an engine in its own process."""
        command = [sys.executable, "-m", "benchmarks.steps", step, name, str(self.root)]
        cost = run(command, memory=proportional_kib, quiet=False)
        _say(f"{name:>20} {step:<7} {cost.wall_seconds:7.1f} s {cost.peak_mib:7.0f} MiB")
        return cost

    def load(self, name: str) -> Cost | None:
        """Load the logs, or add to a copy of the data of the engine that this one is based on.

        Returns:
            The cost, including the other engine's load; None if the engine reads the other's folder.
        """
        if name == OURS:
            return self._loads[OURS]
        if not has_load(name, self.root):
            return None
        base = ENGINES[name].based_on
        if base is not None:
            inherit(base, name, self.root)
        cost = self.step("load", name)
        return self._loads.setdefault(name, _added(cost, self._loads.get(base or name)))

    def append(self, name: str) -> Appended | None:
        """Append the batch and the late events to the loaded logs; return None if the engine cannot append."""
        if not ENGINES[name].can_append:
            return None
        self.step("append", name)
        return msgspec.json.decode(self._result("append", name), type=Appended)

    def result(self, name: str) -> Result:
        """Load the logs, ask all questions, and ask for local days by the engine's own zone data."""
        engine = ENGINES[name]
        load = self.load(name)
        reading = asked = zone_data = None
        if name != HOURS:
            reading = self.step("ask", name)
            asked = msgspec.json.decode(self._result("ask", name), type=Asked)
        if engine.own_zones or name == HOURS:
            self.step("zones", name)
            zone_data = msgspec.json.decode(self._result("zones", name), type=ZoneData)
        return Result(engine.title, load, asked, reading, None, zone_data)

    def zone_rollup(self) -> ZoneRollup:
        """Roll up by the local days of one zone."""
        self.step("roll-up", _ROLLED_UP)
        return msgspec.json.decode(self._result("roll-up", _ROLLED_UP), type=ZoneRollup)

    def _result(self, step: str, name: str) -> bytes:
        return (self.root / f"{name}.{step}.json").read_bytes()

    def _write_task(self) -> None:
        (self.root / TASK).write_bytes(msgspec.json.encode(self._task, enc_hook=str))


def has_load(name: str, root: Path) -> bool:
    """Return whether an engine has its own data, rather than reading another engine's folder."""
    base = ENGINES[name].based_on
    return base is None or ENGINES[base].create(root).folder != ENGINES[name].create(root).folder


def inherit(base: str, name: str, root: Path) -> None:
    """Give an engine a copy of another engine's data, with the same file owners."""
    source, target = (str(ENGINES[engine].create(root).folder) for engine in (base, name))
    subprocess.run(["cp", "-a", source, target], check=True)  # noqa: S603, S607 - a tool


def compare(root: Path, events: int, asked: argparse.Namespace, names: Iterable[str], skipped: dict[str, str]) -> Run:
    """Run all steps at one size, and the appending steps with shorter histories too."""
    names, batch_lines = list(names), max(_FEWEST_BATCH_LINES, events // _EVENTS_A_BATCH_LINE)
    grown: list[Grown] = []
    for factor in _FACTORS[:-1]:
        share = factor / _FACTORS[-1]
        few = _plan(asked, round(events * share), round(asked.days * share))
        _say(f"{few.events:,} events, {few.days} days")
        bench = Workbench(root / str(few.events), few, asked, batch_lines)
        appending = [name for name in names if ENGINES[name].can_append]
        for name in appending:
            bench.load(name)
        grown += _grown(bench, appending)
        shutil.rmtree(bench.root)
    plan = _plan(asked, events, asked.days)
    _say(f"{events:,} events, {plan.days} days")
    bench = Workbench(root / str(events), plan, asked, batch_lines)
    results = {name: bench.result(name) for name in names}
    rollup = bench.zone_rollup() if _ROLLED_UP in results else None
    # Appending comes last, because it changes the tables.
    last = _grown(bench, names)
    for row in last:
        results[row.engine] = msgspec.structs.replace(results[row.engine], appended=row.appended)
    lines, size = _count(bench.logs)
    shutil.rmtree(bench.root)
    return Run(
        events=events,
        lines=lines,
        clean_bytes=size,
        workspaces=plan.workspaces,
        days=plan.days,
        sizes={size: workspace.events for size, workspace in bench.sizes.items()},
        crowd=asked.crowd,
        results=results,
        skipped=skipped,
        harness_mib=run([sys.executable, "-c", "import benchmarks.steps"], memory=proportional_kib).peak_mib,
        zone_rollup=rollup,
        grown=[*grown, *last],
    )


def _grown(bench: Workbench, names: Iterable[str]) -> list[Grown]:
    appended = [(name, bench.append(name)) for name in names]
    return [Grown(name, bench.plan.days, bench.plan.events, row) for name, row in appended if row is not None]


def _added(cost: Cost, base: Cost | None) -> Cost:
    """Return the cost of two loads, one after the other."""
    if base is None:
        return cost
    return Cost(
        cost.wall_seconds + base.wall_seconds,
        cost.cpu_seconds + base.cpu_seconds,
        max(cost.peak_mib, base.peak_mib),
    )


def _plan(asked: argparse.Namespace, events: int, days: int) -> Plan:
    return Plan(now=instant(NOW), events=events, workspaces=asked.workspaces, days=days, seed=1)


def _count(logs: Logs) -> tuple[int, int]:
    """Return the number of valid lines and their bytes."""
    counts = [(sum(1 for _ in path.open("rb")), path.stat().st_size) for path in logs.clean]
    return sum(lines for lines, _ in counts), sum(size for _, size in counts)


def _ready(without: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Return the names of the engines that take part, and by name why the others do not."""
    found, skipped = list[str](), dict.fromkeys(without, "not asked for")
    for name, engine in ENGINES.items():
        if engine.based_on in skipped:
            skipped.setdefault(name, skipped[engine.based_on])
        if name in skipped:
            continue
        try:
            engine.create(Path())
        except UnavailableError as error:
            skipped[name] = str(error)
        else:
            found.append(name)
    return found, skipped


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def main() -> None:
    """Run the comparison at each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--events", type=int, nargs="+", default=[200_000])
    parser.add_argument("--workspaces", type=int, default=20)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--crowd", type=int, default=16)
    parser.add_argument("--without", nargs="+", choices=[name for name in ENGINES if name != OURS], default=[])
    parser.add_argument("--folder", type=Path, help="for the files of the run; default: the temporary folder")
    asked = parser.parse_args()
    begun, busy = time.monotonic(), round(os.getloadavg()[0], 1)
    names, skipped = _ready(asked.without)
    for name, reason in skipped.items():
        _say(f"left out: {name}: {reason}")
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        Path(folder).chmod(_TRAVERSABLE)
        runs = [compare(Path(folder), events, asked, names, skipped) for events in asked.events]
    minutes = (time.monotonic() - begun) / 60
    taken = datetime.now(UTC).date().isoformat()
    comparison = Comparison(taken, round(minutes, 1), machine(), zone_data_version(), runs, busy)
    asked.out.write_bytes(msgspec.json.format(msgspec.json.encode(comparison), indent=1) + b"\n")


if __name__ == "__main__":
    main()
