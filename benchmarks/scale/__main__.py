"""Measure what it costs to go past one machine; needs some minutes and GB for each figure.

    python -m benchmarks.scale RESULTS.json [runs] [before] [slots] [commit] [cold] [costs]
        [--events 400000] [--rounds 3] [--before FOLDER]

Measures all figures unless some are named, and keeps those that were measured before. `before` compares with a checkout
of an earlier version in FOLDER, compiled in place. Everything runs on this machine, where others may work too: what is
compared runs in turn, and processor time is measured beside time.
"""

import argparse
import datetime as dt
import os
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.data_folders import write_keys
from benchmarks.machine import machine
from benchmarks.scale.cold import cold
from benchmarks.scale.commits import commit
from benchmarks.scale.costs import costs
from benchmarks.scale.pieces import measured
from benchmarks.scale.place import Place, place
from benchmarks.scale.results import Results
from benchmarks.scale.runs import Sample, in_turn, plan, upload_directory
from benchmarks.scale.slots import replay, slice_of
from pipeline.contract.directory import MEMBERS, Member, read_rows
from pipeline.contract.settings import DIRECTORY, RAW
from pipeline.sample.generate import write

FIGURES: Final = ("runs", "before", "slots", "commit", "cold", "costs")
_SLOTS: Final = (1, 4, 16, 64)


class _Figures:
    """The measurements, one method each."""

    def __init__(self, folder: Path, asked: argparse.Namespace, results: Results) -> None:
        self._folder, self._rounds, self._results = folder, asked.rounds, results
        self._events, self._before = asked.events, asked.before

    def runs(self) -> None:
        with place(self._folder) as here:
            sample = self._sample(here)
            sample.on_cluster()  # its workers are warm from then on
            self._results.lines, self._results.bytes = sample.lines, sample.bytes
            runs = {
                "folder": sample.on_folder,
                "tables": sample.tables_on_objects,
                "objects": sample.on_objects,
                "cluster": sample.on_cluster,
            }
            self._results.runs = in_turn(self._rounds, runs)

    def before(self) -> None:
        if self._before is None:
            return
        with place(self._folder) as here:
            sample = self._sample(here)
            runs = {"now": sample.on_folder, "before": lambda: sample.on_folder(self._before)}
            self._results.before = in_turn(self._rounds, runs)

    def slots(self) -> None:
        data = self._folder / "sample"
        write(data, plan(self._events))
        report, pieces = measured(data, data / RAW)
        self._results.replays = [
            replay(self._folder / f"{slots}-slots", slots, slice_of(pieces, report.bytes, slots)) for slots in _SLOTS
        ]

    def commit(self) -> None:
        with place(self._folder) as here:
            self._results.commits = commit(here, 10 * self._rounds)

    def cold(self) -> None:
        with place(self._folder) as here:
            sample, data = self._sample(here), here.location()
            sample.keep(data.url)
            copy = self._folder / "copy"
            copy.mkdir()
            sample.keep(str(copy))
            members = list(read_rows(sample.directory / MEMBERS, Member))
            first = {member.workspace_id: (member.workspace_id, member.user_id) for member in reversed(members)}
            keys = write_keys(sample.directory.parent, list(first.values()))
            upload_directory(here, sample, data)
            (copy / DIRECTORY).symlink_to(sample.directory)
            cache = self._folder / "cache"
            self._results.cold = {
                name: cold(where, cache, keys, self._rounds)
                for name, where in (("objects", data.url), ("folder", str(copy)))
            }

    def costs(self) -> None:
        self._results.costs = costs(self._folder, self._events, self._rounds)

    def _sample(self, here: Place) -> Sample:
        return Sample(self._folder, here, self._events)


def main() -> None:
    """Measure the figures, and add them to the stored results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], metavar="figure")
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path)
    asked = parser.parse_args()
    found = asked.results.read_bytes() if asked.results.exists() else b""
    results = msgspec.json.decode(found, type=Results) if found else Results(machine())
    results.machine = machine()
    for figure in asked.figures or FIGURES:
        with tempfile.TemporaryDirectory() as folder:
            results.taken[figure] = dt.datetime.now(tz=dt.UTC).date().isoformat()
            results.busy[figure] = round(os.getloadavg()[0], 1)
            getattr(_Figures(Path(folder), asked, results), figure)()
        asked.results.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")


if __name__ == "__main__":
    main()
