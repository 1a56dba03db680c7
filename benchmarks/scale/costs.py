"""What the pieces of work cost: processor time by line, by stored row, by partition file and by month.

Loads two sets of logs into folders, one piece after the other: many lines for a few partitions, and few lines for many
partitions. Then it loads one more line for each partition of either.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.load import NOW, events
from benchmarks.scale.pieces import measured
from pipeline.contract.formats import instant
from pipeline.contract.settings import RAW
from pipeline.load.results import RunReport
from pipeline.sample.cast import Plan
from pipeline.sample.generate import write

_FEW: Final = 4  # workspaces and days of the dense logs
_WORKSPACES: Final = 100
_DAYS: Final = 15
_MILLION: Final = 1e6


class Costs(msgspec.Struct, frozen=True):
    """Processor time, and bytes of the tables.

    Attributes:
        read_s: seconds for a million lines, from the raw file to the shuffled row.
        merge_s: seconds for a million new lines, merged and written.
        stored_s: seconds for a million stored rows, read, merged and written again.
        new_file_ms: milliseconds for each new partition file, besides its rows.
        file_ms: milliseconds for each partition file that is read and written again, besides its rows.
        month_ms: milliseconds for the cube and the actors of a workspace's month that are there already.
        line_bytes: of a raw line.
        row_bytes: of a row in a partition file.
    """

    read_s: float
    merge_s: float
    stored_s: float
    new_file_ms: float
    file_ms: float
    month_ms: float
    line_bytes: float
    row_bytes: float


class _Load(msgspec.Struct):
    """A load: its report, and the processor seconds of each step."""

    report: RunReport
    steps: dict[str, float]


def costs(folder: Path, lines: int, rounds: int) -> Costs:
    """Return the costs, each the least of some rounds, with about so many dense lines."""
    found = [_costs(folder / str(number), lines) for number in range(rounds)]
    names = Costs.__struct_fields__
    return Costs(**{name: min(getattr(one, name) for one in found) for name in names})


def _costs(folder: Path, lines: int) -> Costs:
    dense, sparse = folder / "dense", folder / "sparse"
    write(dense, Plan(now=instant(NOW), events=lines, workspaces=_FEW, days=_FEW, seed=1))
    _write(sparse / RAW, events(_WORKSPACES, range(_DAYS), _WORKSPACES * _DAYS, "sparse"))
    loads = {name: (_load(data, data / RAW), _late(data, folder)) for name, data in _named(dense, sparse)}
    (of_dense, late_dense), (of_sparse, late_sparse) = loads["dense"], loads["sparse"]
    report, files = of_dense.report, of_sparse.report.partitions
    rows = report.accepted
    months = len(list(sparse.glob("cube/*/*")))
    return Costs(
        read_s=of_dense.steps["_read"] / report.lines * _MILLION,
        merge_s=of_dense.steps["merge"] / report.lines * _MILLION,
        stored_s=late_dense.steps["merge"] / rows * _MILLION,
        new_file_ms=of_sparse.steps["merge"] / files * 1000,
        file_ms=late_sparse.steps["merge"] / files * 1000,
        month_ms=late_sparse.steps["roll_up"] / months * 1000,
        line_bytes=report.bytes / report.lines,
        row_bytes=sum(path.stat().st_size for path in dense.glob("events/*/*/*")) / rows,
    )


def _named(*folders: Path) -> Iterator[tuple[str, Path]]:
    return ((folder.name, folder) for folder in folders)


def _late(data: Path, folder: Path) -> _Load:
    """Load one line for each partition of a data folder."""
    late = folder / f"late-{data.name}"
    _write(late, _one_each(data))
    return _load(data, late)


def _load(data: Path, raw: Path) -> _Load:
    report, pieces = measured(data, raw)
    steps: dict[str, float] = {}
    for piece in pieces:
        steps[piece.step] = steps.get(piece.step, 0) + piece.seconds
    return _Load(report, steps)


def _write(folder: Path, lines: Iterable[bytes]) -> None:
    folder.mkdir(parents=True)
    with (folder / "events.jsonl").open("wb") as file:
        file.writelines(lines)


def _one_each(data: Path) -> Iterator[bytes]:
    for number, path in enumerate(sorted(data.glob("events/*/*/events.parquet"))):
        workspace_id, day = (folder.name.partition("=")[2] for folder in (path.parents[1], path.parent))
        record = {
            "id": f"late-{number}",
            "workspace_id": workspace_id,
            "timestamp": f"{day}T00:00:00Z",
            "action": "voice_generated",
            "kind": "text_to_speech",
            "resource": {"type": "voice"},
            "usage": {"credits": 1, "languages": [{"locale": "en", "characters": 10}]},
        }
        yield msgspec.json.encode(record) + b"\n"
