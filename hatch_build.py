"""Compile `pipeline/validation/bulk.c` where the package is built or installed.

Takes the C compiler that `CC` names, by default `cc`. Where that does not compile the file, it takes the one in the
`ziglang` package, which is installed for the build then. Where none does, the wheel has no library: the package
validates in Python instead, and `usage status` says so.

For a release, `WHEEL_PLATFORM` names another platform: one of `TARGETS`, for which ziglang compiles whatever this
machine is, or `any`, for a wheel without the library.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

# The platforms of a release by their tags in names of wheels, and zig's names for them. The oldest glibc and macOS are
# those of the oldest system that both DuckDB and pyarrow have wheels for.
TARGETS: Final = {
    "manylinux_2_28_x86_64": "x86_64-linux-gnu.2.28",
    "manylinux_2_28_aarch64": "aarch64-linux-gnu.2.28",
    "macosx_12_0_x86_64": "x86_64-macos.12.0",
    "macosx_12_0_arm64": "aarch64-macos.12.0",
}

_ZIGLANG = "ziglang>=0.17"
# Baseline: else only for processors like this one. No run-time library: nothing needs it, and it takes long to compile.
_ZIG = [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline", "-rtlib=none"]
_OPTIONS = ["-std=c11", "-O3", "-shared", "-fPIC", "-s"]


class Compile(BuildHookInterface[Any]):
    """Leave the library beside its source."""

    @property
    def _source(self) -> Path:
        return Path(self.root, "pipeline", "validation", "bulk.c").absolute()

    def dependencies(self) -> list[str]:
        """Return what the build needs besides hatchling."""
        platform = os.environ.get("WHEEL_PLATFORM")
        if platform:
            return [] if platform == "any" else [_ZIGLANG]
        with tempfile.TemporaryDirectory() as folder:
            return [] if _compile(_system(), self._source, Path(folder, "libbulk.so")) is None else [_ZIGLANG]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Compile; a wheel with the library is for one platform, with any Python."""
        library = self._source.with_name("libbulk.so")
        library.unlink(missing_ok=True)  # processes that use it keep it; and none is left if no compiler works
        platform = os.environ.get("WHEEL_PLATFORM")
        if platform == "any":
            return
        compilers = [[*_ZIG, "-target", TARGETS[platform]]] if platform else [_system(), _ZIG]
        failures = []
        for compiler in compilers:
            failure = _compile(compiler, self._source, library)
            if failure is None:
                build_data["pure_python"] = False
                build_data["tag"] = f"py3-none-{platform or next(platform_tags())}"
                return
            failures.append(f"{shlex.join(compiler)}: {failure}")
        if platform:
            raise RuntimeError("\n".join(failures))
        warning = "no C compiler works; lines will be validated in Python, which is slower"
        self.app.display_warning("\n".join([warning, *failures]))


def _system() -> list[str]:
    return shlex.split(os.environ.get("CC", "")) or ["cc"]


def _compile(compiler: list[str], source: Path, library: Path) -> str | None:
    """Compile the source into a library; return why that failed, else None."""
    checksum = f"-DSOURCE_CRC32={zlib.crc32(source.read_bytes())}"  # by which the package knows an outdated library
    # The library's name without its folder: on macOS it is in the library, which is the same wherever it is made.
    command = [*compiler, *_OPTIONS, checksum, "-o", library.name, str(source)]
    try:
        done = subprocess.run(  # noqa: S603 - ours
            command, cwd=library.parent, check=False, capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
