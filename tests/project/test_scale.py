"""docs/scale.md shows the stored results of `benchmarks.scale`, and its sizing follows from them."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.scale import commits, sizing
from benchmarks.scale.costs import Costs
from benchmarks.scale.pieces import measured
from benchmarks.scale.report import page
from benchmarks.scale.results import Results
from benchmarks.scale.slots import slice_of
from pipeline.contract.settings import RAW
from pipeline.storage.objects import commit
from tests.support.data_folder import DataFolder, record
from tests.support.project import ROOT

COSTS = Costs(
    read_s=1, merge_s=2, stored_s=4, new_file_ms=1, file_ms=2, month_ms=3, line_bytes=100, row_bytes=10
)  # fmt: skip


def test_page() -> None:
    """The tables equal those made from the stored results."""
    results = msgspec.json.decode((ROOT / "benchmarks/results/scale.json").read_bytes(), type=Results)
    text = (ROOT / "docs/scale.md").read_text("utf-8")
    assert page(text, results) == text


def test_day() -> None:
    """A day is the sum of its parts: worked by hand for one commit and for two, and with a file for each hour."""
    one, two = sizing.day(COSTS, 1), sizing.day(COSTS, 2)
    assert one.lines_cores == pytest.approx(10_000 * 3 / 86_400)
    assert one.stored_cores == 0
    assert two.stored_cores == pytest.approx(5_000 * 4 / 86_400)  # the second finds the rows of the first
    assert two.files_cores == pytest.approx(2 * 100_000 * 5e-3 / 86_400)
    assert two.written_tb == pytest.approx(15e9 * 10 / 1e12)
    assert one.puts == pytest.approx(300_000 + 512 + 512 + 256)
    assert one.slots == 4_000  # a terabyte, 4 GB for each 16 slots
    assert sizing.day(COSTS, 288, hourly=True).stored_cores < sizing.day(COSTS, 288).stored_cores / 10


def test_pieces(folder: DataFolder, tmp_path: Path) -> None:
    """All pieces of a run are measured, and a slice has them as often as fits, in the order of the steps."""
    folder.drop("a.jsonl", [record(f"e{number}") for number in range(20)])
    (tmp_path / "tables").mkdir()
    report, pieces = measured(tmp_path / "tables", folder.root / RAW)
    assert report.lines == 20
    assert [piece.step for piece in pieces] == ["_read", "merge", "roll_up"]
    assert all(piece.seconds > 0 and piece.sent > 100 and piece.answered > 100 for piece in pieces)
    assert [piece.step for piece in slice_of(pieces, 2_000_000_000, 16)] == ["_read"] * 2 + ["merge"] * 2 + [
        "roll_up"
    ] * 2
    assert len(slice_of(pieces, 2_000_000_000, 64)) == 4 * 6


def test_flip_is_measured() -> None:
    """What is measured of a commit is what it calls."""
    assert vars(commit)["flip"] is vars(commits)["flip"]
