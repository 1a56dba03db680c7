"""Compiles `pipeline/validation/bulk.c` where the package is built or installed.

With the C compiler that the `ziglang` package brings, so that the machine needs none; or with the one that `CC` names.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

# For any processor of the kind, not just the one that compiles.
_ZIG = [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"]
_OPTIONS = ["-std=c11", "-O3", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-shared", "-fPIC", "-s"]


class Compile(BuildHookInterface[Any]):
    """Leaves the library beside its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Compile, and say that the wheel is for this platform, whatever the Python."""
        source = Path(self.root, "pipeline", "validation", "bulk.c")
        compiler = shlex.split(os.environ.get("CC", "")) or _ZIG
        subprocess.run([*compiler, *_OPTIONS, "-o", source.with_name("libbulk.so"), source], check=True)  # noqa: S603 - ours
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{next(platform_tags())}"
