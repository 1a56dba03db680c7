"""Where `usage sql` writes: files, links, pipes and devices; and what it takes as SQL."""

import os
from pathlib import Path
from threading import Thread

import pytest

from pipeline.analysis.held import Held
from tests.support.forked_command import command
from tests.support.invoked import Result, invoke

CSV = b"x\n42\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty data folder."""
    return tmp_path_factory.mktemp("output")


def usage(root: Path, *arguments: str, stdin: bytes = b"") -> Result:
    """Run `usage sql --format csv`."""
    return invoke(["sql", "--format", "csv", *arguments, "--data-dir", str(root)], stdin=stdin)


def test_a_pipe(root: Path, tmp_path: Path) -> None:
    """A named pipe is written to, and stays one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    result = usage(root, "select 42 as x", "--output", str(pipe))
    reader.join()
    assert (result.exit_code, found) == (0, [CSV])
    assert pipe.is_fifo()


def test_a_device(root: Path) -> None:
    """A device is written to and not replaced, also by root and without --force."""
    before = os.stat("/dev/null")  # noqa: PTH116
    assert usage(root, "select 42 as x", "--output", "/dev/null").exit_code == 0
    assert os.path.samestat(before, os.stat("/dev/null"))  # noqa: PTH116
    full = usage(root, "select 42 as x", "--output", "/dev/full")
    assert (full.exit_code, full.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in full.stderr


def test_stdout_by_its_name(root: Path, tmp_path: Path) -> None:
    """`/dev/stdout` is stdout, also where that is a file."""
    arguments = ["sql", "select 42 as x", "--format", "csv", "--data-dir", str(root), "--output", "/dev/stdout"]
    assert command(tmp_path, arguments) == (0, CSV, b"")


def test_a_link(root: Path, tmp_path: Path) -> None:
    """A link stays: the file that it leads to is replaced, or made."""
    (tmp_path / "real").write_bytes(b"old")
    for name in ("real", "new"):
        link = tmp_path / f"to-{name}"
        link.symlink_to(tmp_path / name)
        assert usage(root, "select 42 as x", "--output", str(link), "--force").exit_code == 0
        assert link.is_symlink()
        assert (tmp_path / name).read_bytes() == CSV


def test_a_file_is_replaced_whole(root: Path, tmp_path: Path) -> None:
    """A statement that fails leaves the old file as it was, and none of its own beside it."""
    path = tmp_path / "rows.csv"
    path.write_bytes(b"old")
    late = "select if(i = 900000, error('late'), repeat('x', 20)) as x from range(1000000) r(i)"
    assert usage(root, late, "--output", str(path), "--force").exit_code == 1
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    missing = usage(root, "select 1", "--output", str(tmp_path / "none" / "x"))
    assert missing.stderr == f"error: [Errno 2] No such file or directory: '{tmp_path}/none/x'\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["-- top workspaces\nselect 42 as x"],
        ["--top\nselect 42 as x"],
        ["--x=1\nselect 42 as x"],
        ["/* -- */ select 42 as x"],
        ["-- first", "--format=csv"],
    ],
)
def test_a_comment_first(root: Path, arguments: list[str]) -> None:
    """SQL that begins with a comment is no option, before and after options."""
    result = usage(root, *arguments)
    expected = (2, b"") if arguments[0] == "-- first" else (0, CSV)
    assert (result.exit_code, result.stdout_bytes) == expected, result.stderr


def test_a_mistyped_option(root: Path) -> None:
    """An option that does not exist is refused, with those that may be meant; the value of one may be anything."""
    result = usage(root, "--outptu", "select 1")
    assert result.exit_code == 2
    assert "--output" in result.stderr
    assert usage(root, "--output", "-- x/y", "select 1").stderr.endswith("'-- x/y'\n")


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"select '\xe9' as x", 2, "error: the statement is not UTF-8: its byte 9 is 0xe9\n"),
        ("select 1".encode("utf-16"), 2, "error: the statement is not UTF-8: its byte 1 is 0xff\n"),
        (b"\xef\xbb\xbfselect 42 as x", 0, ""),
        (b"", 2, "no statement was given"),
        (b" " * (5 << 20), 2, "stdin has more than 4 MiB: that is no statement\n"),
    ],
)
def test_what_comes_from_stdin(root: Path, content: bytes, code: int, words: str) -> None:
    """A statement is UTF-8, with or without a byte order mark, and of some size."""
    result = usage(root, stdin=content)
    assert (result.exit_code, result.stdout_bytes) == (code, b"" if code else CSV)
    assert result.stderr.startswith(words)


@pytest.mark.parametrize(("can_rewind", "size", "clears"), [(False, 5, True), (False, 20, False), (True, 20, True)])
def test_held_back(tmp_path: Path, can_rewind: bool, size: int, clears: bool) -> None:
    """The first bytes can be taken back; those that have passed on only if the file can be emptied."""
    with (tmp_path / "file").open("w+b") as file:
        held = Held(file, can_rewind=can_rewind, most=10)
        held.write(b"x" * size)
        assert held.can_clear() is clears
        if clears:
            held.clear()
            held.write(b"new")
            held.release()
    assert (tmp_path / "file").read_bytes() == (b"new" if clears else b"x" * size)


def test_version() -> None:
    """`usage --version` names the release and what its numbers depend on."""
    result = invoke(["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("workspace-usage 0.")
    assert "tzdata 2026.6" in result.stdout
