"""Measure a few ratios and warn about each that got worse than the stored one by more than noise.

    python -m benchmarks.regression [--store] [--events 20000]

Needs `wrk` and some minutes. Ratios, unlike times, mean about the same on another machine. `--store` writes them to
`results/regression.json`. Exits 1 if a ratio got worse. This is not a test: on a busy machine the result is random.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.data_folders import busiest, write_keys
from benchmarks.load import NOW, Figures
from benchmarks.measuring import Cost
from benchmarks.read import EVERYTHING, LANGUAGE, SUMMARY
from benchmarks.serving import ask, load, served, static
from pipeline.contract.formats import instant
from pipeline.sample.cast import Plan

STORED: Final = Path(__file__).with_name("results") / "regression.json"
TOLERATED: Final = 1.25  # ratios vary by about this much from run to run
_TIMES: Final = 3
_SECONDS: Final = 3

_LOADS: Final = {  # figures of `benchmarks.load`
    "load ÷ bare DuckDB statement": "full",
    "run with nothing new ÷ imports": "nothing",
    "one line appended ÷ nothing new": "append",
}
_READS: Final = {"summary": [SUMMARY], "by language": [LANGUAGE], "any zone, range and view": EVERYTHING}


def measure(root: Path, events: int) -> dict[str, float]:
    """Return the ratios by name; lower is better."""
    figures = Figures(root, Plan(now=instant(NOW), events=events, workspaces=100, days=30, seed=1))
    found = {name: _wall(*getattr(figures, figure)()) for name, figure in _LOADS.items()}
    data = root / "sample"  # loaded by the first figure
    (key,) = write_keys(data, [busiest(data)])
    with served(data, NOW) as server:
        for name, paths in _READS.items():
            with static(len(ask(server, paths[0], key)[1])) as fixed:
                headers = [f"Authorization: Bearer {key}"]
                pairs = [
                    (load(fixed.url, seconds=_SECONDS), load(server.url, paths, seconds=_SECONDS, headers=headers))
                    for _ in range(_TIMES)
                ]
            found[f"fixed bytes ÷ {name}"] = statistics.median(other.rate / ours.rate for other, ours in pairs)
    return {name: round(ratio, 2) for name, ratio in found.items()}


def worse(found: dict[str, float], stored: dict[str, float]) -> list[str]:
    """Return the names of the ratios that exceed the stored ones by more than noise, or were never stored."""
    return [name for name, ratio in found.items() if ratio > stored.get(name, 0.0) * TOLERATED]


def _wall(ours: Callable[[], Cost], other: Callable[[], Cost]) -> float:
    return statistics.median(ours().wall_seconds / other().wall_seconds for _ in range(_TIMES))


def main() -> None:
    """Measure the ratios, and compare or store them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--store", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), asked.events)
    if asked.store:
        STORED.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    stored = msgspec.json.decode(STORED.read_bytes(), type=dict[str, float])
    for name, ratio in found.items():
        print(f"{ratio:8.2f}  {stored.get(name, 0.0):8.2f} stored  {name}")  # noqa: T201
    for name in (names := worse(found, stored)):
        print(f"warning: {name} got worse", file=sys.stderr)  # noqa: T201
    sys.exit(bool(names))


if __name__ == "__main__":
    main()
