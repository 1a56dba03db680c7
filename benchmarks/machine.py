"""Describe the machine that a measurement ran on: processor, memory, system, and versions of packages."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from benchmarks.engines.engine import UnavailableError
from benchmarks.engines.postgres import programs
from benchmarks.results import Machine

_PACKAGES: Final = ("duckdb", "polars", "pyarrow", "msgspec", "litestar", "granian", "chdb", "chdb-core", "psycopg")


def machine() -> Machine:
    """Describe this machine."""
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gib=round(gib, 1),
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        python=platform.python_version(),
        packages={name: found for name in _PACKAGES if (found := _version(name))} | _postgres(),
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _postgres() -> dict[str, str]:
    try:
        done = subprocess.run([programs() / "postgres", "--version"], check=True, capture_output=True, text=True)  # noqa: S603 - a tool
    except UnavailableError:
        return {}
    return {"PostgreSQL": done.stdout.split()[2]}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
