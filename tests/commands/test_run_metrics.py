"""`usage run --metrics FILE`: what the file says after runs of every outcome, and that it changes no run."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from prometheus_client.parser import text_string_to_metric_families

from pipeline.contract.calendar import SECOND_US
from tests.support.command import done, usage
from tests.support.data_folder import DataFolder, record
from tests.support.invoked import invoke
from tests.support.kills import RUN, started

WAITING = ("waiting_files", "waiting_bytes", "unread_files")


def figures(path: Path) -> dict[str, float]:
    """Return the samples of the file: their names without the prefix, and the value of the label."""
    found = {}
    for family in text_string_to_metric_families(path.read_text("utf-8")):
        for sample in family.samples:
            name = sample.name.removeprefix("usage_").removeprefix("run_").removesuffix("_timestamp_seconds")
            found[" ".join([name, *sample.labels.values()])] = sample.value
    return found


def test_outcomes(folder: DataFolder, tmp_path: Path) -> None:
    """After each run the file has its exit code and what waits; counts of lines and runs go on from the run before."""
    path = tmp_path / "usage.prom"
    option = ("--metrics", str(path))
    folder.drop("a.jsonl", [record("a"), record("a"), record("b"), {"id": "bad"}])
    began = time.time()
    done(usage(folder, *option))
    first = figures(path)
    assert first["exit_code"] == 0
    assert began <= first["end"] == first["success"] <= time.time()
    assert 0 < first["duration_seconds"] < time.time() - began
    assert first["data_as_of"] == folder.now / SECOND_US
    assert [first[name] for name in WAITING] == [0, 0, 0]
    outcomes = [f"lines_total {name}" for name in ("accepted", "duplicates", "rejected", "blank")]
    assert [first[name] for name in outcomes] == [2, 1, 1, 0]
    assert first["rejected_lines_total missing_field"] == 1
    assert first["rejected_lines_total invalid_json"] == first["runs_total 1"] == first["runs_total 75"] == 0
    assert path.stat().st_mode & 0o777 == 0o644

    folder.drop("b.jsonl", [record("c")])
    folder.drop("c.jsonl.gz", b"\x1f\x8b\x08")
    done(usage(folder, *option), 4)
    second = figures(path)
    assert (second["exit_code"], second["unread_files"]) == (4, 1)
    assert second["end"] == second["success"] > first["success"]
    assert [second[name] for name in outcomes] == [3, 1, 1, 0]
    assert [second[f"runs_total {code}"] for code in (0, 4)] == [1, 1]

    folder.drop("d.jsonl", [record("d")])
    with FileLock(folder.root / "run.lock"):
        done(usage(folder, *option), 75)
    third = figures(path)
    assert (third["exit_code"], third["success"]) == (75, second["success"])
    assert third["waiting_files"] >= 1
    assert third["waiting_bytes"] > 0
    assert [third[name] for name in outcomes] == [second[name] for name in outcomes]

    (folder.root / "published.json").write_text("{}")
    done(usage(folder, *option), 1)
    assert figures(path)["exit_code"] == 1
    assert "data_as_of" not in figures(path)
    (folder.root / "raw").rename(folder.root / "gone")
    done(usage(folder, *option), 2)
    last = figures(path)
    assert (last["exit_code"], last["success"]) == (2, second["success"])
    assert not set(WAITING) & set(last)
    assert [last[f"runs_total {code}"] for code in (0, 1, 2, 3, 4, 75)] == [1, 1, 1, 0, 1, 1]
    assert [left.name for left in tmp_path.iterdir() if left.is_file()] == ["usage.prom"]


def test_a_file_that_is_lost_or_broken(folder: DataFolder, tmp_path: Path) -> None:
    """Counts begin again; a file that cannot be written is a warning and changes no exit code."""
    path = tmp_path / "usage.prom"
    for content in (b"broken {", b"\xff", b""):
        path.write_bytes(content)
        done(usage(folder, "--metrics", str(path)))
        assert figures(path)["runs_total 0"] == 1
    path.unlink()
    path.symlink_to("/dev/full/x")
    result = usage(folder, "--metrics", str(path))
    done(result)
    assert f"warning: {path} could not be written: Not a directory\n" in result.stderr


@pytest.mark.parametrize("name", ["", "gone/usage.prom"])
def test_wrong_files(folder: DataFolder, tmp_path: Path, name: str) -> None:
    """A folder, and a file in a folder that does not exist, are refused before the run."""
    result = usage(folder, "--metrics", str(tmp_path / name))
    done(result, 2)
    assert result.stderr == f"--metrics must be a file in a folder that exists, not {str(tmp_path / name)!r}\n"
    assert not (folder.root / "published.json").exists()


def test_every(folder: DataFolder, tmp_path: Path) -> None:
    """With `--every` the file follows each run, and the signal that ends the command while it waits is no run."""
    path = tmp_path / "usage.prom"
    folder.drop("a.jsonl", [record()])
    with started(folder, 0, "before", "any", (*RUN, "--every", "24h", "--metrics", str(path))) as victim:
        assert any("the next run is due at " in line for line in victim.said)
        found = figures(path)
        victim.send_signal(signal.SIGTERM)
        victim.end()
    assert (found["runs_total 0"], found["lines_total accepted"]) == (1, 1)
    assert figures(path) == found


def test_a_stopped_run(folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that a signal stops is counted under its exit code, and nobody waits for what waits."""
    from pipeline import run

    def stopped(*_: Any, pause: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        pause()

    monkeypatch.setattr(run, "run", stopped)
    path = tmp_path / "usage.prom"
    command = ["run", "--data-dir", str(folder.root), "--metrics", str(path)]
    done(invoke(command), 143)
    found = figures(path)
    assert (found["exit_code"], found["runs_total 143"], "waiting_files" in found) == (143, 1, False)
