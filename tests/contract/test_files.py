"""Opening files that others wrote: what is in the place of a file is an error at once."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.contract.files import NotAFileError, open_file, why

OTHERS: dict[str, Callable[[Path], object]] = {
    "a named pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    """A pipe, a folder, a device and a socket are refused by their kind, without waiting for a writer or an end."""
    OTHERS[name](tmp_path / "file")
    with pytest.raises(NotAFileError) as refused:
        open_file(tmp_path / "file")
    assert why(refused.value) == f"it is {name}, not a file"
    assert refused.value.filename == str(tmp_path / "file")


def test_pipe_that_takes_the_place_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that takes the place of a file just before it is opened is refused too, and no descriptor stays open."""
    path, before = tmp_path / "file", tmp_path / "before"
    os.mkfifo(path)
    before.write_bytes(b"x")
    real, descriptors = os.stat, _descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda _: real(before))
        with pytest.raises(NotAFileError, match="named pipe"):
            open_file(path)
    assert _descriptors() == descriptors


def _descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_links_are_followed(tmp_path: Path) -> None:
    """A link to a file is read like the file; one that leads nowhere is like no file."""
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with open_file(tmp_path / "link") as file:
        assert file.read() == b"content"
    (tmp_path / "file").unlink()
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "link")
