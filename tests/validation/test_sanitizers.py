"""`bulk.c` compiles without a warning, and the sanitizers for memory and undefined behaviour find nothing in it."""

import os
import shlex
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from pipeline.validation import native
from tests.support import missing
from tests.support.project import ROOT

SOURCE = native.PATH.with_name("bulk.c")
CC = shlex.split(os.environ.get("CC", "")) or ["cc"]
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g")


def compiled(library: Path, *options: str) -> Path:
    """Compile `bulk.c` with some options."""
    checksum = f"-DSOURCE_CRC32={zlib.crc32(SOURCE.read_bytes())}"
    command = [*CC, "-std=c11", "-shared", "-fPIC", checksum, *WARNINGS, *options, "-o", str(library), str(SOURCE)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return library


@pytest.fixture
def runtime() -> Path:
    """Return the runtime of the compiler's address sanitizer."""
    try:
        found = subprocess.run([*CC, "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        missing.skip(f"there is no C compiler: {error}")
    path = Path(found.stdout.strip())
    if not path.is_absolute():  # clang links its runtime differently, and zig has none
        missing.skip(f"{shlex.join(CC)} has no libasan.so")
    return path


def sanitized(library: Path, runtime: Path) -> subprocess.CompletedProcess[str]:
    """Run the corpus through a library."""
    environment = {**os.environ, "LD_PRELOAD": str(runtime), "ASAN_OPTIONS": "detect_leaks=0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.support.sanitized", str(library)]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


def test_no_fault_is_found(runtime: Path, tmp_path: Path) -> None:
    """The corpus goes through the library with both sanitizers, line by line and in blocks."""
    done = sanitized(compiled(tmp_path / "libbulk.so", "-O1", *SANITIZERS), runtime)
    assert (done.returncode, done.stderr) == (0, "")
    lines, good = map(int, done.stdout.split())
    assert lines > 7_000
    assert good > 1_000


def test_no_warning_when_optimized(runtime: Path, tmp_path: Path) -> None:
    """The options of the build give no warning either: some are found only when the compiler optimizes."""
    assert runtime.is_absolute()
    compiled(tmp_path / "libbulk.so", "-O3")
