"""Measure the load against its references; needs minutes and a few GB in the temporary folder.

    python -m benchmarks.load [full] [shuffled] [bad] [nothing] [append] [partitions] [history] [late]
        [--events 375000] [--workspaces 200] [--days 30] [--times 3]

Prints each figure beside its reference, measured in turn: medians and the median of the ratios, or minimums if a run is
so short that noise would outweigh it. Measures all figures unless some are named.
"""

import argparse
import json
import random
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from benchmarks.measuring import Cost, compare, run
from pipeline.contract.calendar import DAY_US, rfc3339
from pipeline.contract.formats import instant
from pipeline.sample.cast import Plan
from pipeline.sample.generate import write

NOW = "2026-11-24T00:00:00Z"
BAD_SHARE = 0.1
MICRO_BATCH_EVENTS = 10_000
_INPUTS = {"raw", "directory"}  # the inputs of a run; everything else is its output
_USAGE = str(Path(sys.executable).with_name("usage"))

_Figure = tuple[Callable[[], Cost], Callable[[], Cost]]


def load_logs(data: Path, *, from_scratch: bool = False) -> Cost:
    """Run the pipeline on a data folder; `from_scratch` moves all earlier results away first."""
    if from_scratch:
        # Moved rather than deleted: for a minute ext4 checks each freed inode number before it uses another one.
        kept = Path(tempfile.mkdtemp(prefix="before-", dir=data.parent))
        for path in list(data.iterdir()):
            if path.name not in _INPUTS:
                path.rename(kept / path.name)
    return run([_USAGE, "run", "--data-dir", str(data), "--now", NOW])


def rewritten(source: Path, target: Path, change: Callable[[random.Random, bytes], bytes]) -> Path:
    """Write a copy of uncompressed raw files with every line changed, unless `target` exists; return `target`."""
    if target.exists():
        return target
    rng = random.Random(1)  # noqa: S311 - not for cryptography
    (target / "raw").mkdir(parents=True)
    for path in sorted((source / "raw").glob("*.jsonl")):
        with path.open("rb") as old, (target / "raw" / path.name).open("wb") as new:
            new.writelines(change(rng, line) for line in old)
    return target


def shuffled(rng: random.Random, line: bytes) -> bytes:
    """Return a line with its keys shuffled and spaces added; leave a line alone that is not an object."""
    try:
        record = json.loads(line)
        members = list(record.items())
    except (ValueError, AttributeError):
        return line
    rng.shuffle(members)
    return json.dumps(dict(members), ensure_ascii=False).encode() + b"\n"


def spoiled(rng: random.Random, line: bytes) -> bytes:
    """Return about every tenth line with an unknown action, the others unchanged."""
    return line.replace(b'"action":"', b'"action":"_', 1) if rng.random() < BAD_SHARE else line


def events(workspaces: int, days: range, number: int, name: str) -> Iterator[bytes]:
    """Yield the lines of `number` events, spread evenly over workspaces and over `days` days before now."""
    places = [(workspace, day) for day in days for workspace in range(workspaces)]
    for event in range(number):
        workspace, day = places[event % len(places)]
        moment = instant(NOW) - day * DAY_US - 1 - event % DAY_US
        record = {
            "id": f"{name}-{event}",
            "workspace_id": str(uuid.UUID(int=workspace)),
            "timestamp": rfc3339(moment),
            "action": "voice_generated",
            "kind": "text_to_speech",
            "resource": {"type": "voice", "id": f"voice_{event % 97}", "name": "Nova"},
            "user": {"id": str(uuid.UUID(int=event % 11)), "name": "Ada"},
            "usage": {"credits": event % 50, "languages": [{"locale": "de-DE", "characters": event % 700, "lines": 3}]},
        }
        yield json.dumps(record).encode() + b"\n"


def loaded_folder(root: Path, name: str, workspaces: int, days: int, per_partition: int) -> Path:
    """Return a loaded data folder with `workspaces` times `days` partitions of `per_partition` events."""
    (root / name / "raw").mkdir(parents=True)
    with (root / name / "raw" / "history.jsonl").open("wb") as file:
        file.writelines(events(workspaces, range(days), workspaces * days * per_partition, "history"))
    load_logs(root / name)
    return root / name


class Figures:
    """The measurements, one method each: the measured command and its reference. Docstrings are their titles."""

    def __init__(self, root: Path, plan: Plan) -> None:
        self._root = root
        self._plan = plan
        self._batches = count()

    def full(self) -> _Figure:
        """Full run ÷ the bare DuckDB statement."""
        data = self._sample()

        def bare() -> Cost:
            target = self._root / f"bare-{next(self._batches)}"
            return run([sys.executable, "-m", "benchmarks.bare", str(data / "raw"), str(target)])

        return lambda: load_logs(data, from_scratch=True), bare

    def shuffled(self) -> _Figure:
        """Keys shuffled and spaces added ÷ as generated."""
        other = rewritten(self._sample(), self._root / "shuffled", shuffled)
        return lambda: load_logs(other, from_scratch=True), lambda: load_logs(self._plain(), from_scratch=True)

    def bad(self) -> _Figure:
        """10 % bad lines ÷ none."""
        other = rewritten(self._sample(), self._root / "spoiled", spoiled)
        return lambda: load_logs(other, from_scratch=True), lambda: load_logs(self._plain(), from_scratch=True)

    def nothing(self) -> _Figure:
        """A run with nothing new ÷ importing the libraries."""
        data = self._plain()
        load_logs(data)
        imports = [sys.executable, "-c", "import duckdb, pyarrow, msgspec"]
        return lambda: load_logs(data), lambda: run(imports)

    def append(self) -> _Figure:
        """One line appended to a large plain file ÷ nothing new."""
        data = self._root / "one-file"
        (data / "raw").mkdir(parents=True)
        with (data / "raw" / "all.jsonl").open("wb") as file:
            for path in sorted((self._plain() / "raw").iterdir()):
                file.write(path.read_bytes())
        load_logs(data)

        def appended() -> Cost:
            with (data / "raw" / "all.jsonl").open("ab") as file:
                file.writelines(events(1, range(1), 1, f"batch-{next(self._batches)}"))
            return load_logs(data)

        return appended, lambda: load_logs(data)

    def partitions(self) -> _Figure:
        """A micro-batch into 500 of 18,000 partitions ÷ into 500 of 500."""
        return self._micro_batches(500, 36, 1)

    def history(self) -> _Figure:
        """A micro-batch with ten times the history in every workspace ÷ with once."""
        return self._micro_batches(100, 300, 30)

    def late(self) -> _Figure:
        """One event for each of 2,000 partitions of 1,000 events ÷ for each of 200; shows how memory grows."""
        data = loaded_folder(self._root, "late", 50, 40, 1000)
        return lambda: self._batch(data, 50, 40, 2000), lambda: self._batch(data, 50, 4, 200)

    def _micro_batches(self, workspaces: int, many_days: int, few_days: int) -> _Figure:
        many = loaded_folder(self._root, f"{many_days}-days", workspaces, many_days, 20)
        few = loaded_folder(self._root, f"{few_days}-days", workspaces, few_days, 20)
        return (
            lambda: self._batch(many, workspaces, 1, MICRO_BATCH_EVENTS),
            lambda: self._batch(few, workspaces, 1, MICRO_BATCH_EVENTS),
        )

    def _batch(self, data: Path, workspaces: int, days: int, number: int) -> Cost:
        """Load a new file of `number` events in the last `days` days of the workspaces."""
        name = f"batch-{next(self._batches)}"
        with (data / "raw" / f"{name}.jsonl").open("wb") as file:
            file.writelines(events(workspaces, range(days), number, name))
        return load_logs(data)

    def _sample(self) -> Path:
        data = self._root / "sample"
        if not data.exists():
            print(f"{write(data, self._plan).lines:,} lines")  # noqa: T201
        return data

    def _plain(self) -> Path:
        return rewritten(self._sample(), self._root / "plain", lambda _, line: line)


_SHORT = {"nothing", "append", "partitions", "history", "late"}
_NAMES = ("full", "shuffled", "bad", "nothing", "append", "partitions", "history", "late")


def main() -> None:
    """Measure the figures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", choices=[*_NAMES, []])
    parser.add_argument("--events", type=int, default=375_000)
    parser.add_argument("--workspaces", type=int, default=200)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    plan = Plan(now=instant(NOW), events=asked.events, workspaces=asked.workspaces, days=asked.days, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        figures = Figures(Path(folder), plan)
        for name in asked.figures or _NAMES:
            figure = getattr(figures, name)
            is_short = name in _SHORT
            times = max(5, asked.times) if is_short else asked.times
            this, reference = figure()
            print(f"\n{figure.__doc__}", compare(this, reference, times, minimum=is_short), sep="\n", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
