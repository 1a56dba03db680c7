"""The long form: fuzz `bulk.c` for many executions, in rounds, and compare with the Python validator after each.

    python -m tests.faults.fuzz --executions 1000000000 [--seed 1] [--minutes 600] [--keep]

A round is `--round` executions of libFuzzer under the sanitizers, then a comparison of a sample of the lines that were
approved, and of as many changed ones. The same seed gives the same rounds. Prints a line a round; at a fault the seed,
the input and the report, and exits with 1. `--keep` writes the minimized corpus into the tests.
"""

import argparse
import sys
import tempfile
import time
from itertools import chain, islice
from pathlib import Path

from pipeline.validation import native
from tests.faults.fuzz import corpus, differential, guided

_SAMPLE_LINES = 20_000  # a round; comparing them takes half a second


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description="Fuzz bulk.c.")
    parser.add_argument("--executions", type=int, default=1_000_000, help="inputs to try (default: 1000000)")
    parser.add_argument("--seed", type=int, default=1, help="of all random choices (default: 1)")
    parser.add_argument("--round", type=int, default=500_000, help="executions a round (default: 500000)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no round after so long")
    parser.add_argument("--keep", action="store_true", help="replace the corpus of the tests by the minimized one")
    return parser.parse_args()


def main() -> int:
    """Fuzz, print what was done, and return the exit code."""
    arguments, started = _arguments(), time.monotonic()
    reason = guided.lacking("llvm-profdata", "llvm-cov") or native.UNAVAILABLE
    if reason:
        print(reason, file=sys.stderr)  # noqa: T201 - a command prints
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        program = guided.compiled(folder)
        corpus.unpack([*corpus.load(), *corpus.seeds()], folder / "corpus")
        executions = lines = approved = compared = 0
        seed = arguments.seed
        while executions < arguments.executions and time.monotonic() - started < 60 * arguments.minutes:
            found = guided.run(program, folder, runs=arguments.round, seed=seed, every=_every(arguments.round))
            if found.fault is not None:
                print(f"seed {seed}: {found.culprit!r}\n{found.fault}")  # noqa: T201
                return 1
            executions, lines, approved = executions + found.inputs, lines + found.lines, approved + found.approved
            changed = islice(differential.mutants(found.sample, seed), _SAMPLE_LINES)
            outcome = differential.compare(chain(found.sample, changed))
            compared += outcome.approved
            if outcome.fault is not None:
                print(f"seed {seed}: approved, but not as validate does: {outcome.fault!r}")  # noqa: T201
                return 1
            print(  # noqa: T201
                f"seed {seed}: {executions:,} executions, {lines:,} lines, {approved:,} of them approved,"
                f" {compared:,} of these compared; {time.monotonic() - started:.0f} s",
                flush=True,
            )
            seed += 1
        blocks = guided.minimized(folder)
        covered = guided.coverage(folder, blocks)
        print(  # noqa: T201
            f"0 faults; a corpus of {len(blocks)} blocks executes {covered.lines_percent} % of the lines of bulk.c"
            f" ({covered.lines_missed} missed) and {covered.branches_percent} % of its branches"
            f" ({covered.branches_missed} missed)"
        )
        if arguments.keep:
            corpus.save(blocks)
    return 0


def _every(executions: int) -> int:
    """Return which share of the approved lines the sample takes; an execution approves a third of a line."""
    return max(1, executions // 3 // _SAMPLE_LINES)


if __name__ == "__main__":
    sys.exit(main())
