"""How `usage run` ends: the exit codes, what is said where, and that two runs never work at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import contents, done, refused, usage
from tests.conftest import NOW, House, record
from tests.crash.test_kills import halted

COMMAND = [sys.executable, "-c", "from service.commands import main; main()"]


def begin(house: House) -> subprocess.Popen[str]:
    """Begin `usage run` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [*COMMAND, "run", "--data-dir", str(house.root), "--now", NOW]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_done(house: House) -> None:
    """0: what was done in one line on stdout, how it went on stderr; also when there is nothing to do."""
    result = usage(house)
    done(result)
    assert result.stdout.startswith("0 lines = 0 accepted + 0 duplicates + 0 rejected + 0 blank, from 0 files in ")
    house.drop("a.jsonl", [record("a"), record("a"), {"id": "bad"}])
    house.drop("b.jsonl", b"\n")
    result = usage(house)
    done(result)
    (line,) = result.stdout.splitlines()
    assert line.startswith("4 lines = 1 accepted + 1 duplicates + 1 rejected + 1 blank, from 2 files in ")
    assert line.endswith(f"1 partitions of 1 workspaces written; data as of {NOW}")
    assert "  rejected 1 missing_field\n" in result.stderr


def test_failed(house: House) -> None:
    """1: one line that begins with `error:`."""
    house.drop("a.jsonl", [record()])
    (house.root / "published.json").write_text("{}")
    before = contents(house)
    refused(usage(house), "published.json")
    assert contents(house) == before


@pytest.mark.parametrize(
    "arguments", [["gone.jsonl"], ["--since", "2026-10"], ["--rebuild", "a.jsonl"], ["--bad"], ["--workers", "x"]]
)
def test_wrong_options(house: House, arguments: list[str]) -> None:
    """2: the command itself is wrong, and nothing is loaded."""
    house.drop("a.jsonl", [record()])
    result = usage(house, *arguments)
    done(result, 2)
    assert result.stdout == ""
    assert not contents(house)


def test_rejected(house: House) -> None:
    """3, with --strict only: all that is good is loaded, but lines were rejected."""
    house.drop("a.jsonl", [record("a"), {"id": "bad"}])
    result = usage(house, "--strict")
    done(result, 3)
    assert result.stdout.startswith("2 lines = 1 accepted")
    assert house.events().height == 1
    done(usage(house, "--strict"))
    house.drop("b.jsonl", [{"id": "bad"}])
    done(usage(house))


def test_unreadable(house: House) -> None:
    """4, which counts more than rejected lines: all else is loaded, but for a file that could not be read."""
    house.drop("a.jsonl", [record("a"), {"id": "bad"}])
    house.drop("b.jsonl.gz", b"\x1f\x8b")
    result = usage(house, "--strict")
    done(result, 4)
    assert "  b.jsonl.gz: " in result.stderr
    assert house.events().height == 1


def test_two_at_once(house: House) -> None:
    """75: of two runs on a folder the second ends at once, says why and changes nothing; the first goes on."""
    for name in "ab":
        house.drop(f"{name}.jsonl", [record(f"{name}{number}") for number in range(30)])
    with halted(house, "_read") as first:
        try:
            with begin(house) as second:
                out, said = second.communicate()
            without = not (house.root / "published.json").exists()
        finally:
            first.send_signal(signal.SIGCONT)
        assert without
        assert second.returncode == 75
        assert out == ""
        assert said == f"another run is at work on {house.root}; try again when it is done\n"
        _, said = first.communicate()
        assert first.returncode == 0, said
    assert house.events().height == 60
    done(usage(house))


def test_names_that_a_terminal_would_obey(house: House) -> None:
    """The name of a raw file that cannot be read is shown without its escape sequences."""
    house.drop("a.jsonl", [record()])
    (house.root / "raw" / "\x1b[31mred.jsonl").symlink_to("nowhere.jsonl")
    found = usage(house)
    assert found.exit_code == 4
    assert "\\x1b[31mred.jsonl" in found.stderr
    assert "\x1b" not in found.stderr
