"""A run reports raw files that it cannot read, or not to their end, and loads the others."""

import errno
import gzip
import os
import random
from pathlib import Path
from typing import Any, Self

import pytest

from tests.hostile import compress
from tests.support.command import done, total, usage
from tests.support.data_folder import DataFolder, record
from tests.support.permissions import permissions_obeyed
from tests.support.raw_files import ids, lines


class Failing:
    """A file whose reads fail after 400 bytes."""

    def __init__(self, path: Path, number: int) -> None:
        self._file, self._number = path.open("rb"), number
        self.mode, self.closed = "rb", False
        self.fileno, self.tell, self.seek = self._file.fileno, self._file.tell, self._file.seek
        self.seekable = self.readable = lambda: True
        self.writable = lambda: False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """Return the first bytes, then fail."""
        if self._file.tell():
            raise OSError(self._number, os.strerror(self._number))
        return self._file.read(min(size, 400))


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
@pytest.mark.parametrize("at", ["open", "read"])
def test_cannot_be_read(folder: DataFolder, monkeypatch: pytest.MonkeyPatch, suffix: str, number: int, at: str) -> None:
    """A file that cannot be opened or read is reported and tried again. No line of it is loaded."""
    folder.drop("a.jsonl", lines("a"))
    bad = folder.drop(f"b{suffix}", compress(suffix, lines(*"bcdefghij")))
    folder.drop("c.jsonl", lines("z"))
    opened = Path.open

    def refusing(path: Path, *arguments: Any, **named: Any) -> Any:
        if path != bad:
            return opened(path, *arguments, **named)
        if at == "open":
            raise OSError(number, os.strerror(number), str(path))
        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", opened)
            return Failing(path, number)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refusing)
        for _ in range(2):
            result = usage(folder)
            done(result, 4)
            assert f"  b{suffix}: {os.strerror(number)}\n" in result.stderr
            assert ids(folder) == {"a", "z"}
    done(usage(folder))
    assert ids(folder) == {"a", *"bcdefghij", "z"}
    assert (total(folder).lines, total(folder).accepted) == (11, 11)


def test_broken_symlink(folder: DataFolder) -> None:
    """A broken symbolic link is reported and tried again, and the other files are loaded."""
    folder.drop("a.jsonl", [record("a")])
    (folder.root / "raw/b.jsonl").symlink_to(folder.root / "raw/nowhere")
    report = folder.run()
    assert (report.accepted, [failure.file for failure in report.errors]) == (1, ["b.jsonl"])
    assert report.data_as_of is None
    folder.drop("nowhere", lines("b"))
    assert folder.run().accepted == 1


def test_permissions(folder: DataFolder) -> None:
    """Files and folders without read permission are reported and tried again, even if an earlier run read them."""
    grown = folder.drop("a.jsonl", lines("a"))
    folder.run()
    grown.write_bytes(lines("a", "b"))
    secret = folder.drop("deep/c.jsonl", lines("c"))
    listed = folder.drop("listed/d.jsonl", lines("d")).parent
    searched = folder.drop("searched/e.jsonl", lines("e")).parent
    folder.drop("f.jsonl", lines("f"))
    modes = {grown: 0, secret: 0, listed: 0o400, searched: 0o100}
    for path, mode in modes.items():
        path.chmod(mode)
    with permissions_obeyed():
        for _ in range(2):
            report = folder.run()
            assert [(failure.file, failure.error) for failure in report.errors] == [
                (name, "Permission denied") for name in ("a.jsonl", "deep/c.jsonl", "listed/d.jsonl", "searched")
            ]
            assert ids(folder) == {"a", "f"}
        for path in modes:
            path.chmod(0o700)
        assert folder.run().errors == []
        assert ids(folder) == set("abcdef")
        assert total(folder).lines == 6


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_corrupted_in_the_middle(folder: DataFolder, suffix: str) -> None:
    """The lines before a corruption are kept, and the file is reported once. It is read again when it changes."""
    rng = random.Random(1)
    all_ids = [f"{number}-{rng.getrandbits(400):x}"[:100] for number in range(4000)]
    packed = compress(suffix, lines(*all_ids))
    middle = len(packed) // 2
    path = folder.drop(f"a{suffix}", packed[:middle] + packed[middle + 1000 :])
    folder.drop("b.jsonl", lines("b"))
    result = usage(folder)
    done(result, 4)
    assert f"  a{suffix}: " in result.stderr
    good = len(ids(folder)) - 1
    assert 0 < good < 4000
    assert ids(folder) == {"b", *all_ids[:good]}
    assert f"the {good:,} lines before that are read" in result.stderr
    again = usage(folder)
    done(again, 4)
    assert f"  a{suffix}: " in again.stderr
    assert total(folder).lines == good + 1
    path.write_bytes(packed)
    done(usage(folder))
    assert ids(folder) == {"b", *all_ids}
    assert (total(folder).lines, total(folder).accepted) == (4001, 4001 - good)


def test_corrupt_compressed_file(folder: DataFolder) -> None:
    """The lines of a truncated stream are kept, and the file is reported. It is read again when it changes."""
    content = b"".join(lines(f"e{k}", kind=random.Random(k).randbytes(200).hex()) for k in range(2000))
    whole = gzip.compress(content)
    folder.drop("a.jsonl.gz", whole[: len(whole) // 2])
    report = folder.run()
    assert 500 < report.accepted < 1500
    assert report.rejected == 0
    assert [failure.file for failure in report.errors] == ["a.jsonl.gz"]
    assert folder.run().files == 0
    folder.drop("a.jsonl.gz", whole)
    again = folder.run()
    assert again.accepted + report.accepted == 2000
    assert again.errors == []
