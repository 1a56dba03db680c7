"""What a release has, built once for all tests and all their processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support.project import ROOT


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that `make dist` writes."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "release" / "dist"
    with FileLock(shared / "release.lock"):
        if not folder.exists():
            building = folder.with_name("building")
            subprocess.run([sys.executable, ROOT / "release.py", building], check=True)
            building.rename(folder)
    return folder
