"""`usage` in a forked process, with streams of any kind: it starts in milliseconds."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.support.forks import SERVER, start_server

TIMEOUT_SECONDS: Final = 60
# What a stream may be. `broken` is a pipe that nobody reads.
KINDS: Final = ("closed", "full", "broken")


class Ended(NamedTuple):
    """What a command left: its exit code, and what it wrote to streams that are files."""

    code: int | None
    stdout: bytes
    stderr: bytes


def command(
    folder: Path,
    arguments: Sequence[str],
    *,
    stdout: str = "",
    stderr: str = "",
    stdin: str = "",
    settings: Mapping[str, str] = {},
) -> Ended:
    """Run a command, with streams of some kinds, else with files in `folder` and without input.

    Args:
        folder: where it runs.
        arguments: of `usage`.
        stdout: what it writes to.
        stderr: likewise.
        stdin: what it reads from.
        settings: environment variables, besides those of the server.
    """
    start_server()
    files = {number: folder / f"stream-{number}" for number in (1, 2)}
    for path in files.values():
        path.write_bytes(b"")
    kinds = {0: stdin or os.devnull, 1: stdout or str(files[1]), 2: stderr or str(files[2])}
    process = SERVER.Process(target=_run, args=(list(arguments), kinds, str(folder), dict(settings)))
    process.start()
    process.join(TIMEOUT_SECONDS)
    try:
        assert process.exitcode is not None, f"{arguments} hangs"
    finally:
        process.kill()
        process.join()
    return Ended(process.exitcode, files[1].read_bytes(), files[2].read_bytes())


def _run(arguments: list[str], kinds: dict[int, str], folder: str, settings: dict[str, str]) -> None:
    from service.commands import main  # noqa: PLC0415 - the server has them already
    from tests.support.views import copy_views  # noqa: PLC0415

    copy_views(pytest.MonkeyPatch())

    os.chdir(folder)
    os.environ.update(settings)
    sys.stdin = sys.stdout = sys.stderr = None
    for number, kind in kinds.items():
        if kind != "closed":
            opened = _opened(kind, number)
            os.dup2(opened, number)
            if opened != number:
                os.close(opened)
    # Last, so that nothing else gets their numbers.
    for number in (number for number, kind in kinds.items() if kind == "closed"):
        os.close(number)
    sys.argv = ["usage", *arguments]
    main()


def _opened(kind: str, number: int) -> int:
    if kind == "broken":
        reading, writing = os.pipe()
        os.close(reading)
        return writing
    path = {"full": "/dev/full"}.get(kind, kind)
    return os.open(path, os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY)
