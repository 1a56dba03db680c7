"""Raw files that change, vanish, cannot be read or are not what their name says: no line is lost, none counts twice."""

import errno
import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from pipeline.load import discovery
from pipeline.load import lines as lines_of
from pipeline.load import read as reading
from pipeline.load.discovery import Part
from pipeline.load.job import Limits
from pipeline.load.lines import Block
from pipeline.validation.records import LINE_BYTES_MAX
from tests.hostile import compress
from tests.support.command import done, ledger, total, usage
from tests.support.data_folder import DataFolder, record


def lines(*ids: str, kind: str = "text_to_speech") -> bytes:
    """Return a raw file's bytes."""
    return b"".join(json.dumps(record(id_, kind=kind)).encode() + b"\n" for id_ in ids)


def ids(folder: DataFolder) -> set[str]:
    """Return the ids of all events."""
    return set(folder.events()["id"])


@pytest.fixture
def after_listing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Return what lets something happen once, when the raw files are listed and before one is read."""

    def happens(something: Callable[[], object]) -> None:
        changed = discovery.changed

        def then(*arguments: Any) -> list[Part]:
            parts = changed(*arguments)
            monkeypatch.setattr(discovery, "changed", changed)
            something()
            return parts

        monkeypatch.setattr(discovery, "changed", then)

    return happens


@pytest.fixture
def while_reading(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Return what lets something happen once, when the first line of a file is read and the last one is not."""
    blocks = lines_of.blocks

    def happens(something: Callable[[], object]) -> None:
        def then(*arguments: Any) -> Iterator[Block]:
            found = blocks(*arguments)
            yield next(found)
            monkeypatch.setattr(reading, "blocks", blocks)
            something()
            yield from found

        monkeypatch.setattr(reading, "blocks", then)

    return happens


def test_vanishes_before_it_is_read(folder: DataFolder, after_listing: Callable[[Callable[[], object]], None]) -> None:
    """A file that is gone when its turn comes is reported, the others are loaded; back again, it is read."""
    folder.drop("a.jsonl", lines("a"))
    path = folder.drop("b.jsonl", lines("b"))
    after_listing(path.unlink)
    result = usage(folder)
    done(result, 4)
    assert "b.jsonl: No such file or directory" in result.stderr
    assert ids(folder) == {"a"}
    assert set(ledger(folder)) == {"a.jsonl"}
    done(usage(folder))
    path.write_bytes(lines("b"))
    done(usage(folder))
    assert ids(folder) == {"a", "b"}


def test_vanishes_while_it_is_read(folder: DataFolder, while_reading: Callable[[Callable[[], object]], None]) -> None:
    """A file that is deleted or renamed while it is open is read to its end."""
    path = folder.drop("a.jsonl", lines(*"abcdef"))
    while_reading(path.unlink)
    done(usage(folder))
    assert ids(folder) == set("abcdef")
    assert total(folder).accepted == 6


def test_grows_while_it_is_read(folder: DataFolder, while_reading: Callable[[Callable[[], object]], None]) -> None:
    """Only what was there when the file was opened is read, the rest by the next run; half a line waits for its end."""
    path = folder.drop("a.jsonl", lines(*"abcd"))
    more = lines(*"efg")

    def append(content: bytes) -> None:
        with path.open("ab") as file:
            file.write(content)

    while_reading(lambda: append(more[:-50]))
    assert folder.run().accepted == 4
    assert ids(folder) == set("abcd")
    report = folder.run()
    assert (report.accepted, report.rejected, report.bytes) == (2, 1, len(more) - 50)
    append(more[-50:])
    assert folder.run().accepted == 1
    assert ids(folder) == set("abcdefg")
    assert (total(folder).lines, total(folder).accepted, total(folder).rejected) == (7, 7, 0)


def test_replaced_by_one_of_the_same_size(folder: DataFolder) -> None:
    """Another file under the same name, of the same size and age, is read."""
    path = folder.drop("a.jsonl", lines("a", "b"))
    folder.run()
    before = path.stat()
    other = folder.drop("a.tmp", lines("c", "d"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert folder.run().accepted == 2
    assert ids(folder) == set("abcd")


@pytest.mark.parametrize("rename", [True, False])
@pytest.mark.parametrize("size", [1, 2, 9])
def test_replaced_before_it_is_read_on(
    folder: DataFolder, after_listing: Callable[[Callable[[], object]], None], size: int, *, rename: bool
) -> None:
    """A file that grew, and is another one when it is opened, is not read from the middle but as a whole next time."""
    path = folder.drop("a.jsonl", lines("a", "b"))
    folder.run()
    path.write_bytes(lines("a", "b", "c"))
    new = [f"new {number}" for number in range(size)]

    def replace() -> None:
        if rename:
            folder.drop("a.tmp", lines(*new)).replace(path)
        else:
            path.write_bytes(lines(*new))

    after_listing(replace)
    result = usage(folder)
    done(result, 4)
    assert "a.jsonl: another file took its place" in result.stderr
    assert ids(folder) == {"a", "b"}
    done(usage(folder))
    assert ids(folder) == {"a", "b", *new}
    assert total(folder).lines == size


def test_truncated(folder: DataFolder) -> None:
    """A file that became shorter is read anew, and from there on when it grows."""
    path = folder.drop("a.jsonl", lines("a", "b", "c") + b"bad\n")
    folder.run()
    path.write_bytes(lines("a"))
    assert (folder.run().duplicates, total(folder).lines) == (1, 1)
    path.write_bytes(lines("a", "d"))
    report = folder.run()
    assert (report.accepted, report.bytes) == (1, len(lines("d")))
    path.write_bytes(b"")
    assert folder.run().lines == 0
    path.write_bytes(lines("e"))
    assert folder.run().accepted == 1
    assert ids(folder) == set("abcde")


@pytest.mark.parametrize("left", [0, 1, 2])
def test_truncated_while_it_is_read(
    folder: DataFolder,
    while_reading: Callable[[Callable[[], object]], None],
    left: int,
) -> None:
    """A file that is cut off under the reader and written anew is read anew by the next run, whatever its length."""
    kind = "k" * 100_000  # more than what is read ahead
    path = folder.drop("a.jsonl", lines(*"abcdef", kind=kind))
    while_reading(lambda: path.write_bytes(lines(*"xyz"[:left], kind=kind)))
    folder.limits = Limits(chunk_bytes=60_000)
    done(usage(folder))
    assert not ids(folder) & set("def")
    path.write_bytes(lines(*"xyz"[:left], *"opqrstuv", kind=kind))
    done(usage(folder))
    assert ids(folder) >= {*"xyz"[:left], *"opqrstuv"}
    assert total(folder).lines == left + 8


class Failing:
    """A file of which no more can be read than its beginning."""

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
        """Fail where the beginning ends."""
        if self._file.tell():
            raise OSError(self._number, os.strerror(self._number))
        return self._file.read(min(size, 400))


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
@pytest.mark.parametrize("at", ["open", "read"])
def test_cannot_be_read(folder: DataFolder, monkeypatch: pytest.MonkeyPatch, suffix: str, number: int, at: str) -> None:
    """What the system refuses is said, nothing of the file is loaded but the others are, and it is tried again."""
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


@contextmanager
def nobody(temporary: Path) -> Iterator[None]:
    """Go on as a user who owns a folder, and whom permissions stop."""
    user = os.geteuid()
    if user:
        yield
        return
    for path in [temporary, *temporary.rglob("*")]:
        os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_permissions() -> None:
    """Files and folders that this user may not read are reported and tried again, also one that was read before."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = DataFolder(Path(temporary) / "data")
        grown = folder.drop("a.jsonl", lines("a"))
        folder.run()
        grown.write_bytes(lines("a", "b"))
        secret = folder.drop("deep/c.jsonl", lines("c"))
        listed = folder.drop("listed/d.jsonl", lines("d")).parent
        searched = folder.drop("searched/e.jsonl", lines("e")).parent
        folder.drop("f.jsonl", lines("f"))
        with nobody(Path(temporary)):
            modes = {grown: 0, secret: 0, listed: 0o400, searched: 0o100}
            for path, mode in modes.items():
                path.chmod(mode)
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
    """Of a corrupted stream the good prefix is kept and the file reported, once; when it changes it is read again."""
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
    done(usage(folder))
    assert total(folder).lines == good + 1
    path.write_bytes(packed)
    done(usage(folder))
    assert ids(folder) == {"b", *all_ids}
    assert (total(folder).lines, total(folder).accepted) == (4001, 4001 - good)


def test_names_that_deceive(folder: DataFolder) -> None:
    """A folder may be named like a file; what is no file at all is reported, and not waited for."""
    (folder.root / "raw/empty.jsonl").mkdir(parents=True)
    folder.drop("folder.jsonl.gz/a.jsonl", lines("a"))
    folder.drop("empty", b"")
    done(usage(folder))
    os.mkfifo(folder.root / "raw/pipe.jsonl")
    os.mkfifo(folder.root / "raw/pipe")
    result = usage(folder)
    done(result, 4)
    assert "  pipe.jsonl: it is no ordinary file\n" in result.stderr
    assert ids(folder) == {"a"}


def test_empty_file(folder: DataFolder) -> None:
    """An empty file has no lines, and those that it gets later are read."""
    path = folder.drop("a.jsonl", b"")
    folder.drop("b.jsonl.gz", b"")
    folder.drop("c.jsonl.zst", b"")
    report = folder.run()
    assert (report.files, report.lines, report.errors) == (3, 0, [])
    path.write_bytes(lines("a"))
    assert folder.run().accepted == 1


def test_long_lines(folder: DataFolder) -> None:
    """Lines of 10 MB are rejected with their length, and the lines around them are good."""
    long = b'{"id":"' + b"x" * 10_000_000 + b'"}\n'
    folder.drop("a.jsonl", lines("a") + long + lines("b") + long * 2 + lines("c"))
    folder.run()
    assert ids(folder) == {"a", "b", "c"}
    found = folder.quarantine()
    assert [(row["line_number"], row["reason"]) for row in found] == [(n, "line_too_long") for n in (2, 4, 5)]
    assert all("10,000,009 bytes" in row["message"] and row["line"] == long[:-1] for row in found)
    assert f"{LINE_BYTES_MAX:,}" in found[0]["message"]


@pytest.mark.parametrize("behind", [b"", lines("b") * 9_000])
def test_long_first_line(folder: DataFolder, behind: bytes) -> None:
    """A byte order mark and a carriage return are not counted, whatever else is read at once."""
    folder.drop("a.jsonl", b"\xef\xbb\xbf" + b"x" * 1_500_000 + b"\r\n" + behind)
    folder.run()
    assert "1,500,000 bytes" in folder.quarantine()[0]["message"]


def test_no_newline_at_all(folder: DataFolder) -> None:
    """Of 40 MB without a newline the beginning is kept, and what follows in time is read as it should be."""
    path = folder.drop("a.jsonl", b"x" * 40_000_000)
    assert (folder.run().rejected, total(folder).lines) == (1, 1)
    (row,) = folder.quarantine()
    assert row["reason"] == "line_too_long"
    assert "40,000,000 bytes" in row["message"]
    assert row["line"] == b"x" * (16 << 20)
    with path.open("ab") as file:
        file.write(b"x\n" + lines("a"))
    report = folder.run()
    assert (report.rejected, report.accepted) == (1, 1)
    assert "40,000,001 bytes" in folder.quarantine()[0]["message"]
    with path.open("ab") as file:
        file.write(lines("b"))
    assert folder.run().bytes == len(lines("b"))
    assert (total(folder).lines, total(folder).rejected) == (3, 1)


def test_deep_nesting(folder: DataFolder) -> None:
    """Nesting of 100,000 levels stops nothing: ignored in unknown keys, too deep for metadata, else no record."""
    deep = "[" * 100_000 + "]" * 100_000
    plain = lines("@")[:-2].decode()
    texts = [
        f'{plain},"x":{deep}}}'.replace("@", "a"),
        f'{plain},"metadata":{{"x":{deep}}}}}',
        f'{plain},"usage":{deep}}}',
        deep,
        deep[:-1],
        f"{plain}}}".replace("@", "b"),
    ]
    folder.drop("a.jsonl", "\n".join(texts).encode())
    folder.run()
    assert ids(folder) == {"a", "b"}
    assert [(row["line_number"], row["reason"], row["field"]) for row in folder.quarantine()] == [
        (2, "invalid_value", "metadata"),
        (3, "invalid_type", "usage"),
        (4, "not_an_object", None),
        (5, "invalid_json", None),
    ]


def test_paths_that_are_no_raw_files(folder: DataFolder, tmp_path: Path) -> None:
    """A path that is not there, or is named otherwise, is refused by name, and nothing is loaded."""
    folder.drop("a.jsonl", lines("a"))
    other = tmp_path / "a.json"
    other.write_bytes(lines("b"))
    for path, why in ((other, "no raw file"), (tmp_path / "gone.jsonl", "no such file")):
        result = usage(folder, str(path))
        done(result, 2)
        assert f"{path}" in result.stderr
        assert why in result.stderr
    assert not list(folder.root.glob("events/*"))
