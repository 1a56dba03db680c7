"""Run a command of `usage` in this process, with streams in memory."""

import io
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pipeline.commands import app
from service.commands import COMMANDS

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Result(NamedTuple):
    """What a command left; `exception` is what ended it, None if it returned."""

    exit_code: int
    stdout_bytes: bytes
    stderr_bytes: bytes
    output: str  # both streams, in the order of writing
    exception: BaseException | None

    @property
    def stdout(self) -> str:
        """Return what was written to stdout."""
        return self.stdout_bytes.decode(errors="replace")

    @property
    def stderr(self) -> str:
        """Return what was written to stderr."""
        return self.stderr_bytes.decode(errors="replace")


def invoke(
    arguments: Sequence[str], *, stdin: str | bytes = b"", env: Mapping[str, str | None] | None = None
) -> Result:
    """Run `usage` with these arguments; a variable whose value is None is not set."""
    both = io.BytesIO()
    out, err = _Copied(both), _Copied(both)
    failure: BaseException | None = None
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (env or {}).items():
            if value is None:
                patch.delenv(name, raising=False)
            else:
                patch.setenv(name, value)
        patch.setattr(sys, "stdin", _text(io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin)))
        patch.setattr(sys, "stdout", _text(out))
        patch.setattr(sys, "stderr", _text(err))
        try:
            app.run(COMMANDS, arguments)
        except SystemExit as ended:
            failure, code = ended, ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            failure, code = error, 1
        else:
            code = 0
        sys.stdout.flush()
        sys.stderr.flush()
        return Result(code, out.getvalue(), err.getvalue(), both.getvalue().decode(errors="replace"), failure)


class _Copied(io.BytesIO):
    """Writes everything to another file too."""

    def __init__(self, other: io.BytesIO) -> None:
        super().__init__()
        self._other = other

    def write(self, content: "Buffer", /) -> int:
        self._other.write(content)
        return super().write(content)


def _text(content: io.BytesIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(content, "utf-8", "surrogateescape", newline="", write_through=True)
