"""Run every command with less and less address space, and look at what it leaves.

Usage: python -m tests.faults.memory [--command NAME] [--step KIB]

From `MOST_KIB` more than a process has when the command starts, down to nothing; `verdict` says what must hold. Prints
each attempt that is wrong, and exits 1 if there was any.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

from pipeline.storage.room import ROOM_BYTES
from tests.faults.host import Host
from tests.faults.scenarios import READERS, SCENARIOS, Stage
from tests.faults.verdict import wrong

# All commands succeed with this much.
MOST_KIB: Final = 4 << 20


def attempt(stage: Stage, kib: int, seen: set[bytes], plant: str = "") -> tuple[int, list[str]]:
    """Run a command with some memory; return its exit code and what is wrong.

    Args:
        stage: the command.
        kib: how much address space it may have besides what it has.
        seen: what earlier attempts left and went on well from; gets what this one leaves.
        plant: a fault of `tests.faults.plants`.
    """
    ended = stage.attempt(memory=max(1, kib << 10), plant=plant)
    problems = wrong(stage, ended, [], seen)
    if ended.code == -signal.SIGSEGV and kib << 10 < ROOM_BYTES:
        problems.append("a library crashed, where the command should have seen that there is too little memory")
    return ended.code, problems


def falling(step_kib: int) -> list[int]:
    """Return amounts of memory: halves of `MOST_KIB` down to 64 MiB, then less by a step each time, down to none."""
    return [*(MOST_KIB >> half for half in range(6)), *range(MOST_KIB >> 6, -1, -step_kib)]


def main() -> int:
    """Make the attempts; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--command", choices=SCENARIOS | READERS, help="only this command")
    parser.add_argument("--step", type=int, default=256, metavar="KIB", help="from attempt to attempt, below 64 MiB")
    options = parser.parse_args()
    count = 0
    with Host() as host, tempfile.TemporaryDirectory() as folder:
        for name in [options.command] if options.command else SCENARIOS | READERS:
            stage, seen = Stage(name, host, Path(folder)), set[bytes]()
            codes = []
            for kib in falling(options.step):
                code, problems = attempt(stage, kib, seen)
                codes.append(code)
                for problem in problems:
                    count += 1
                    print(f"WRONG {name}, {kib} KiB: {problem}", flush=True)  # noqa: T201
            done = codes.count(0)
            print(f"{name}: {len(codes)} attempts, {done} succeeded, {len(seen)} states", flush=True)  # noqa: T201
    print(f"{count} wrong")  # noqa: T201
    return int(bool(count))


if __name__ == "__main__":
    sys.exit(main())
