"""How the process of a command ends: nothing that it writes is lost, and nothing else is written."""

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


def test_last_words(folder: DataFolder) -> None:
    """All output of a command arrives, and its process adds nothing when it ends."""
    folder.drop("a.jsonl", [record()])
    done = _run(folder)
    assert done.stdout.startswith("1 lines = 1 accepted")
    assert done.stderr.endswith("publishing\n")


def test_unheard(folder: DataFolder) -> None:
    """A command whose output cannot be written fails and reports it."""
    folder.drop("a.jsonl", [record()])
    with Path("/dev/full").open("w") as full:
        done = _run(folder, stdout=full.fileno())
    assert done.returncode != 0
    assert "No space left on device" in done.stderr
