"""Fail the n-th call of a command on its data folder, for every n, and look at what it leaves.

Usage: python -m tests.faults.nth_call [--command NAME] [--all] [--share K/N] [--seed S] [--only COMMAND:N:FAULT]

Every counted call of every command fails in every way in which a call of its kind can fail; `verdict` says what must
hold then. Prints each attempt that is wrong with what repeats it, and exits 1 if there was any.
"""

import argparse
import errno
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import process_time
from typing import Final, NamedTuple

from tests.faults.host import Host
from tests.faults.scenarios import SCENARIOS, Stage
from tests.faults.shim import COUNTED, Arming, Fault
from tests.faults.verdict import wrong

_SPACE: Final = ("create", "write", "truncate", "sync", "syncfs", "mkdir", "link", "rename")
_CHANGES: Final = (*_SPACE, "unlink", "rmdir", "meta")
_OPENS: Final = ("open", "create")

# What may go wrong: the errno, the calls that fail at first, and those that fail from then on.
FAULTS: Final = {
    "EIO": (errno.EIO, COUNTED, ()),
    "EIO for good": (errno.EIO, COUNTED, (*_CHANGES, "open", "map")),
    "ENOSPC": (errno.ENOSPC, _SPACE, ()),
    "ENOSPC for good": (errno.ENOSPC, _SPACE, _SPACE),
    "ENOSPC after half": (errno.ENOSPC, ("write",), _SPACE),
    "EDQUOT for good": (errno.EDQUOT, _SPACE, _SPACE),
    "EROFS": (errno.EROFS, _CHANGES, ()),
    "EROFS for good": (errno.EROFS, _CHANGES, _CHANGES),
    "EMFILE": (errno.EMFILE, _OPENS, ()),
    "EMFILE for good": (errno.EMFILE, _OPENS, _OPENS),
    "ENOMEM": (errno.ENOMEM, ("map",), ()),
}


class Case(NamedTuple):
    """One attempt: which call of which command fails, of which kind it was when nothing failed, and how."""

    command: str
    number: int
    kind: str
    fault: str

    def __str__(self) -> str:
        return f"{self.command}:{self.number}:{self.fault}"


def cases(command: str, calls: list[str], *, every: bool = False) -> list[Case]:
    """Return the attempts for a command with these calls; `every`: also where equal calls are before and after one.

    Such are the hundred writes of a few bytes each by which Arrow writes a stream.
    """
    around = zip(["", *calls], calls, [*calls[1:], ""], strict=False)
    return [
        Case(command, number, kind, fault)
        for number, (before, call, after) in enumerate(around, start=1)
        if every or not before == call == after
        for kind in [call.partition(" ")[0]]
        for fault, (_, first, _) in FAULTS.items()
        if kind in first
    ]


def attempt(stage: Stage, case: Case, seen: set[bytes], target: Path, plant: str = "") -> list[str]:
    """Make one attempt, and return what is wrong.

    Args:
        stage: the command.
        case: the attempt.
        seen: what earlier attempts left and went on well from; gets what this one leaves.
        target: a file for the list of calls.
        plant: a fault of `tests.faults.plants`.
    """
    number, _, then = FAULTS[case.fault]
    fault = Fault(case.number, errno=number, then=then, cut=case.fault.endswith("half"))
    target.unlink(missing_ok=True)
    arming = Arming(str(stage.folder.root), fault=fault, calls=str(target))
    ended = stage.attempt(arming=arming, plant=plant)
    return wrong(stage, ended, target.read_text().splitlines(), seen)


def main() -> int:
    """Make the attempts; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--command", choices=SCENARIOS, help="only this command")
    parser.add_argument(
        "--share", default="1/1", help="K/N: only every N-th attempt, from the K-th, of a shuffled list"
    )
    parser.add_argument("--all", action="store_true", help="also calls between two equal ones")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled list")
    parser.add_argument("--only", help="repeat one attempt, as it was printed")
    options = parser.parse_args()
    part, parts = map(int, options.share.split("/"))
    start, count = process_time(), 0
    with Host() as host, tempfile.TemporaryDirectory() as folder:
        root, target = Path(folder, "stage"), Path(folder, "calls")
        for name in [options.command] if options.command else SCENARIOS:
            if options.only and not options.only.startswith(f"{name}:"):
                continue
            stage, seen = Stage(name, host, root), set[bytes]()
            every = cases(name, stage.calls, every=options.all or bool(options.only))
            random.Random(options.seed).shuffle(every)
            chosen = [case for case in every[part - 1 :: parts] if options.only in {None, str(case)}]
            kinds = Counter(case.kind for case in chosen)
            for case in chosen:
                for problem in attempt(stage, case, seen, target):
                    count += 1
                    print(f"WRONG {case}: {problem}", flush=True)  # noqa: T201
            print(f"{name}: {len(chosen)} of {len(every)} attempts, {dict(kinds)}, {len(seen)} states", flush=True)  # noqa: T201
    print(f"{count} wrong, {process_time() - start:.0f} s of CPU without the commands")  # noqa: T201
    return int(bool(count))


if __name__ == "__main__":
    sys.exit(main())
