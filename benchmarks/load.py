"""The load against what it is measured by; needs minutes and a few GB in the temporary folder.

    python -m benchmarks.load [--events 375000] [--workspaces 200] [--days 30] [--times 3]

Prints for each figure the medians of this and of the reference, and the median of the ratios, taken in turn.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import Cost, compare, run
from pipeline.formats import instant
from pipeline.sample import write
from pipeline.sample_cast import Plan

NOW = "2026-11-24T00:00:00Z"
_TABLES = ("events", "cube", "actors", "manifests", "quarantine", "runs", "staging")
BAD_SHARE = 0.1
_USAGE = str(Path(sys.executable).with_name("usage"))


def load(data: Path, *, afresh: bool) -> Cost:
    """Run the pipeline, on an empty folder or on what stands."""
    if afresh:
        for name in _TABLES:
            shutil.rmtree(data / name, ignore_errors=True)
        for path in [data / "published.json", *data.glob("state.sqlite*")]:
            path.unlink(missing_ok=True)
    return run([_USAGE, "run", "--data-dir", str(data), "--now", NOW])


def rewritten(source: Path, target: Path, change: Callable[[random.Random, bytes], bytes]) -> Path:
    """Write a copy of plain raw files with every line changed."""
    rng = random.Random(1)  # noqa: S311 - a benchmark's dice
    (target / "raw").mkdir(parents=True)
    for path in sorted((source / "raw").glob("*.jsonl")):
        with path.open("rb") as old, (target / "raw" / path.name).open("wb") as new:
            new.writelines(change(rng, line) for line in old)
    return target


def shuffled(rng: random.Random, line: bytes) -> bytes:
    """Return a line with its keys in another order and with spaces; a line that is no object as it is."""
    try:
        record = json.loads(line)
        members = list(record.items())
    except (ValueError, AttributeError):
        return line
    rng.shuffle(members)
    return json.dumps(dict(members), ensure_ascii=False).encode() + b"\n"


def spoiled(rng: random.Random, line: bytes) -> bytes:
    """Return every tenth line with an action that there is not."""
    return line.replace(b'"action":"', b'"action":"_', 1) if rng.random() < BAD_SHARE else line


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=375_000)
    parser.add_argument("--workspaces", type=int, default=200)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plan = Plan(now=instant(NOW), events=asked.events, workspaces=asked.workspaces, days=asked.days, seed=1)
        plain = root / "plain"
        print(write(plain, plan).lines, "lines")  # noqa: T201
        bare = [sys.executable, "-m", "benchmarks.bare", str(plain / "raw"), str(root / "bare")]
        only_plain = rewritten(plain, root / "only-plain", lambda _, line: line)
        other_order = rewritten(plain, root / "shuffled", shuffled)
        bad = rewritten(plain, root / "spoiled", spoiled)
        imports = [sys.executable, "-c", "import duckdb, pyarrow, msgspec"]

        def figure(name: str, ours: Callable[[], Cost], other: Callable[[], Cost], times: int = asked.times) -> None:
            print(f"\n{name}\n{compare(ours, other, times)}", flush=True)  # noqa: T201

        figure("full run ÷ bare DuckDB statement", lambda: load(plain, afresh=True), lambda: run(bare))
        figure(
            "keys shuffled, spaces ÷ as generated",
            lambda: load(other_order, afresh=True),
            lambda: load(only_plain, afresh=True),
        )
        figure("10 % bad lines ÷ none", lambda: load(bad, afresh=True), lambda: load(only_plain, afresh=True))
        figure("nothing new ÷ importing the libraries", lambda: load(plain, afresh=False), lambda: run(imports), 9)


if __name__ == "__main__":
    main()
