"""`usage check` of raw files: a plain file that was changed where runs do not look is found."""

import zlib
from functools import partial
from pathlib import Path

import pytest

from pipeline.load import discovery
from pipeline.load import read as reading
from pipeline.load.job import Limits
from pipeline.load.lines import blocks
from tests.support.checked import checked, wrong
from tests.support.command import ledger
from tests.support.data_folder import DataFolder
from tests.support.raw_files import ids, lines


def change_and_grow(path: Path, old: bytes, new: bytes, more: bytes) -> None:
    """Change some bytes of a file in place, as `rsync --inplace` does, and append others."""
    content = path.read_bytes()
    assert content.count(old) == 1
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new) + more)


@pytest.fixture
def grown(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    """Return a folder whose file was changed in the middle, then grew; it is too large to be read again for a line."""
    monkeypatch.setattr(discovery, "_VERIFIED_BYTES", 100)
    folder.limits = Limits(prefix_bytes=100, split_bytes=600)
    path = folder.drop("a.jsonl", lines(*"abcdefgh"))
    folder.drop("b.jsonl", lines("z"))
    folder.run()
    change_and_grow(path, b'"id": "d"', b'"id": "D"', lines("i"))
    folder.run()
    assert ids(folder) == set("abcdefghiz")
    return folder


def test_changed_and_grown(grown: DataFolder) -> None:
    """A large plain file that was changed before the point where reading stopped is named, until it is read again."""
    report = checked(grown)
    assert wrong(report) == {"ledger": 1}
    assert report.ledger.first == ["a.jsonl: its first 1,971 bytes are not those that were read any more"]
    (grown.root / "raw/a.jsonl").touch()
    assert wrong(checked(grown)) == {}  # it waits for the next run, which reads all of it
    grown.run()
    assert "D" in ids(grown)
    assert wrong(checked(grown)) == {}


def test_only_where_everything_is_checked(grown: DataFolder) -> None:
    """A check of some days, as it is made daily, does not read all of `raw/`."""
    assert wrong(checked(grown, days=7)) == {}
    assert wrong(checked(grown)) == {"ledger": 1}


def test_gone(grown: DataFolder) -> None:
    """Raw files may be deleted once they were read."""
    (grown.root / "raw/a.jsonl").unlink()
    assert wrong(checked(grown)) == {}


def test_small_file_changed_and_grown(folder: DataFolder) -> None:
    """A small plain file that was changed anywhere, then grew, is read again as a whole by the next run."""
    folder.limits = Limits(prefix_bytes=100)
    path = folder.drop("a.jsonl", lines(*"abcdefgh"))
    folder.run()
    change_and_grow(path, b'"id": "d"', b'"id": "D"', lines("i"))
    assert folder.run().lines == 9
    assert ids(folder) == set("abcDdefghi")
    assert wrong(checked(folder)) == {}


@pytest.mark.parametrize("split_bytes", [1, 300, 10_000])
def test_the_checksum_is_that_of_the_whole_file(
    folder: DataFolder, split_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a file grows, in however many splits it is read, its checksum is that of all its whole lines."""
    monkeypatch.setattr(reading, "blocks", partial(blocks, line_kept_bytes=1000))  # longer ones are not kept
    folder.limits = Limits(split_bytes=split_bytes, chunk_bytes=700)
    content = b"\xef\xbb\xbf" + lines("a", "b") + b"x" * 5000 + b"\n" + lines("c", "d", "e")
    path = folder.drop("a.jsonl", b"")
    for size in (400, len(content) - 600, len(content) - 5, len(content)):
        path.write_bytes(content[:size])
        folder.run()
        entry = ledger(folder)["a.jsonl"]
        assert entry.checksum == zlib.crc32(content[: entry.offset])
    assert entry.offset == len(content)
    assert wrong(checked(folder)) == {}
