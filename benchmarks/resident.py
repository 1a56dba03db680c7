"""Measure how the memory of one process grows that makes one small run after another, as `usage run --every` does.

    python -m benchmarks.resident [--runs 2000] [--after 50]

Each run loads three lines that were appended to a plain file. Prints the resident memory after some runs, and the
ratio of the last one to that after `--after` runs. Takes about 0.2 s a run. Exits 1 if the ratio is above 1.05.
"""

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Final

from benchmarks.measuring import resident_kib
from pipeline.commands.outcome import run_once
from pipeline.commands.signals import stoppable
from pipeline.contract.calendar import rfc3339
from pipeline.contract.settings import Settings
from pipeline.startup import bound_free_memory, release_free_memory

_TOLERATED: Final = 1.05
_LINES: Final = 3  # appended before each run
_WORKSPACE: Final = str(uuid.UUID(int=1))


def curve(root: Path, runs: int, shown: set[int]) -> dict[int, float]:
    """Return the resident memory of this process in MiB after some of the runs.

    Args:
        root: an empty folder, which becomes a data folder.
        runs: how many are made.
        shown: the numbers of the runs after which the memory is measured.
    """
    bound_free_memory()
    (root / "raw").mkdir()
    settings = Settings.read({}, data_dir=root, workers=1)
    found: dict[int, float] = {}
    for number in range(1, runs + 1):
        with (root / "raw/live.jsonl").open("ab") as file:
            file.writelines(_line(f"{number}-{line}") for line in range(_LINES))
        silence = io.StringIO()
        with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence), stoppable() as stop:
            run_once(settings, time.time_ns() // 1000, stop)
        release_free_memory()
        if number in shown:
            found[number] = resident_kib(os.getpid()) / 1024
            print(f"{found[number]:.1f} MiB after {number:,} runs", flush=True)  # noqa: T201 - the report
    return found


def _line(id_: str) -> bytes:
    record = {
        "id": id_,
        "workspace_id": _WORKSPACE,
        "timestamp": rfc3339(time.time_ns() // 1000),
        "action": "voice_generated",
        "kind": "text_to_speech",
        "resource": {"type": "voice"},
        "user": {"id": _WORKSPACE, "name": "Ada"},
        "usage": {"credits": 1, "languages": [{"locale": "en-US", "characters": 10, "lines": 1}]},
    }
    return json.dumps(record).encode() + b"\n"


def main() -> None:
    """Measure, print, and exit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--after", type=int, default=50)
    given = parser.parse_args()
    shown = {given.after, given.runs, *range(0, given.runs, max(1, given.runs // 10))}
    with tempfile.TemporaryDirectory() as folder:
        found = curve(Path(folder), given.runs, shown)
    ratio = found[given.runs] / found[given.after]
    print(f"{ratio:.3f} times as much after {given.runs:,} runs as after {given.after:,}")  # noqa: T201 - the report
    sys.stdout.flush()
    os._exit(int(ratio > _TOLERATED))  # when the interpreter shuts down, the engine reports leaks of its own objects


if __name__ == "__main__":
    main()
