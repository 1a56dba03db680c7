"""How `raw/` is listed: every folder once and in one order, links, and things that are no files."""

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.load import listing
from tests.support.command import done, ledger, usage
from tests.support.data_folder import DataFolder
from tests.support.permissions import permissions_obeyed
from tests.support.raw_files import ids, lines


def names(folder: DataFolder) -> list[str]:
    """Return the names of all files that are listed."""
    return [file.name for file in listing.listed(folder.root / "raw").files]


def link(folder: DataFolder, name: str, target: str) -> None:
    """Put a link into `raw/`."""
    path = folder.root / "raw" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def test_loops_end(folder: DataFolder) -> None:
    """Links that lead back, to each other, to themselves or to the data folder end, and make no file twice."""
    folder.drop("a.jsonl", lines("a"))
    folder.drop("deep/b.jsonl", lines("b"))
    for name, target in (
        ("l1", "."),
        ("l2", "."),
        ("deep/up", ".."),
        ("x", "deep/y"),
        ("deep/y", "../x"),
        ("me", "me"),
    ):
        link(folder, name, target)
    link(folder, "out", "..")
    (folder.root / "directory").mkdir()
    (folder.root / "directory/members.jsonl").write_text("")
    done(usage(folder))
    assert ids(folder) == {"a", "b"}
    assert set(ledger(folder)) == {"a.jsonl", "deep/b.jsonl"}
    assert names(folder) == ["a.jsonl", "deep/b.jsonl"]


def test_a_link_that_leads_nowhere(folder: DataFolder) -> None:
    """A link named like a raw file is reported if it leads nowhere or in a circle; another one is only ignored."""
    for name in ("circle.jsonl", "circle"):
        link(folder, name, name)
    link(folder, "nowhere.jsonl", "gone")
    link(folder, "nowhere", "gone")
    report = folder.run()
    assert [failure.file for failure in report.errors] == ["circle.jsonl", "nowhere.jsonl"]
    assert report.ignored.count == 2


def test_links_to_files(folder: DataFolder, tmp_path: Path) -> None:
    """Links to files are followed, also out of `raw/`."""
    outside = tmp_path / "outside.txt"
    outside.write_bytes(lines("a"))
    link(folder, "a.jsonl", str(outside))
    done(usage(folder))
    assert ids(folder) == {"a"}


def test_real_folders_come_first(folder: DataFolder) -> None:
    """A file has the name of its real folder, wherever links to it are; adding a link renames nothing."""
    folder.drop("z/deep/a.jsonl", lines("a"))
    before = names(folder)
    link(folder, "a", "z")
    link(folder, "b/c", "../z/deep")
    link(folder, "z/again", "deep")
    assert names(folder) == before == ["z/deep/a.jsonl"]


def test_links_are_entered_in_byte_order(folder: DataFolder, tmp_path: Path) -> None:
    """Of several links to a folder outside, the first in byte order names its files, however they were made."""
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep/a.jsonl").write_bytes(lines("a"))
    for name in ("é", "b", "a/z", "B", os.fsdecode(b"\xff")):
        link(folder, name, str(outside))
    link(folder, "A", str(outside / "deep"))
    assert names(folder) == ["A/a.jsonl"]
    (folder.root / "raw/A").unlink()
    assert names(folder) == ["B/deep/a.jsonl"]


def test_links_behind_links(folder: DataFolder, tmp_path: Path) -> None:
    """Folders that only links in linked folders lead to are found too."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "two/a.jsonl").write_bytes(lines("a"))
    (tmp_path / "one/next").symlink_to(tmp_path / "two")
    (tmp_path / "two/back").symlink_to(tmp_path / "one")
    link(folder, "one", str(tmp_path / "one"))
    assert names(folder) == ["one/next/a.jsonl"]


def test_deep_folders(folder: DataFolder) -> None:
    """Folders in folders, more than Python calls go deep; what is deeper than a path may be long is reported."""
    path = folder.root / "raw"
    deepest = os.open(path, os.O_RDONLY)
    for _ in range(2100):
        os.mkdir("d", dir_fd=deepest)
        below = os.open("d", os.O_RDONLY, dir_fd=deepest)
        os.close(deepest)
        deepest = below
    os.close(deepest)
    try:
        (failure,) = listing.listed(folder.root / "raw").failures
        assert failure.error == "File name too long"
    finally:
        subprocess.run(["rm", "-rf", path / "d"], check=True)  # too deep for pytest to clean up


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_no_ordinary_files(folder: DataFolder, kind: str) -> None:
    """A FIFO, a socket or a device where a log belongs is reported, and not opened."""
    path = folder.root / "raw/a.jsonl"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            before = Path.cwd()
            os.chdir(path.parent)  # the path itself may be too long
            try:
                bound.bind("a.jsonl")
            finally:
                os.chdir(before)
    else:
        path.symlink_to("/dev/zero")
    for _ in range(2):
        result = usage(folder)
        done(result, 4)
        assert "  a.jsonl: it is not a regular file\n" in result.stderr


def test_a_file_that_goes_while_it_is_listed(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or folder that is deleted after its folder was read is gone, and nothing to report."""
    folder.drop("a.jsonl", lines("a"))
    folder.drop("b.jsonl", lines("b"))
    folder.drop("deep/c.jsonl", lines("c"))
    look = listing._Walk._look  # noqa: SLF001 - the only moment between the two

    def removing(walk: listing._Walk, top: bytes, links: list[bytes]) -> list[bytes]:
        found = look(walk, top, links)
        if top.endswith(b"raw"):
            (folder.root / "raw/deep/c.jsonl").unlink()
            (folder.root / "raw/deep").rmdir()
        return found

    monkeypatch.setattr(listing._Walk, "_look", removing)  # noqa: SLF001
    done(usage(folder))
    assert ids(folder) == {"a", "b"}


def test_names_that_cannot_be_looked_up(folder: DataFolder) -> None:
    """In a folder that may be listed but not searched, raw files are reported, and ordinary files are not."""
    folder.drop("deep/a.jsonl", lines("a"))
    folder.drop("deep/b.csv", b"")
    (folder.root / "raw/deep/maybe").symlink_to("b.csv")
    deep = folder.root / "raw/deep"
    deep.chmod(0o400)
    with permissions_obeyed():
        report = folder.run()
    deep.chmod(0o700)
    assert [failure.file for failure in report.errors] == ["deep/a.jsonl", "deep/maybe"]
    assert report.ignored.suffixes == {"csv": 1}


def test_stopped_while_listing(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM ends a listing, however many files there are in one folder."""
    for number in range(2500):
        (folder.root / f"raw/{number}.jsonl").touch()
    added: list[int] = []
    add = listing._Walk._add  # noqa: SLF001 - a moment within the listing

    def adding(*arguments: Any) -> None:
        if not added:
            os.kill(os.getpid(), signal.SIGTERM)
        added.append(1)
        add(*arguments)

    monkeypatch.setattr(listing._Walk, "_add", adding)  # noqa: SLF001
    result = usage(folder)
    done(result, 128 + signal.SIGTERM)
    assert "stopped; " in result.stderr
    assert len(added) < 2500
    assert not (folder.root / "published.json").exists()
