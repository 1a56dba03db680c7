"""Small files are replaced or appended to as a whole."""

import os
from pathlib import Path

import pytest

from pipeline.storage import atomic


def test_replaced_when_complete(tmp_path: Path) -> None:
    """A reader finds the old content until the new content is complete. No temporary file remains."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with atomic.replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_content(tmp_path: Path) -> None:
    """If the writer fails, the file keeps its content. No temporary file remains."""
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def write_and_fail() -> None:
        with atomic.replacing(path) as file:
            file.write(b"new")
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_do_not_block(tmp_path: Path) -> None:
    """A temporary file of a killed process with the same id is overwritten. In a container, that id is often 1."""
    (tmp_path / f".a.{os.getpid()}.tmp").write_bytes(b"half of something longer")
    with atomic.replacing(tmp_path / "a") as file:
        file.write(b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_appended(tmp_path: Path) -> None:
    """Content is added at the end; an absent file is created."""
    atomic.append(tmp_path / "a", b"one\n", tmp_path)
    atomic.append(tmp_path / "a", b"two\n", tmp_path)
    assert (tmp_path / "a").read_bytes() == b"one\ntwo\n"
