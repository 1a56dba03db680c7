"""`usage status`: figures of the last runs, waiting files and the age of the published data; it changes nothing."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.contract.calendar import DAY_US, SECOND_US, rfc3339
from pipeline.load.results import RunReport
from pipeline.storage.state import State
from pipeline.validation import native
from tests.support.data_folder import NOW, DataFolder, record
from tests.support.invoked import Result, invoke


def usage(folder: DataFolder, *arguments: str, after_s: float = 0) -> Result:
    """Run `usage status` `after_s` seconds after the folder's now."""
    now = rfc3339(folder.now + round(after_s * SECOND_US))
    return invoke(["status", *arguments, "--data-dir", str(folder.root), "--now", now])


def found(folder: DataFolder, *arguments: str) -> Any:
    """Return the decoded output of `--json`."""
    result = usage(folder, "--json", *arguments)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def recorded(report: RunReport) -> Any:
    """Return a run's report as stored in its record, which is written before the commit's duration is known."""
    report.seconds.pop("commit")
    return msgspec.to_builtins(report)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the bytes and modification time of every file and folder."""
    return {
        str(path): (b"" if path.is_dir() else path.read_bytes(), path.stat().st_mtime_ns)
        for path in [folder, *folder.rglob("*")]
        if path.exists()
    }


@pytest.fixture(autouse=True)
def _exported(folder: DataFolder) -> None:
    """Export a directory in which nothing is wrong."""
    folder.export_all()


@pytest.fixture
def filled(folder: DataFolder) -> DataFolder:
    """Return a folder with lines of every kind and a truncated file, not yet loaded."""
    folder.drop("a.jsonl", [record("a"), record("a"), record("b"), {"id": "bad"}, {"id": "bad"}, record(id_="")])
    folder.drop("blank.jsonl", b"\n \n")
    folder.drop("torn.jsonl.gz", b"\x1f\x8b")
    return folder


def test_the_runs_numbers(filled: DataFolder) -> None:
    """`--json` has the run's whole report; the text has its figures."""
    report = filled.run()
    assert (report.accepted, report.duplicates, report.rejected, report.blank, len(report.errors)) == (2, 1, 3, 2, 1)
    status = found(filled)
    assert status["runs"] == [recorded(report)]
    text = usage(filled).stdout.splitlines()
    head = text.index("last runs") + 1
    assert dict(zip(text[head].split(), text[head + 1].split(), strict=True)) == {
        "started": NOW,
        "seconds": f"{sum(report.seconds.values()):.2f}",
        **{
            name: f"{getattr(report, name):,}"
            for name in ("files", "bytes", "lines", "accepted", "duplicates", "rejected", "blank")
        },
        "partitions": "1",
        "workspaces": "1",
    }
    assert len(text[head]) == len(text[head + 1])
    stages = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in report.seconds.items())
    assert text[head + 2 : head + 5] == [
        f"  stages: {stages}",
        "  rejected: 2 missing_field, 1 invalid_value",
        f"  could not be read: torn.jsonl.gz: {report.errors[0].error}",
    ]
    assert all(
        f"USAGE_{name}=" in usage(filled).stdout
        for name in ("DATA_DIR", "WORKERS", "HOST", "PORT", "JWKS", "JWT_ISSUER", "JWT_AZP")
    )


def test_validation(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status reports whether the compiled library validates lines, and if not, why."""
    monkeypatch.setattr(native, "UNAVAILABLE", None)
    assert found(folder)["validation"] == {"compiled": True, "reason": None}
    assert "validation: compiled\n" in usage(folder).stdout
    monkeypatch.setattr(native, "UNAVAILABLE", "libbulk.so: no such file")
    assert found(folder)["validation"] == {"compiled": False, "reason": "libbulk.so: no such file"}
    assert "validation: not compiled, hence slower: libbulk.so: no such file\n" in usage(folder).stdout


def test_the_last_runs_come_first(folder: DataFolder) -> None:
    """The last runs are listed newest first, across days; `--runs` limits their number."""
    reports = []
    for number, day in enumerate((0, 0, 1, 3)):
        folder.drop(f"{number}.jsonl", [record(f"e{number}")])
        reports.append(recorded(folder.run(folder.now + day * DAY_US + number)))
    assert found(folder)["runs"] == reports[::-1]
    assert found(folder, "--runs", "3")["runs"] == reports[:0:-1]
    assert found(folder, "--runs", "0")["runs"] == []
    assert "last runs" not in usage(folder, "--runs", "0").stdout


def test_waiting_files(filled: DataFolder) -> None:
    """All files wait before the first run, none after it; then the bytes that were appended to a file."""
    sizes = [path.stat().st_size for path in (filled.root / "raw").glob("*.jsonl")]
    assert found(filled)["waiting"] == {"files": 3, "bytes": sum(sizes) + 2 * 8}
    assert "waiting: 3 raw files" in usage(filled).stdout
    filled.run()
    assert found(filled)["waiting"] == {"files": 0, "bytes": 0}
    with (filled.root / "raw/a.jsonl").open("ab") as file:
        file.write(b"{}\n")
    assert found(filled)["waiting"] == {"files": 1, "bytes": 3}
    assert filled.run().files == 1


@pytest.mark.parametrize(
    ("max_age", "after_s", "stale"),
    [
        ("30m", 1800, False),
        ("30m", 1801, True),
        ("90s", 90, False),
        ("90s", 90.000001, True),
        ("2h", 7200, False),
        ("2h", 7201, True),
        ("1d", 86_400, False),
        ("1d", 86_401, True),
        ("0s", 0, False),
        ("0s", -5, False),
    ],
)
def test_max_age(folder: DataFolder, max_age: str, after_s: float, stale: bool) -> None:
    """With --max-age, older data exits 1 with a message on stderr; stdout stays the same."""
    folder.run()
    for form in ([], ["--json"]):
        result = usage(folder, *form, "--max-age", max_age, after_s=after_s)
        assert result.exit_code == int(stale)
        assert result.stdout == usage(folder, *form, after_s=after_s).stdout
        assert result.stderr.startswith("stale: the published data is" if stale else "")
        assert bool(result.stderr) == stale


def test_max_age_before_the_first_run(folder: DataFolder) -> None:
    """Before the first run, --max-age always fails; without it, status succeeds."""
    assert usage(folder).exit_code == 0
    assert "nothing is published yet" in usage(folder).stdout
    result = usage(folder, "--max-age", "9d")
    assert (result.exit_code, result.stderr) == (1, "stale: nothing is published\n")


def test_data_without_an_age(folder: DataFolder, tmp_path: Path) -> None:
    """Until a run has read all of raw/, the published data has no age, and --max-age fails."""
    path = tmp_path / "some.jsonl"
    path.write_bytes(b"")
    folder.run(paths=[path])
    result = usage(folder, "--max-age", "9d")
    assert result.exit_code == 1
    assert result.stdout.startswith("published: no run has read all of raw/ yet; sequence 1, run ")
    assert result.stderr == "stale: no run has read all of raw/ yet\n"
    assert found(folder)["published"]["data_as_of"] is None
    assert found(folder)["age_seconds"] is None


@pytest.mark.parametrize("max_age", ["", "30", "m", "-1m", "1.5h", "30 m", "30M", "1w", "٣m", "30m\n"])
def test_invalid_max_age(folder: DataFolder, max_age: str) -> None:
    """An age that is not a whole number with a unit is refused."""
    result = usage(folder, f"--max-age={max_age}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "30m" in result.stderr


@pytest.mark.parametrize(
    ("after_s", "age"), [(5, "5 s"), (119, "119 s"), (120, "2 m"), (5400, "90 m"), (7200, "2 h"), (172_800, "2 d")]
)
def test_freshness(folder: DataFolder, after_s: float, age: str) -> None:
    """The text gives the age of the published data in a suitable unit, `--json` in seconds."""
    report = folder.run()
    text = usage(folder, after_s=after_s).stdout
    assert text.startswith(f"published: data as of {NOW}, {age} old; sequence 1, run {report.run}, tzdata ")
    assert json.loads(usage(folder, "--json", after_s=after_s).stdout)["age_seconds"] == after_s


@pytest.mark.parametrize("broken", [b"{", b"\xff", b"[]", b'{"run":"r"}', b"[" * 100_000, b'{"run":"\x1b[31m\xff"}'])
def test_broken_records_of_runs(folder: DataFolder, broken: bytes) -> None:
    """A broken line of runs/ is reported on stderr with its place, and the other runs are shown."""
    reports = [recorded(folder.run()), recorded(folder.run(folder.now + 1))]
    path = folder.root / "runs/2026-11-24.jsonl"
    first, second = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([first, broken, b"", second, broken[:1]]))
    result = usage(folder, "--json")
    assert (result.exit_code, json.loads(result.stdout)["runs"]) == (0, reports[::-1])
    named = [text.partition(" ")[0] for text in result.stderr.splitlines()]
    assert named == ["runs/2026-11-24.jsonl:5", "runs/2026-11-24.jsonl:2"]
    assert result.stderr.replace("\n", "").isprintable()
    assert len(json.loads(result.stdout)["problems"]) == 2
    assert found(folder, "--runs", "1")["runs"] == reports[1:]


def test_broken_files(filled: DataFolder) -> None:
    """A damaged `published.json` or ledger is reported, and the rest is shown."""
    filled.run()
    (filled.root / "published.json").write_bytes(b"{")
    (filled.root / "state.sqlite").write_bytes(b"not a database" * 100)
    result = usage(filled, "--max-age", "1d")
    assert result.exit_code == 1
    assert [text.partition(" ")[0] for text in result.stderr.splitlines()] == [
        "published.json",
        "state.sqlite",
        "stale:",
    ]
    assert "waiting: unknown" in result.stdout
    assert "last runs" in result.stdout
    status = found(filled)
    assert (status["published"], status["waiting"], len(status["runs"])) == (None, None, 1)


def test_directory(folder: DataFolder) -> None:
    """Broken and missing files of the directory are problems, which change no exit code."""
    folder.run()
    (folder.root / "directory/members.jsonl").write_text("\x1b{")
    (folder.root / "directory/accounts.jsonl").unlink()
    os.mkfifo(folder.root / "directory/accounts.jsonl")
    (folder.root / "directory/api_keys.jsonl").unlink()
    result = usage(folder, "--max-age", "1d")
    assert result.exit_code == 0
    assert found(folder)["problems"] == result.stderr.splitlines()
    members, accounts, keys = result.stderr.splitlines()
    assert members.startswith(f"{folder.root}/directory/members.jsonl, line 1: JSON is malformed")
    assert accounts.startswith(f"{folder.root}/directory/accounts.jsonl cannot be read: it is a named pipe, not a file")
    assert keys.startswith(f"{folder.root}/directory/api_keys.jsonl is missing")


def test_control_characters_are_escaped(folder: DataFolder) -> None:
    """The name of an unreadable raw file is printed with its control characters escaped."""
    folder.drop("\x1b[31m.jsonl.gz", b"\x1f\x8b")
    folder.run()
    assert r"could not be read: \x1b[31m.jsonl.gz: " in usage(folder).stdout
    assert usage(folder).stdout.replace("\n", "").isprintable()


def test_nothing_is_changed(filled: DataFolder, tmp_path: Path) -> None:
    """Status writes no file: without a folder, before and after a run, and while a writer has the ledger open."""
    nowhere = DataFolder(tmp_path / "nowhere")
    assert usage(nowhere).exit_code == 0
    assert not nowhere.root.exists()
    for step in ("before", "after"):
        if step == "after":
            filled.run()
        before = contents(filled.root)
        assert usage(filled).exit_code == 0
        assert contents(filled.root) == before
    state = State(filled.root / "state.sqlite")
    try:
        state.discard_commit(found(filled)["runs"][0]["run"], tables=True)
        before = contents(filled.root)
        assert found(filled)["waiting"]["files"] == 3  # status sees the writer's last transaction
        assert contents(filled.root).keys() == before.keys()
        # A copy of the open ledger is what a killed writer leaves.
        killed = DataFolder(tmp_path / "killed")
        shutil.copytree(filled.root, killed.root)
    finally:
        state.close()
    before = contents(killed.root)
    assert found(killed)["problems"] == []
    assert contents(killed.root).keys() == before.keys()
