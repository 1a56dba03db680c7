"""A run reports raw files that it cannot read, or not to their end, and loads the others."""

import errno
import gzip
import os
import random
from pathlib import Path
from typing import Any, Self

import pytest

from tests.hostile import compress
from tests.support.command import done, ledger, total, usage
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


@pytest.mark.parametrize(
    ("at", "number", "suffix"),
    [
        ("open", errno.EACCES, ".jsonl"),
        *((at, errno.EIO, suffix) for at in ("open", "read") for suffix in (".jsonl", ".jsonl.gz", ".jsonl.zst")),
    ],
)
def test_cannot_be_read(folder: DataFolder, monkeypatch: pytest.MonkeyPatch, at: str, number: int, suffix: str) -> None:
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
    """What can be unpacked before a corruption is kept, and the file is unread. It is read again when it changes.

    gzip unpacks garbage for a while until it notices, which is rejected.
    """
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
    rejected = total(folder).rejected
    assert rejected < (100 if suffix == ".jsonl.gz" else 1)
    assert f"the {good + rejected:,} lines before that are read" in result.stderr
    again = usage(folder)
    done(again, 4)
    assert f"  a{suffix}: " in again.stderr
    assert total(folder).lines == good + rejected + 1
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


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
@pytest.mark.parametrize("left", [1, 40, 4096])
def test_cut_off(folder: DataFolder, suffix: str, left: int) -> None:
    """Of a file that is cut off, each line that can be unpacked is loaded, the one before the fault included."""
    packed = compress(suffix, lines("a", "b")) + compress(suffix, lines("c", "d")[:-1])
    folder.drop(f"a{suffix}", packed[:-1])
    folder.drop(f"b{suffix}", packed + b"\0" * left)
    folder.drop(f"c{suffix}", packed[: len(packed) // 2 + 3])
    report = folder.run()
    assert [failure.file for failure in report.errors] == [f"a{suffix}", f"c{suffix}"]
    assert ids(folder) == set("abcd")
    assert report.rejected == 0
    assert ledger(folder)[f"a{suffix}"].counts.lines == 4 if suffix == ".jsonl.gz" else 2


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n"])
def test_nothing_before_the_fault(folder: DataFolder, content: bytes) -> None:
    """A compressed file without any line before the fault is reported too; so is one of no bytes."""
    folder.drop("a.jsonl.gz", gzip.compress(content)[:-1])
    folder.drop("b.jsonl.gz", b"")
    assert [failure.file for failure in folder.run().errors] == ["a.jsonl.gz", "b.jsonl.gz"]


def test_too_large_a_window(folder: DataFolder) -> None:
    """A zstd file whose window is larger than 128 MiB is reported with the command that repacks it."""
    content = lines("a")
    header = b"\x28\xb5\x2f\xfd\0" + bytes([21 << 3]) + (len(content) << 3 | 1).to_bytes(3, "little")
    folder.drop("a.jsonl.zst", header + content)
    result = usage(folder)
    done(result, 4)
    assert "it needs a window of 2,048 MiB, more than 128; repack it: zstd -dc --long=31 FILE" in result.stderr
