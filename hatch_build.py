"""Compile `pipeline/validation/bulk.c` where the package is built or installed.

Takes the C compiler that `CC` names, by default `cc`. Where that does not compile the file, it takes the one in the
`ziglang` package, which is installed for the build then. Where none does, the wheel has no library: the package
validates in Python instead, and `usage status` says so.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

_ZIGLANG = "ziglang>=0.17"
_ZIG = [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"]  # baseline: else only for processors like this one
_OPTIONS = ["-std=c11", "-O3", "-shared", "-fPIC", "-s"]


class Compile(BuildHookInterface[Any]):
    """Leave the library beside its source."""

    @property
    def _source(self) -> Path:
        return Path(self.root, "pipeline", "validation", "bulk.c")

    def dependencies(self) -> list[str]:
        """Return what the build needs besides hatchling."""
        with tempfile.TemporaryDirectory() as folder:
            return [] if _compile(_system(), self._source, Path(folder, "libbulk.so")) is None else [_ZIGLANG]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Compile; a wheel with the library is for this platform, with any Python."""
        library = self._source.with_name("libbulk.so")
        library.unlink(missing_ok=True)  # processes that use it keep it; and none is left if no compiler works
        failures = []
        for compiler in (_system(), _ZIG):
            failure = _compile(compiler, self._source, library)
            if failure is None:
                build_data["pure_python"] = False
                build_data["tag"] = f"py3-none-{next(platform_tags())}"
                return
            failures.append(f"{shlex.join(compiler)}: {failure}")
        warning = "no C compiler works; lines will be validated in Python, which is slower"
        self.app.display_warning("\n".join([warning, *failures]))


def _system() -> list[str]:
    return shlex.split(os.environ.get("CC", "")) or ["cc"]


def _compile(compiler: list[str], source: Path, library: Path) -> str | None:
    """Compile the source into a library; return why that failed, else None."""
    checksum = f"-DSOURCE_CRC32={zlib.crc32(source.read_bytes())}"  # by which the package knows an outdated library
    command = [*compiler, *_OPTIONS, checksum, "-o", str(library), str(source)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")  # noqa: S603 - ours
    except OSError as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
