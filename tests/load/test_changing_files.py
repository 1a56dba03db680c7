"""Raw files that change, vanish or are replaced: no line is lost, and no line counts twice."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.load import discovery
from pipeline.load import lines as lines_of
from pipeline.load import read as reading
from pipeline.load.discovery import Part
from pipeline.load.job import Limits
from pipeline.load.lines import Block
from pipeline.storage.state import State
from tests.support.command import done, ledger, total, usage
from tests.support.data_folder import DataFolder
from tests.support.raw_files import ids, lines, numbers


@pytest.fixture
def after_listing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Return a function that schedules an action between the listing of the raw files and the first read."""

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
    """Return a function that schedules an action between the first and the last block of a file."""
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
    """A run reports a file that vanished after the listing and loads the others. A later run reads it if it is back."""
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
    """A run reads a file to its end even if it is deleted meanwhile."""
    path = folder.drop("a.jsonl", lines(*"abcdef"))
    while_reading(path.unlink)
    done(usage(folder))
    assert ids(folder) == set("abcdef")
    assert total(folder).accepted == 6


def test_growing_file(folder: DataFolder) -> None:
    """A file that grew is read on from its last complete line. A torn line leaves the quarantine once complete."""
    content = lines("a", "b") + b"bad\n" + lines("c", "d")
    path = folder.drop("a.jsonl", content[:250])
    first = folder.run()
    assert numbers(first)[3] == 1
    assert folder.quarantine()[0]["reason"] == "truncated_line"
    for size in (400, 600, len(content)):
        with path.open("ab") as file:
            file.write(content[path.stat().st_size : size])
        assert folder.run().bytes < len(content)
    assert set(folder.events()["id"]) == {"a", "b", "c", "d"}
    assert [(row["line_number"], row["reason"]) for row in folder.quarantine()] == [(3, "invalid_json")]
    state = State(folder.root / "state.sqlite")
    entry = state.entries()["a.jsonl"]
    state.close()
    assert (entry.counts.lines, entry.counts.accepted, entry.counts.rejected) == (5, 4, 1)


def test_last_line_without_newline_then_more(folder: DataFolder) -> None:
    """A good last line counts before its newline arrives, and does not count again afterwards."""
    path = folder.drop("a.jsonl", lines("a", "b")[:-1])
    assert numbers(folder.run()) == (2, 2, 0, 0, 0)
    with path.open("ab") as file:
        file.write(b"\n" + lines("c"))
    assert numbers(folder.run()) == (2, 1, 1, 0, 0)
    assert folder.events().height == 3


def test_grows_while_it_is_read(folder: DataFolder, while_reading: Callable[[Callable[[], object]], None]) -> None:
    """A run reads a file up to its size when it was opened. The next run reads the rest, and half a line waits."""
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


def test_replaced_file(folder: DataFolder) -> None:
    """A file with a new beginning is read again, and its quarantine is replaced. Raw files are never changed."""
    path = folder.drop("a.jsonl", b"bad\n" + lines("a"))
    folder.run()
    content = lines("a", "b", "c")
    path.write_bytes(content)
    assert numbers(folder.run()) == (3, 2, 1, 0, 0)
    assert folder.quarantine() == []
    assert path.read_bytes() == content


def test_replaced_by_one_of_the_same_size(folder: DataFolder) -> None:
    """A file that replaces another is read even if its name, size and modification time are the same."""
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
    """A file that is replaced before it is opened is not read from the middle. The next run reads the whole file."""
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
    """A file that became shorter is read again from its start. If it grows afterwards, only the new lines are read."""
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
    """If a file is truncated and rewritten while it is read, the next run reads it whole, whatever its length."""
    kind = "k" * 100_000  # more than the read-ahead
    path = folder.drop("a.jsonl", lines(*"abcdef", kind=kind))
    while_reading(lambda: path.write_bytes(lines(*"xyz"[:left], kind=kind)))
    folder.limits = Limits(chunk_bytes=60_000)
    done(usage(folder))
    assert not ids(folder) & set("def")
    path.write_bytes(lines(*"xyz"[:left], *"opqrstuv", kind=kind))
    done(usage(folder))
    assert ids(folder) >= {*"xyz"[:left], *"opqrstuv"}
    assert total(folder).lines == left + 8
