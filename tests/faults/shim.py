"""Compile and control `shim.c`, which stands between a process and the C library.

`library` compiles it, in the process that starts a host with LD_PRELOAD. `Arming` says what the shim does in a process
that the host forks, where `arm` tells it so.
"""

import ctypes
import os
import shlex
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.support import missing

SOURCE: Final = Path(__file__).with_name("shim.c")
_COMPILERS: Final = (shlex.split(os.environ.get("CC", "")) or ["cc"], [sys.executable, "-m", "ziglang", "cc"])
_OPTIONS: Final = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")

# The kinds of calls, in the order of `shim.c`.
KINDS: Final = (
    *("open", "create", "write", "truncate", "sync", "rename", "link", "unlink", "mkdir", "rmdir", "map", "meta"),
    *("read", "other", "syncfs"),
)
# All but reads, of which there are many, and whose failures are another subject.
COUNTED: Final = tuple(kind for kind in KINDS if kind != "read")


class Fault(msgspec.Struct, frozen=True):
    """Which calls fail.

    Attributes:
        number: of the first call that fails, among the calls of `kinds`, from 1. With 0 none fails.
        kinds: the calls that are counted.
        errno: what they fail with.
        then: the kinds of which all later calls fail as well.
        cut: whether a write takes half of its bytes at first, and the next write fails.
    """

    number: int = 0
    kinds: tuple[str, ...] = COUNTED
    errno: int = 0
    then: tuple[str, ...] = ()
    cut: bool = False


class Arming(msgspec.Struct, frozen=True):
    """What the shim does in a process: for calls on files of `root`, where no link leads to it.

    Attributes:
        root: the folder.
        fault: which calls fail.
        trace: the file that gets the events; empty for none.
        calls: the file that gets a line for each counted call; empty for none.
    """

    root: str
    fault: Fault = Fault()
    trace: str = ""
    calls: str = ""


@cache
def library() -> Path:
    """Return the compiled shim; skip the test where there is no compiler or no LD_PRELOAD."""
    if not sys.platform.startswith("linux"):
        missing.skip("calls can be intercepted on Linux only")
    folder = tempfile.TemporaryDirectory(prefix="shim-")
    _kept.append(folder)
    target, failures = Path(folder.name, "shim.so"), []
    for compiler in _COMPILERS:
        command = [*compiler, *_OPTIONS, "-o", str(target), str(SOURCE), "-ldl", "-lpthread"]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True)
        except OSError as error:
            failures.append(str(error))
            continue
        if done.returncode == 0:
            return target
        failures.append(done.stderr)
    return missing.skip(f"no C compiler compiles {SOURCE.name}: {failures}")


_kept: Final[list[Any]] = []  # temporary folders, which end with this process


def arm(arming: Arming) -> None:
    """Begin to intercept the calls of this process, into which the shim was loaded when it started."""
    shim = ctypes.CDLL(None)
    fault = arming.fault
    for name, path in (("shim_record", arming.trace), ("shim_list", arming.calls)):
        if path:
            getattr(shim, name)(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    number = ctypes.c_long(fault.number)
    shim.shim_fail(number, _mask(fault.kinds), fault.errno, _mask(fault.then), int(fault.cut))
    shim.shim_watch(os.fsencode(arming.root))


def has_fired() -> bool:
    """Return whether a call of this process has failed, and stop intercepting calls."""
    shim = ctypes.CDLL(None)
    shim.shim_unwatch()
    shim.shim_fired.restype = ctypes.c_long
    return bool(shim.shim_fired())


def _mask(kinds: tuple[str, ...]) -> int:
    return sum(1 << KINDS.index(kind) for kind in kinds)
