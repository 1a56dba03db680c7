"""Unread files: raw files that could not be read to their end hold `data_as_of`, and every run reports them."""

import errno
import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from pipeline.check.check import check
from pipeline.load import lines as lines_of
from pipeline.load import read, splits
from pipeline.load.job import Limits
from pipeline.load.rebuild import Rebuild
from pipeline.load.results import RunReport
from pipeline.run import run
from pipeline.storage.state import State
from tests.support.command import done, interrupt_commit, usage
from tests.support.data_folder import DAY_US, DataFolder
from tests.support.permissions import permissions_obeyed
from tests.support.raw_files import ids, lines

WHOLE = gzip.compress(lines("x", "y"), mtime=0)
TORN = WHOLE[:12]  # not one line of it


def unread(report: RunReport) -> list[str]:
    """Return the names of the files that a run reports."""
    assert report.unread == len(report.errors)
    return [failure.file for failure in report.errors]


@contextmanager
def _torn(folder: DataFolder) -> Iterator[str]:
    folder.drop("bad.jsonl.gz", TORN)
    yield "bad.jsonl.gz"
    folder.drop("bad.jsonl.gz", WHOLE)


@contextmanager
def _forbidden(folder: DataFolder) -> Iterator[str]:
    path = folder.drop("bad.jsonl.gz", WHOLE)
    path.chmod(0)
    with permissions_obeyed():
        yield "bad.jsonl.gz"
    if path.exists():
        path.chmod(0o600)


@contextmanager
def _forbidden_folder(folder: DataFolder) -> Iterator[str]:
    path = folder.drop("bad/x.jsonl.gz", WHOLE).parent
    path.chmod(0o300)
    with permissions_obeyed():
        yield "bad"
    if path.exists():
        path.chmod(0o700)


@contextmanager
def _fifo(folder: DataFolder) -> Iterator[str]:
    path = folder.root / "raw/bad.jsonl.gz"
    os.mkfifo(path)
    yield "bad.jsonl.gz"
    path.unlink(missing_ok=True)
    path.write_bytes(WHOLE)


@contextmanager
def _nowhere(folder: DataFolder) -> Iterator[str]:
    path = folder.root / "raw/bad.jsonl.gz"
    path.symlink_to("x.gz")
    yield "bad.jsonl.gz"
    folder.drop("x.gz", WHOLE)


@contextmanager
def _failing_disk(folder: DataFolder) -> Iterator[str]:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = folder.drop("bad.jsonl", lines("x", "y"))
    with pytest.MonkeyPatch.context() as patch:
        blocks = lines_of.blocks
        patch.setattr(read, "blocks", lambda file, *rest: fail() if file.name == str(path) else blocks(file, *rest))
        yield "bad.jsonl"


FAULTS = [_torn, _forbidden, _forbidden_folder, _fifo, _nowhere, _failing_disk]
Fault = Callable[[DataFolder], AbstractContextManager[str]]


@pytest.mark.parametrize("fault", FAULTS)
def test_held_until_it_is_mended(folder: DataFolder, fault: Fault) -> None:
    """Every run reports the file and leaves `data_as_of`, whatever else it loads, until the file is mended."""
    first = folder.run(folder.now - DAY_US).data_as_of
    with fault(folder) as name:
        for number in range(2):
            folder.drop(f"{number}.jsonl", lines(f"e{number}"))
            report = folder.run(folder.now + number)
            assert unread(report) == [name]
            assert (report.data_as_of, report.accepted) == (first, 1)
            assert [failure.file for failure in check(folder.settings, folder.now).unread] == [name]
    report = folder.run()
    assert (unread(report), report.data_as_of) == ([], "2026-11-24T12:00:00Z")
    assert ids(folder) == {"e0", "e1", "x", "y"}
    assert check(folder.settings, folder.now).unread == []


@pytest.mark.parametrize("fault", FAULTS)
def test_held_until_it_is_removed(folder: DataFolder, fault: Fault) -> None:
    """Once the file is removed, nothing is reported any more."""
    first = folder.run(folder.now - DAY_US).data_as_of
    with fault(folder) as name:
        assert folder.run().data_as_of == first
        path = folder.root / "raw" / name
        path.rename(folder.root / "away")
        report = folder.run()
        assert (unread(report), report.data_as_of) == ([], "2026-11-24T12:00:00Z")
        assert check(folder.settings, folder.now).unread == []


def test_a_plain_file_without_a_last_newline(folder: DataFolder) -> None:
    """A plain file without a last newline is read to its end, also where its last line is torn: nothing is held."""
    for content in (lines("a", "b")[:-1], lines("a", "b")[:-9], b"x"):
        folder.drop("a.jsonl", content)
        report = folder.run()
        assert (unread(report), report.data_as_of) == ([], "2026-11-24T12:00:00Z")


def test_named_paths(folder: DataFolder, tmp_path: Path) -> None:
    """A run of named paths moves nothing; it reports the files that wait, and those of its own."""
    first = folder.run(folder.now - DAY_US).data_as_of
    bad = folder.drop("bad.jsonl.gz", TORN)
    good = folder.drop("good.jsonl", lines("g"))
    other = tmp_path / "other.jsonl.gz"
    other.write_bytes(TORN)
    assert unread(folder.run(paths=[good])) == []
    assert unread(folder.run(paths=[bad])) == ["bad.jsonl.gz"]
    assert unread(folder.run(paths=[good])) == ["bad.jsonl.gz"]
    assert unread(folder.run(paths=[other])) == ["bad.jsonl.gz", str(other)]
    report = folder.run()
    assert (unread(report), report.data_as_of) == (["bad.jsonl.gz"], first)
    bad.write_bytes(WHOLE)
    report = folder.run(paths=[bad])
    assert (unread(report), report.data_as_of) == ([], first)
    report = folder.run()
    assert (unread(report), report.data_as_of) == ([], "2026-11-24T12:00:00Z")


def test_a_named_run_after_it_was_removed(folder: DataFolder) -> None:
    """A run of named paths does not report a file that is gone."""
    folder.drop("bad.jsonl.gz", TORN)
    good = folder.drop("good.jsonl", lines("g"))
    folder.run()
    (folder.root / "raw/bad.jsonl.gz").unlink()
    assert unread(folder.run(paths=[good])) == []


@pytest.mark.parametrize("order", ["abc", "cab"])
def test_in_slices(folder: DataFolder, order: str) -> None:
    """In a run of several slices, a file that fails in any of them holds `data_as_of`, also if the run is stopped."""
    first = folder.run(folder.now - DAY_US).data_as_of
    for name, content in zip(order, (TORN, WHOLE, WHOLE), strict=True):
        folder.drop(f"{name}.jsonl.gz", content)
    folder.limits = Limits(slice_bytes=1)
    report = folder.run()
    assert (unread(report), report.data_as_of) == ([f"{order[0]}.jsonl.gz"], first)


def test_stopped_after_the_slice_that_failed(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run knows of a file that failed in a slice of a run that did not come to its end."""
    first = folder.run(folder.now - DAY_US).data_as_of
    folder.drop("a.jsonl.gz", TORN)
    folder.drop("b.jsonl.gz", WHOLE)
    folder.limits = Limits(slice_bytes=1)
    interrupt_commit(folder, monkeypatch, 4)
    report = folder.run()
    assert (unread(report), report.data_as_of) == (["a.jsonl.gz"], first)


def test_a_lost_state(folder: DataFolder) -> None:
    """Without the state all is read again, and the file is found again."""
    folder.drop("bad.jsonl.gz", TORN)
    folder.run()
    for path in folder.root.glob("state.sqlite*"):
        path.unlink()
    assert unread(folder.run()) == ["bad.jsonl.gz"]
    assert unread(folder.run()) == ["bad.jsonl.gz"]


def test_a_state_that_remembers_less(folder: DataFolder) -> None:
    """A state without the table of unread files, as an older release made it, still knows of files that broke off."""
    folder.drop("bad.jsonl.gz", TORN)
    folder.run()
    state = State(folder.root / "state.sqlite")
    state._database.execute("drop table unread")  # noqa: SLF001
    state.close()
    result = usage(folder)
    done(result, 4)
    assert "  bad.jsonl.gz: " in result.stderr


def test_rebuilds(folder: DataFolder) -> None:
    """A rebuild reports what it cannot read; one of some months moves nothing, and forgets nothing."""
    first = folder.run(folder.now - DAY_US).data_as_of
    folder.drop("bad.jsonl.gz", TORN)
    folder.drop("good.jsonl", lines("g"))
    for rebuild in (Rebuild(), Rebuild(since="2026-11"), None):
        report = run(folder.settings, folder.now, rebuild=rebuild)
        assert (unread(report), report.data_as_of) == (["bad.jsonl.gz"], first)
    folder.drop("bad.jsonl.gz", WHOLE)
    report = run(folder.settings, folder.now, rebuild=Rebuild())
    assert (unread(report), report.data_as_of) == ([], "2026-11-24T12:00:00Z")


def test_another_file_in_its_place_for_a_while(folder: DataFolder) -> None:
    """A file that is back as it was when it was read is read, although something else failed in its place."""
    path = folder.drop("a.jsonl", lines("a"))
    folder.run()
    path.rename(folder.root / "a")
    os.mkfifo(path)
    assert unread(folder.run()) == ["a.jsonl"]
    path.unlink()
    path.symlink_to("nowhere")
    assert unread(folder.run()) == ["a.jsonl"]
    path.unlink()
    (folder.root / "a").rename(path)
    assert unread(folder.run()) == []


def test_many(folder: DataFolder) -> None:
    """The record of a run names 100 unread files and counts all, so that thousands of runs stay small."""
    for number in range(130):
        (folder.root / f"raw/{number:03}.jsonl").symlink_to("nowhere")
    report = folder.run()
    assert ([failure.file for failure in report.errors][::99], report.unread) == (["000.jsonl", "099.jsonl"], 130)
    result = usage(folder)
    done(result, 4)
    assert "  and 30 more: `usage status` lists all of them\n" in result.stderr


def test_a_large_file_in_splits(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large plain file of which one split fails is unread as a whole."""
    first = folder.run(folder.now - DAY_US).data_as_of
    folder.drop("a.jsonl", lines(*(f"e{number}" for number in range(50))))
    folder.limits = Limits(split_bytes=1000)
    with monkeypatch.context() as patch:
        patch.setattr(splits, "_line_start", lambda _file, offset: offset + 1)  # in the middle of a line
        report = folder.run()
    assert (unread(report), report.data_as_of) == (["a.jsonl"], first)
    assert unread(folder.run()) == []
