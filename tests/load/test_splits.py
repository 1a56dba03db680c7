"""Large plain files are read in splits: a run has the same results as without, or skips the whole file."""

import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import polars.selectors as cs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.contract.calendar import DAY_US
from pipeline.contract.settings import Settings
from pipeline.load import read, stages
from pipeline.load.discovery import Part, Retry
from pipeline.load.job import DEFAULT_LIMITS, Limits
from pipeline.load.lines import Block, blocks
from pipeline.load.raw_source import FolderRaw
from pipeline.load.rebuild import Rebuild
from pipeline.load.results import RunReport
from pipeline.load.splits import split
from pipeline.run import run
from pipeline.storage.tombstones import Tombstone, append, hashed
from tests.hostile import deliver
from tests.hostile.files import BOM
from tests.support.command import done, ledger, total, usage
from tests.support.data_folder import NOW, DataFolder, record

FORGOTTEN = "c0000000-0000-4000-8000-00000000000a"


def line(id_: str = "e1", **fields: Any) -> bytes:
    """Return one line."""
    return json.dumps(record(id_, **fields)).encode() + b"\n"


def outcome(folder: DataFolder, report: RunReport) -> dict[str, Any]:
    """Return all results of a run except its id and its duration."""
    entries = {name: msgspec.structs.replace(entry, run="") for name, entry in ledger(folder).items()}
    report = msgspec.structs.replace(report, run="", seconds={})
    frames = {"events": folder.events(), "cube": folder.cube(), "actors": folder.actors()}
    tables = {name: frame.cast({cs.temporal(): pl.Int64}).to_dicts() for name, frame in frames.items()}
    return {**tables, "quarantine": folder.quarantine(), "ledger": entries, "report": report}


class Twins:
    """Two data folders with the same raw files; one of them reads large files in splits."""

    def __init__(self, root: Path, split_bytes: int, limits: Limits = DEFAULT_LIMITS) -> None:
        self.whole, self.split = DataFolder(root / "whole"), DataFolder(root / "split")
        self.whole.limits = limits
        self.split.limits = msgspec.structs.replace(limits, split_bytes=split_bytes)
        self.split.root.mkdir()
        (self.whole.root / "raw").mkdir(parents=True)
        (self.split.root / "raw").symlink_to(self.whole.root / "raw")
        for folder in (self.whole, self.split):
            append(folder.root, Tombstone("user", NOW, sha256=hashed(FORGOTTEN)))

    def run(self, later: int = 0, workers: int = 1, **fields: Any) -> RunReport:
        """Run the pipeline in both folders, and assert that the results are equal."""
        now = self.whole.now + later
        expected = outcome(self.whole, run(self.whole.settings, now, limits=self.whole.limits, **fields))
        settings_of_split = Settings.read({}, data_dir=self.split.root, workers=workers)
        report = run(settings_of_split, now, limits=self.split.limits, **fields)
        assert outcome(self.split, report) == expected
        return report


PIECES = [
    line(),
    line(),
    line(recorded_at="2026-11-24T11:00:00Z", usage={"credits": 5}),
    line("e2", timestamp="2026-11-23T10:00:00Z"),
    line("early", timestamp="2026-11-26T10:00:00Z"),
    line("forgotten", user={"id": FORGOTTEN, "name": "Ada"}),
    line("long", kind="k" * 3000),
    line(BOM.decode()).replace(b"\n", b"\r\n"),
    BOM + line("not at the start"),
    b"{}\n",
    b"bad" * 700 + b"\n",
    b"\xff\n",
    b"\n",
    b" \r\n",
]
TAILS = [b"", b"", b'{"id":"torn', line("tail")[:-1], b"x" * 2000, b"  ", b"{}"]
CONTENT = st.builds(
    lambda pieces, tail: b"".join(pieces) + tail, st.lists(st.sampled_from(PIECES)), st.sampled_from(TAILS)
)


FILES = 5  # that grow in each example; a run over five files takes as long as a run over one


@settings(max_examples=2, deadline=None)
@given(
    growing=st.lists(st.lists(CONTENT, min_size=1, max_size=3), min_size=FILES, max_size=FILES),
    split_bytes=st.integers(1, 1500),
    boms=st.lists(st.booleans(), min_size=FILES, max_size=FILES),
)
@example(
    growing=[[b"x" * 5000, b"y" * 5000 + b"\n" + line()], [line("a") + b"bad", b"\n" + line("b")]],
    split_bytes=5,
    boms=[False, False],
)
@example(growing=[[b"", b"".join(PIECES), b"".join(PIECES)]], split_bytes=1, boms=[True])
def test_growing_files(*, growing: list[list[bytes]], split_bytes: int, boms: list[bool]) -> None:
    """However files grow and wherever they are split, the tables, ledger, quarantine and report are the same."""
    with tempfile.TemporaryDirectory() as temporary:
        twins = Twins(Path(temporary), split_bytes)
        paths = [twins.whole.drop(f"{number}.jsonl", BOM * bom) for number, bom in enumerate(boms)]
        for appended in zip_longest(*growing, fillvalue=b""):
            for path, content in zip(paths, appended, strict=True):
                with path.open("ab") as file:
                    file.write(content)
            twins.run()
        twins.run(later=2 * DAY_US, retry=Retry())
        twins.run(later=2 * DAY_US, rebuild=Rebuild())


@pytest.mark.usefixtures("forked_workers")
def test_hostile_files(tmp_path: Path) -> None:
    """Hostile files, some compressed, give the same results in splits, slices and several processes."""
    twins = Twins(tmp_path, 10_000, Limits(processes_bytes=0, slice_bytes=400_000, bucket_bytes=100_000))
    files = deliver(1, twins.whole.now, events=50, edges=10).files
    for number, (name, content) in enumerate(files):
        plain = name.endswith(".jsonl")
        twins.whole.drop(name, content[: len(content) * (1 + number % 2) // 2] if plain else content)
    assert twins.run(workers=2).rejected
    for name, content in files:
        path = twins.whole.root / "raw" / name
        if path.stat().st_size < len(content):
            path.write_bytes(content)
    twins.run(workers=2)
    twins.run(workers=2, rebuild=Rebuild())


def test_splits_touch(tmp_path: Path) -> None:
    """Splits end with a line and have about the wanted size. A longer line is in a single split."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"aaaa\n" * 3 + b"b" * 30 + b"\n" + b"\n" * 10 + b"c")
    parts = split(Part("a.jsonl", path, None, path.stat().st_size), FolderRaw(tmp_path), Limits(split_bytes=10))
    assert [(part.offset, part.end) for part in parts] == [(0, 15), (15, 46), (46, 57)]
    assert [part.bytes for part in parts] == [15, 31, 11]


@pytest.fixture
def four(folder: DataFolder) -> Path:
    """Return a raw file whose four lines are a split each. The second line is the longest and is read first."""
    # A hash of so few bytes misses some changes.
    folder.limits = Limits(split_bytes=1, batch_bytes=1, prefix_bytes=4)
    folder.drop("z.jsonl", line("z"))
    path = folder.drop("a.jsonl", line("a", kind="k" * 20) + line("b", kind="k" * 30) + line("c") + b"bad\n")
    os.utime(path, (0, 0))
    return path


@pytest.fixture
def before_reading(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Return a function that schedules an action after all splits are made and before one is read."""

    def happens(something: Callable[[], object]) -> None:
        def then(*arguments: Any) -> Any:
            monkeypatch.setattr(stages, "read", read.read)
            something()
            return read.read(*arguments)

        monkeypatch.setattr(stages, "read", then)

    return happens


@pytest.fixture
def while_reading(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Return a function that schedules an action after the first split is opened and before the others are."""

    def happens(something: Callable[[], object]) -> None:
        def then(*arguments: Any) -> Iterator[Block]:
            monkeypatch.setattr(read, "blocks", blocks)
            something()
            return blocks(*arguments)

        monkeypatch.setattr(read, "blocks", then)

    return happens


def put(path: Path, offset: int, content: bytes) -> None:
    """Overwrite a few bytes in place."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def refuse() -> None:
    """Fail as a broken disk does."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


LOSSES: dict[str, tuple[Callable[[Path], object], str]] = {
    "vanishes": (Path.unlink, "No such file or directory"),
    "replaced": (lambda path: path.with_suffix(".tmp").replace(path), "another file took its place"),
    "cut off": (lambda path: os.truncate(path, 20), "another file took its place"),
    "overwritten": (lambda path: put(path, 3, b"\n" * 400), "another file took its place"),
    "a newline less": (lambda path: put(path, len(line("a", kind="k" * 20)) - 1, b" "), "it was changed while"),
    "disk": (lambda _: refuse(), "Input/output error"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_file_is_skipped_as_a_whole(
    folder: DataFolder, four: Path, while_reading: Callable[[Callable[[], object]], None], loss: str
) -> None:
    """If one split cannot be read, the whole file is skipped and the other files are loaded. The next run reads it."""
    change, error = LOSSES[loss]
    content = four.read_bytes()
    folder.drop("a.tmp", line("other") * 9)
    while_reading(lambda: change(four))
    result = usage(folder)
    done(result, 4)
    assert f"  a.jsonl: {error}" in result.stderr
    assert set(folder.events()["id"]) == {"z"}
    assert set(ledger(folder)) == {"z.jsonl"}
    assert folder.quarantine() == []
    four.write_bytes(content)
    done(usage(folder))
    assert set(folder.events()["id"]) == set("abcz")
    assert (total(folder).lines, total(folder).accepted, total(folder).rejected) == (5, 4, 1)


def test_the_last_split_is_cut_off(
    folder: DataFolder, four: Path, while_reading: Callable[[Callable[[], object]], None]
) -> None:
    """If the last split is cut off, its rest counts, as in an unsplit file. The file is read again when it grows."""
    content = four.read_bytes()
    while_reading(lambda: os.truncate(four, len(content) - 2))
    done(usage(folder))
    assert [row["reason"] for row in folder.quarantine()] == ["truncated_line"]
    assert ledger(folder)["a.jsonl"].prefix_hash == ""
    four.write_bytes(content + line("d"))
    assert folder.run().lines == 5
    assert (total(folder).lines, total(folder).rejected) == (6, 1)


@pytest.mark.parametrize("when", ["before_reading", "while_reading"])
def test_grows(folder: DataFolder, four: Path, when: str, request: pytest.FixtureRequest) -> None:
    """The next run reads only the bytes that were appended after the splits were made."""
    more = line("d") + line("e")[:-9]

    def grow() -> None:
        with four.open("ab") as file:
            file.write(more)

    request.getfixturevalue(when)(grow)
    assert folder.run().lines == 5
    report = folder.run()
    assert (report.lines, report.bytes) == (2, len(more))
    assert set(folder.events()["id"]) == set("abcdz")
    assert total(folder).lines == 7


def test_overwritten_in_place(
    folder: DataFolder, four: Path, while_reading: Callable[[Callable[[], object]], None]
) -> None:
    """The next run finds a change in a split that had already been read."""
    content = four.read_bytes()
    start = len(line("a", kind="k" * 20)) + 8
    while_reading(lambda: put(four, start, b"B"))
    done(usage(folder))
    done(usage(folder))
    assert content[start : start + 1] == b"b"
    assert "B" in set(folder.events()["id"])
    assert total(folder).lines == 5
