"""Ordinary runs: on a folder, with tables or with everything on an object store, and on a cluster.

Writes a sample of logs once; each run loads all of it into new tables.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.load import NOW
from benchmarks.scale.place import Place, Taken
from pipeline.contract.formats import instant
from pipeline.contract.location import Location
from pipeline.contract.settings import DIRECTORY, RAW
from pipeline.sample.cast import Plan
from pipeline.sample.generate import write

Run = Callable[[], Taken]


def plan(events: int) -> Plan:
    """Return the plan of the sample."""
    return Plan(now=instant(NOW), events=events, workspaces=60, days=30, seed=1)


class Sample:
    """The logs that all runs load, as files and as objects.

    Args:
        folder: for the files, and for the tables of runs on a folder.
        place: for the objects.
        events: how many; there is a third more lines, since events have versions and are delivered again.
    """

    def __init__(self, folder: Path, place: Place, events: int) -> None:
        self._folder, self._place = folder, place
        found = write(folder / "sample", plan(events))
        self.lines, self.bytes = found.lines, found.bytes
        self.directory = folder / "sample" / DIRECTORY
        self._files = folder / "sample" / RAW
        self._objects = place.location("raw")
        place.upload(self._files, self._objects)

    def on_folder(self, version: Path | None = None) -> Taken:
        """Load files into a folder, perhaps with another version of this project, which is in a folder."""
        with tempfile.TemporaryDirectory(dir=self._folder) as data:
            raw = Path(data) / RAW  # where versions look that know no other place
            raw.mkdir()
            for path in self._files.iterdir():
                os.link(path, raw / path.name)
            return self._run(data, **({"PYTHONPATH": str(version)} if version else {}))

    def tables_on_objects(self) -> Taken:
        """Load files into objects."""
        return self._on_objects(str(self._files))

    def on_objects(self) -> Taken:
        """Load objects into objects."""
        return self._on_objects(self._objects.url)

    def on_cluster(self) -> Taken:
        """Load objects into objects, on the cluster."""
        return self._on_objects(self._objects.url, "--cluster", self._place.cluster.address)

    def keep(self, data: str) -> None:
        """Load files into tables that stay."""
        self._run(data, USAGE_RAW=str(self._files))

    def _on_objects(self, raw: str, *options: str) -> Taken:
        data = self._place.location()
        try:
            return self._run(data.url, *options, USAGE_RAW=raw)
        finally:
            self._place.remove(data)

    def _run(self, data: str, *options: str, **settings: str) -> Taken:
        return self._place.run("run", "--data-dir", data, "--now", NOW, "--workers", "2", *options, **settings)


def in_turn(rounds: int, runs: dict[str, Run]) -> dict[str, list[Taken]]:
    """Repeat runs in turn, each round in the other order than the one before."""
    found: dict[str, list[Taken]] = {name: [] for name in runs}
    names = list(runs)
    for _ in range(rounds):
        for name in names:
            found[name].append(runs[name]())
        names.reverse()
    return found


def upload_directory(place: Place, sample: Sample, data: Location) -> None:
    """Put the directory beside tables on the object store."""
    place.upload(sample.directory, data / DIRECTORY)
