"""`usage run`: its exit codes, its messages on stdout and stderr, and that two runs never work at once."""

import subprocess

import pytest

from tests.support.command import contents, done, refused, usage
from tests.support.data_folder import NOW, DataFolder, record
from tests.support.kills import halted
from tests.support.process import COMMAND, ENVIRONMENT


def begin(folder: DataFolder) -> subprocess.Popen[str]:
    """Start `usage run` in its own process."""
    command = [*COMMAND, "run", "--data-dir", str(folder.root), "--now", NOW]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def test_done(folder: DataFolder) -> None:
    """Exit code 0: stdout has a one-line summary, stderr the progress; also when there is nothing to do."""
    result = usage(folder)
    done(result)
    assert result.stdout.startswith("0 lines = 0 accepted + 0 duplicates + 0 rejected + 0 blank, from 0 files in ")
    folder.drop("a.jsonl", [record("a"), record("a"), {"id": "bad"}])
    folder.drop("b.jsonl", b"\n")
    result = usage(folder)
    done(result)
    (line,) = result.stdout.splitlines()
    assert line.startswith("4 lines = 1 accepted + 1 duplicates + 1 rejected + 1 blank, from 2 files in ")
    assert line.endswith(f"1 partitions of 1 workspaces written; data as of {NOW}")
    assert "  rejected 1 missing_field\n" in result.stderr


def test_failed(folder: DataFolder) -> None:
    """Exit code 1: a failed run prints one line that begins with `error:`, and changes nothing."""
    folder.drop("a.jsonl", [record()])
    (folder.root / "published.json").write_text("{}")
    before = contents(folder)
    refused(usage(folder), "published.json")
    assert contents(folder) == before


@pytest.mark.parametrize(
    "arguments", [["gone.jsonl"], ["--since", "2026-10"], ["--rebuild", "a.jsonl"], ["--bad"], ["--workers", "x"]]
)
def test_wrong_options(folder: DataFolder, arguments: list[str]) -> None:
    """Exit code 2: a command with wrong arguments loads nothing."""
    folder.drop("a.jsonl", [record()])
    result = usage(folder, *arguments)
    done(result, 2)
    assert result.stdout == ""
    assert not contents(folder)


def test_rejected(folder: DataFolder) -> None:
    """Exit code 3, only with --strict: lines were rejected; all valid lines are loaded."""
    folder.drop("a.jsonl", [record("a"), {"id": "bad"}])
    result = usage(folder, "--strict")
    done(result, 3)
    assert result.stdout.startswith("2 lines = 1 accepted")
    assert folder.events().height == 1
    done(usage(folder, "--strict"))
    folder.drop("b.jsonl", [{"id": "bad"}])
    done(usage(folder))


def test_unreadable(folder: DataFolder) -> None:
    """Exit code 4: a file could not be read; all other files are loaded. It takes precedence over 3."""
    folder.drop("a.jsonl", [record("a"), {"id": "bad"}])
    folder.drop("b.jsonl.gz", b"\x1f\x8b")
    result = usage(folder, "--strict")
    done(result, 4)
    assert "  b.jsonl.gz: " in result.stderr
    assert folder.events().height == 1


def test_two_at_once(folder: DataFolder) -> None:
    """Exit code 75: a second run on a folder ends at once, reports why and changes nothing; the first goes on."""
    for name in "ab":
        folder.drop(f"{name}.jsonl", [record(f"{name}{number}") for number in range(30)])
    with halted(folder, "_read") as first:
        try:
            with begin(folder) as second:
                out, said = second.communicate()
            without = not (folder.root / "published.json").exists()
        finally:
            first.resume()
        assert without
        assert second.returncode == 75
        assert out == ""
        assert said == f"another run is at work on {folder.root}; try again when it is done\n"
        assert first.end() == 0, first.said.read()
    assert folder.events().height == 60
    done(usage(folder))


def test_escape_sequences_in_file_names(folder: DataFolder) -> None:
    """The name of an unreadable raw file is printed with its control characters escaped."""
    folder.drop("a.jsonl", [record()])
    (folder.root / "raw" / "\x1b[31mred.jsonl").symlink_to("nowhere.jsonl")
    found = usage(folder)
    assert found.exit_code == 4
    assert "\\x1b[31mred.jsonl" in found.stderr
    assert "\x1b" not in found.stderr
