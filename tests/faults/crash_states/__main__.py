"""Try many disks that a crash may leave: `python -m tests.faults.crash_states --seed 1 --disks 200000`.

Records the system calls of each command, rebuilds disks by three models of file systems, looks at each as a reader
does, and lets the next run recover it. Prints a line for each command. Exits 1, with the seed, if a disk is wrong.
"""

import argparse
import sys
from pathlib import Path

import pytest

from tests.faults.crash_states.scenarios import SCENARIOS
from tests.faults.crash_states.search import search
from tests.faults.host import Host
from tests.support.syncs import skip_syncs

_WRONG_MAX = 5  # of a scenario


def main() -> int:
    """Try the disks, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="chooses the disks")
    parser.add_argument("--disks", type=int, default=200_000, help="different ones in all")
    parser.add_argument("--only", choices=SCENARIOS, action="append", help="a command; repeat for more")
    parser.add_argument("--plant", default="", help="a function of tests/faults/plants.py: a fault to find")
    parser.add_argument("--keep", type=Path, help="a folder that gets copies of wrong disks")
    chosen = parser.parse_args()
    names = chosen.only or list(SCENARIOS)
    tried = recovered = wrong = 0
    with Host() as host, pytest.MonkeyPatch.context() as patch:
        skip_syncs(patch)
        for number, name in enumerate(names):
            # What one command has too few disks for, the next ones get.
            disks = (chosen.disks - tried) // (len(names) - number)
            found = search(
                SCENARIOS[name],
                host,
                seed=chosen.seed,
                disks=disks,
                plant=chosen.plant,
                stop=_WRONG_MAX,
                keep=chosen.keep,
            )
            tried, recovered, wrong = tried + found.disks, recovered + found.recovered, wrong + len(found.wrong)
            print(  # noqa: T201 - a command line
                f"{name}: {found.steps} steps, {found.disks:,} disks, {found.recovered:,} recovered,"
                f" {found.seconds:.0f} s of CPU, {len(found.wrong)} wrong",
                flush=True,
            )
            for fault in found.wrong:
                print(f"  {fault}", flush=True)  # noqa: T201
    print(f"{tried:,} disks, {recovered:,} recovered, {wrong} wrong; seed {chosen.seed}")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
