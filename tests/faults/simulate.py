"""The long form of the simulation: many seeds, each of which replays exactly.

    python -m tests.faults.simulate --seeds 20000 [--first N]
    python -m tests.faults.simulate --backups 100

For each seed Hypothesis chooses one history. Prints what was tried. Of a seed that fails, prints the shortest history
that still fails, and exits 1; `--seeds 1 --first SEED` replays it.
"""

import argparse
import sys
import time

import hypothesis
import pytest
from hypothesis import Phase, Verbosity
from hypothesis.internal.conjecture import engine
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.simulation.backups import restore_backups
from tests.faults.simulation.machine import STATES, TRIED
from tests.faults.simulation.rules import Simulation
from tests.support.syncs import skip_syncs

STEPS = 30  # of a history, at most


def simulate(seed: int, *, shrinks: bool = True, histories: int = 4) -> None:
    """Try the histories of a seed.

    Args:
        seed: chooses them.
        shrinks: whether to look for the shortest history that fails.
        histories: how many, besides the shortest of all, with which Hypothesis begins.

    Raises:
        AssertionError: the data folder holds what no world says, or an answer is wrong.
        Exception: a command failed.
    """
    settings = hypothesis.settings(
        max_examples=histories + 1,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink] if shrinks else [Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
        verbosity=Verbosity.normal,
        print_blob=False,
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(hypothesis.seed(seed)(Simulation), settings=settings)


def main() -> int:
    """Run the command, and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds (100)")
    parser.add_argument("--first", type=int, default=0, help="the first one (0)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many minutes (never)")
    parser.add_argument("--shrink", type=int, default=300, help="seconds to look for a shorter history (300)")
    parser.add_argument("--backups", type=int, default=0, help="instead: restore so many backups of random moments")
    wanted = parser.parse_args()
    began, failed, tried = time.monotonic(), 0, 0
    with pytest.MonkeyPatch.context() as patch:
        skip_syncs(patch)
        patch.setattr(engine, "MAX_SHRINKING_SECONDS", wanted.shrink)
        if wanted.backups:
            print(f"{restore_backups(wanted.backups, wanted.first)} backups restored")  # noqa: T201
            return 0
        for seed in range(wanted.first, wanted.first + wanted.seeds):
            if time.monotonic() - began > wanted.minutes * 60:
                break
            tried += 1
            try:
                simulate(seed)
            except Exception as error:  # noqa: BLE001 - every failure is reported, and the next seed is tried
                failed += 1
                notes = "\n".join(getattr(error, "__notes__", ()))
                print(f"seed {seed}: {type(error).__name__}: {error}\n{notes}", flush=True)  # noqa: T201
    print(f"{tried:,} seeds, {failed} of them failed, {time.monotonic() - began:,.0f} s")  # noqa: T201
    print(f"{len(STATES):,} distinct states; {', '.join(f'{n:,} {what}' for what, n in TRIED.most_common())}")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
