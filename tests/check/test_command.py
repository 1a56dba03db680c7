"""The command `usage check`: its output and exit codes."""

import json
from functools import partial

import msgspec
import pytest
from filelock import FileLock

from pipeline.check import check
from pipeline.check.report import CheckReport, Limits
from pipeline.contract.tables import manifest_path
from pipeline.storage.lock import BusyError
from tests.support.checked import checked, monthly, partition, rewrite
from tests.support.data_folder import NOW, WORKSPACE, DataFolder, record
from tests.support.invoked import Result, invoke


def command(folder: DataFolder, *arguments: str) -> Result:
    """Run the command."""
    return invoke(["check", "--data-dir", str(folder.root), "--now", NOW, *arguments])


def test_command_without_faults(good: DataFolder) -> None:
    """For a good folder, the command prints one line for each table and exits 0."""
    good.drop("c.jsonl", [record("late", timestamp="2026-11-05T00:00:00Z")])
    good.run()
    good.drop("d.jsonl", [record("new")])
    found = command(good)
    assert found.exit_code == 0, found.output
    lines = found.stdout.splitlines()
    assert f"cube: {good.cube().height:,} rows of 3 workspaces agree" in lines
    assert "events: 19 rows in 7 partitions of 3 workspaces agree" in lines
    assert "ledger: 24 lines of 3 raw files agree" in lines
    assert any(line.startswith("waiting: 1 raw files") for line in lines)
    warning = lines.index("warning: 1 ids occur on several UTC days, and count as separate events")
    assert lines[warning + 1] == f"  workspace {WORKSPACE}, id 'late': 2 events from 2026-10-05 to 2026-11-05"


def test_command_directory(good: DataFolder) -> None:
    """What is wrong with the directory is said as problems, and is no fault of the tables: exit 0."""
    good.export_all()
    assert checked(good).problems == []
    (good.root / "directory/accounts.jsonl").write_text("")
    (good.root / "directory/members.jsonl").unlink()
    (good.root / "directory/members.jsonl").mkdir()
    found = command(good)
    assert found.exit_code == 0, found.output
    members, accounts = (line for line in found.stdout.splitlines() if line.startswith("problem: "))
    assert members.startswith(f"problem: {good.root}/directory/members.jsonl cannot be read: it is a folder")
    assert accounts.startswith(f"problem: {good.root}/directory/accounts.jsonl has no rows")
    report = json.loads(command(good, "--json").stdout)
    assert (report["agrees"], len(report["problems"])) == (True, 2)


def test_command_with_faults(good: DataFolder) -> None:
    """At a fault, it prints the first wrong cell, their number, corrupt files and a hint, and exits 1."""
    rewrite(monthly(good, "cube", "2026-10"), lambda rows: rows[1:])
    partition(good, "2026-11-23").write_bytes(b"")
    found = command(good)
    assert found.exit_code == 1
    lines = found.stdout.splitlines()
    cube = next(k for k, line in enumerate(lines) if line.startswith("cube: "))
    assert lines[cube].endswith(" rows of 3 workspaces: 4 numbers differ")
    where = f"workspace {WORKSPACE}, quarter 2026-10-05T00:00:00Z, de"
    assert lines[cube + 1] == f"  {where}: characters: nothing is published, the events give 4"
    assert f"events/workspace_id={WORKSPACE}/day=2026-11-23/events.parquet is damaged" in found.stdout
    assert "usage run --rebuild" in found.stderr
    assert "Traceback" not in found.output


def test_command_unread(good: DataFolder) -> None:
    """A raw file that could not be read to its end is named, with its control characters as escapes; it is no fault."""
    good.drop("\x1b[31m.jsonl.gz", b"\x1f\x8b")
    good.run()
    found = command(good)
    assert found.exit_code == 0, found.output
    lines = found.stdout.splitlines()
    assert any(line.startswith("unread: 1 could not be read to the end") for line in lines)
    assert any(line.startswith(r"  \x1b[31m.jsonl.gz: ") for line in lines)
    assert [failure["file"] for failure in json.loads(command(good, "--json").stdout)["unread"]] == [
        "\x1b[31m.jsonl.gz"
    ]


def test_command_without_raw(good: DataFolder) -> None:
    """Without `raw/` everything else is checked; that nothing is known of raw files is said, and it is not made."""
    (good.root / "raw").rename(good.root / "away")
    found = command(good)
    assert found.exit_code == 0, found.output
    assert f"note: {good.root / 'raw'} cannot be listed: No such file or directory" in found.stdout
    assert not (good.root / "raw").exists()


def test_command_json(good: DataFolder) -> None:
    """`--json` prints the report as one JSON object."""
    found = command(good, "--json", "--workspace", WORKSPACE.upper(), "--days", "2")
    assert found.exit_code == 0, found.output
    assert msgspec.json.decode(found.stdout, type=CheckReport) == checked(good, WORKSPACE, days=2)
    (good.root / manifest_path(WORKSPACE)).unlink()
    found = command(good, "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["agrees"] is False


@pytest.mark.parametrize(
    "arguments", [["--workspace", "x"], ["--days", "0"], ["--now", "today"], ["--data-dir", "nowhere"], ["more"]]
)
def test_wrong_arguments(good: DataFolder, arguments: list[str]) -> None:
    """Wrong arguments exit 2."""
    assert command(good, *arguments).exit_code == 2


def test_command_busy(good: DataFolder) -> None:
    """During a run nothing is checked, and the command exits 75."""
    with FileLock(good.root / "run.lock"):
        with pytest.raises(BusyError):
            checked(good)
        assert command(good).exit_code == 75


def test_command_without_memory(good: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that runs out of memory is reported in one line and exits 1."""
    monkeypatch.setattr(check, "check", partial(check.check, limits=Limits(memory="300KB")))
    result = command(good)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "Out of Memory" in result.output
