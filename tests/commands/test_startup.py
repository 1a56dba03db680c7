"""How processes of a command start and end: without pandas, and with nothing lost or said that is not theirs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.load.pool import executor
from tests.support.data_folder import NOW, DataFolder, record
from tests.support.process import COMMAND
from tests.support.project import ROOT


@pytest.fixture
def with_pandas(tmp_path: Path) -> Path:
    """Return a folder to import from whose pandas cannot be imported without being noticed."""
    (tmp_path / "packages" / "pandas").mkdir(parents=True)
    (tmp_path / "packages" / "pandas" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    return tmp_path / "packages"


def _length() -> int:
    return len(pa.array(np.arange(3)))


def _run(
    folder: DataFolder, *, packages: Path | None = None, stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT), *([str(packages)] if packages else [])]
    command = [*COMMAND, "run", "--data-dir", str(folder.root), "--now", NOW]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment, check=False)


def test_no_pandas(folder: DataFolder, with_pandas: Path) -> None:
    """A command does not import pandas where it is installed."""
    folder.drop("a.jsonl", [record()])
    done = _run(folder, packages=with_pandas)
    assert done.returncode == 0, done.stderr
    assert folder.events().height == 1


def test_no_pandas_in_workers(with_pandas: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a process that works for one."""
    monkeypatch.syspath_prepend(str(with_pandas))
    with executor(2) as pool:
        assert pool.submit(_length).result() == len(range(3))


def test_noticed(with_pandas: Path) -> None:
    """A process that nobody prepared does."""
    code = "import numpy, pyarrow; pyarrow.array(numpy.arange(3))"
    environment = {**os.environ, "PYTHONPATH": str(with_pandas)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert "RuntimeError: imported" in done.stderr


def test_last_words(folder: DataFolder) -> None:
    """What a command says arrives, and nothing else is said when its process ends."""
    folder.drop("a.jsonl", [record()])
    done = _run(folder)
    assert done.stdout.startswith("1 lines = 1 accepted")
    assert done.stderr.endswith("publishing\n")


def test_unheard(folder: DataFolder) -> None:
    """A command whose words cannot be written fails and says so."""
    folder.drop("a.jsonl", [record()])
    with Path("/dev/full").open("w") as full:
        done = _run(folder, stdout=full.fileno())
    assert done.returncode != 0
    assert "No space left on device" in done.stderr
