"""Flip single bits in the files of a data folder: `usage check` must find each, name the file, and say what mends it.

    python -m tests.faults.bit_rot --seeds 50

Each seed makes a folder with a history of its own: runs, growing files, erasures, retries, rebuilds, and commits that
stop anywhere or lose their staged files. After each of these, exactly the published files must have a digest, and each
must be that of the file. Then, several times, one bit is flipped in every file, at a random place: within the first or
the last bytes, the footer, or anywhere. At last one file of each kind is damaged at a time, and mended by the very
command that the check prints.
"""

import argparse
import random
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from pipeline.check import report as reports
from pipeline.check.check import CheckReport, check
from pipeline.storage import catalog
from pipeline.storage.folder import FolderStore
from tests.faults.histories import Missed, grown
from tests.support.command import done, published, usage
from tests.support.data_folder import DataFolder
from tests.support.syncs import skip_syncs

_MONTHLY: Final = ("events", "cube", "actors")


def places(content: bytes, rng: random.Random) -> tuple[int, int]:
    """Return a byte and a bit to flip: near an end, in the footer, or anywhere."""
    size = len(content)
    footer = min(size, 8 + int.from_bytes(content[-8:-4], "little")) if content[-4:] == b"PAR1" else size
    first, last = rng.choice([(0, min(size, 40)), (max(0, size - 8), size), (size - footer, size), (0, size)])
    return rng.randrange(first, last), rng.randrange(8)


def flip(path: Path, byte: int, bit: int) -> None:
    """Flip one bit of a file; its size and time stay."""
    with path.open("r+b") as file:
        file.seek(byte)
        (before,) = file.read(1)
        file.seek(byte)
        file.write(bytes([before ^ 1 << bit]))


@contextmanager
def flipped(folder: DataFolder, uris: Iterable[str], rng: random.Random) -> Iterator[None]:
    """Flip a bit in each of some files until the block ends."""
    flips = [(folder.root / uri, *places((folder.root / uri).read_bytes(), rng)) for uri in uris]
    for path, byte, bit in flips:
        flip(path, byte, bit)
    yield
    for path, byte, bit in flips:
        flip(path, byte, bit)


def faults(folder: DataFolder) -> list[str]:
    """Return all faults that a check finds, in words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reports, "SHOWN", 10_000)
        report: CheckReport = check(folder.settings, folder.now)
    found = [text for result in report.results().values() for text in result.first]
    if report.agrees is bool(found):
        raise Missed(f"agrees: {report.agrees}, but {found}")
    return found


def find(folder: DataFolder, uris: Iterable[str], rng: random.Random) -> dict[str, str]:
    """Flip a bit in each file, and return what the check says of it.

    Raises:
        Missed: a damaged file is not named, or another one is.
    """
    wanted = sorted(uris)
    with flipped(folder, wanted, rng):
        said = faults(folder)
    told = {uri: text for uri in wanted for text in said if text.startswith(f"{uri} is damaged: ")}
    if told.keys() != set(wanted) or len(said) != len(wanted):
        raise Missed(f"flipped {sorted(set(wanted) - told.keys())} unnoticed; said {set(said) - set(told.values())}")
    return told


def tell(folder: DataFolder, rng: random.Random) -> int:
    """Flip a bit in every file, and return how many; in manifests later: the check needs them to find other files."""
    uris = catalog.published(FolderStore(folder.root))
    manifests = [uri for uri in uris if uri.startswith("manifests/")]
    find(folder, set(uris).difference(manifests), rng)
    find(folder, manifests, rng)
    return len(uris)


def mend(folder: DataFolder, uri: str, rng: random.Random) -> None:
    """Flip a bit in a file, mend it with the command that the check prints, and compare everything with before.

    Raises:
        Missed: the damage is not found, or not mended by that.
    """
    before, others = published(folder), _others(folder, uri)
    (said,) = find(folder, [uri], rng).values()
    flip(folder.root / uri, *places((folder.root / uri).read_bytes(), rng))
    if uri.startswith(("published.json", "runs/")):  # "remove it, and …"
        (folder.root / uri).unlink()
    for command in re.findall(r"`([^`]+)`", said) or ["usage run"]:
        _carry_out(folder, shlex.split(command))
    if said.endswith("next run reads that file again"):
        done(usage(folder))
    if left := faults(folder):
        raise Missed(f"{said}: that did not mend it: {left}")
    if published(folder) != before:
        raise Missed(f"{said}: the tables differ afterwards")
    if _others(folder, uri) != others:
        raise Missed(f"{said}: that changed more than its month")


def _others(folder: DataFolder, uri: str) -> dict[str, Any]:
    """Return the other months and workspaces, if the mending of a file must leave them alone."""
    table, *rest = uri.split("/")
    if table not in _MONTHLY:
        return {}
    workspace_id, month = rest[0], rest[1].partition("=")[2][:7]
    files = (other for name in _MONTHLY for other in catalog.files(FolderStore(folder.root), name))
    theirs = [other for other in files if not (workspace_id in other and f"={month}" in other)]
    return {other: (folder.root / other).stat().st_ino for other in theirs}


def _carry_out(folder: DataFolder, command: list[str]) -> None:
    if command[0] == "touch":
        (folder.root / command[1]).touch()
    else:
        done(usage(folder, *command[2:]))


def kinds(folder: DataFolder, rng: random.Random) -> list[str]:
    """Return one file of each kind."""
    found: dict[str, list[str]] = {}
    for uri in catalog.published(FolderStore(folder.root)):
        found.setdefault(uri.split("/")[0], []).append(uri)
    return [rng.choice(uris) for _, uris in sorted(found.items())]


def attempt(root: Path, seed: int, rounds: int) -> int:
    """Do everything with one seed, and return how many bits were flipped and found."""
    folder = grown(root, seed)
    rng = random.Random(seed)
    flips = sum(tell(folder, rng) for _ in range(rounds))
    chosen = kinds(folder, rng)
    for uri in chosen:
        if (folder.root / uri).exists():  # a rebuild gives months other names
            mend(folder, uri, rng)
            flips += 1
    return flips


def main() -> None:
    """Try seeds, and exit with 1 at the first that finds something."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=20, help="how many to try")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--rounds", type=int, default=20, help="how often a bit is flipped in every file")
    wanted = parser.parse_args()
    skip_syncs(pytest.MonkeyPatch())
    flips = 0
    for seed in range(wanted.first, wanted.first + wanted.seeds):
        with tempfile.TemporaryDirectory() as folder:
            try:
                flips += attempt(Path(folder) / "data", seed, wanted.rounds)
            except Exception as error:  # noqa: BLE001 - whatever a seed finds
                if not isinstance(error, Missed):
                    traceback.print_exc()
                print(f"seed {seed}: {error}\nagain: python -m tests.faults.bit_rot --first {seed} --seeds 1")  # noqa: T201
                sys.exit(1)
    print(f"{wanted.seeds:,} histories, {flips:,} flipped bits, each found and named; one file of each kind mended")  # noqa: T201


if __name__ == "__main__":
    main()
