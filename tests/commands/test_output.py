"""The end of a command's process: no output is lost, and nothing is added."""

import os
import subprocess
from pathlib import Path

from tests.support.data_folder import NOW, DataFolder, record
from tests.support.process import COMMAND
from tests.support.project import ROOT


def _run(folder: DataFolder, *, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "run", "--data-dir", str(folder.root), "--now", NOW]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment, check=False)


def test_all_output_arrives(folder: DataFolder) -> None:
    """All output of a command arrives, and its process adds nothing when it ends."""
    folder.drop("a.jsonl", [record()])
    done = _run(folder)
    assert done.stdout.startswith("1 lines = 1 accepted")
    assert done.stderr.endswith("publishing\n")


def test_output_that_cannot_be_written(folder: DataFolder) -> None:
    """A command that cannot write its output fails and reports why."""
    folder.drop("a.jsonl", [record()])
    with Path("/dev/full").open("w") as full:
        done = _run(folder, stdout=full.fileno())
    assert done.returncode != 0
    assert "No space left on device" in done.stderr
