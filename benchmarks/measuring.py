"""Measure the time and memory of a command with all its child processes, alone or as a ratio to another command."""

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

_POLL_SECONDS = 0.02


class Cost(msgspec.Struct, frozen=True):
    """The cost of one command, all its processes together; memory is the highest sum seen at one time."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


def run(command: Sequence[str], *, memory: "Callable[[int], int] | None" = None, quiet: bool = True) -> Cost:
    """Run a command to its end.

    Args:
        command: the program and its arguments.
        memory: returns the memory of a process, by id, in KiB; by default its resident size.
        quiet: discard the command's stderr.

    Raises:
        CalledProcessError: the command fails.
    """
    before = os.times()
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL if quiet else None)  # noqa: S603 - our own command
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(process, peak, memory or resident_kib))
    watcher.start()
    code = process.wait()
    wall = time.perf_counter() - start
    watcher.join()
    after = os.times()
    if code:
        raise subprocess.CalledProcessError(code, command)
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return Cost(wall, cpu, peak[0] / 1024)


def compare(ours: Callable[[], Cost], other: Callable[[], Cost], times: int, *, minimum: bool = False) -> str:
    """Run two commands in turn and return a table of their costs.

    Args:
        ours: runs the measured command.
        other: runs the reference.
        times: how often each runs.
        minimum: compare minimums and their ratio, instead of medians and the median of the pairwise ratios.
    """
    pairs = [(ours(), other()) for _ in range(times)]

    def row(name: str, cost: Callable[[Cost], float]) -> str:
        values = [(cost(a), cost(b)) for a, b in pairs]
        found = [(min if minimum else statistics.median)(column) for column in zip(*values, strict=True)]
        ratio = found[0] / found[1] if minimum else statistics.median(a / b for a, b in values)
        return f"{name:>9} {found[0]:10.2f} {found[1]:10.2f} {ratio:8.2f}"

    return "\n".join(
        [
            f"{'':9} {'this':>10} {'reference':>10} {'ratio':>8}",
            row("wall s", lambda cost: cost.wall_seconds),
            row("cpu s", lambda cost: cost.cpu_seconds),
            row("peak MiB", lambda cost: cost.peak_mib),
        ]
    )


def _watch(process: "subprocess.Popen[bytes]", peak: list[int], memory: Callable[[int], int]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(map(memory, family(process.pid))))
        time.sleep(_POLL_SECONDS)


def family(pid: int) -> list[int]:
    """Return the ids of a process and of all its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(member for child in children for member in family(int(child)))]


def resident_kib(pid: int) -> int:
    """Return the resident memory of a process."""
    return _kib(pid, "status", "VmRSS:")


def proportional_kib(pid: int) -> int:
    """Return the resident memory of a process, with shared pages divided among their users; slower to read."""
    return _kib(pid, "smaps_rollup", "Pss:")


def _kib(pid: int, name: str, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)
