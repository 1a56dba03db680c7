"""Mutate the modules, and compare the survivors with the known ones.

Exit codes: 0: every survivor is known and every module has its score; 1: not so, or tests fail without a change.
"""

import argparse
import sys
import time
from collections import Counter
from typing import Final

from tests.faults.mutants.bench import Bench, Outcome, copied
from tests.faults.mutants.changes import changes
from tests.faults.mutants.mutant import Place
from tests.faults.mutants.survivors import FILE, Verdict, accepted
from tests.faults.mutants.targets import TARGETS
from tests.support.project import ROOT

LOWEST_SCORE: Final = 0.9  # of the mutants that can be imported and make a difference, how many are killed


def main() -> int:
    """Mutate the modules that the command line names, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"default: {' '.join(TARGETS)}")
    modules = parser.parse_args().modules or list(TARGETS)
    known = accepted()
    with copied() as bench:
        passed = [examine(bench, module, known) for module in modules]
    return 0 if all(passed) else 1


def examine(bench: Bench, module: str, known: dict[Place, Verdict]) -> bool:
    """Run the tests of a module against each of its mutants, print what survives, and return whether that is right."""
    started = time.monotonic()
    mutants = changes(module, (ROOT / module).read_text("utf-8"))
    tests = TARGETS[module]
    seconds = 10 + 5 * bench.time(module, tests)
    outcomes: Counter[Outcome] = Counter()
    survivors: list[Place] = []
    for mutant in mutants:
        outcome = bench.run(module, mutant.source, tests, seconds)
        outcomes[outcome] += 1
        if outcome is Outcome.SURVIVED:
            survivors.append(mutant.place)
            if mutant.place not in known:
                report(f"{mutant.place}\n    survives, and {FILE.name} does not say why")
    for place in {place for place in known if place.module == module} - {*survivors}:
        report(f"{place}\n    does not survive: remove it from {FILE.name}")
    equivalent = sum(place in known and known[place].is_equivalent for place in survivors)
    killed = outcomes[Outcome.KILLED] + outcomes[Outcome.STUCK]
    score = killed / (killed + len(survivors) - equivalent)
    report(
        f"{module}: {score:.1%} killed: {killed} ({outcomes[Outcome.STUCK]} by time) of"
        f" {killed + len(survivors)} mutants, {equivalent} of which make no difference;"
        f" {outcomes[Outcome.BROKEN]} more cannot be imported; {time.monotonic() - started:.0f} s"
    )
    return score >= LOWEST_SCORE and known.keys() >= {*survivors}


def report(text: str) -> None:
    """Print a part of the report."""
    print(text, flush=True)  # noqa: T201 - the report


sys.exit(main())
