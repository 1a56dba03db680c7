"""`usage quarantine`: every rejected line is counted, listed and shown, and none can control the terminal."""

import json
import os
from pathlib import Path
from typing import get_args

import pytest
from rich.cells import cell_len

from pipeline.contract.calendar import DAY_US
from pipeline.validation.records import Reason
from tests.support.data_folder import NOW, DataFolder, record
from tests.support.quarantined import BAD, json_lines, listed, quarantine, stats


def test_every_reason_is_tested() -> None:
    """The test folder has a rejected line for every reason."""
    assert set(BAD) == set(get_args(Reason))


def test_summary(quarantined: DataFolder) -> None:
    """The summary counts lines by reason and by file, newest first, with the first line and the load time."""
    result = quarantine(quarantined)
    assert result.exit_code == 0
    assert result.stdout.startswith("12 rejected lines of 2 raw files\n\n")
    rows = [text.split() for text in result.stdout.splitlines()]
    assert rows[2:4] == [["reason", "lines", "files"], ["missing_field", "3", "2"]]
    assert sorted(rows[4:13]) == sorted([reason, "1", "1"] for reason in BAD if reason != "missing_field")
    assert rows[14] == ["loaded", "lines", "first", "line", "file", "reasons"]
    assert rows[15] == ["2026-11-25T12:00:00Z", "2", "2", "deep/newer.jsonl", "2", "missing_field"]
    assert rows[16][:4] == [NOW, "10", "2", "bad.jsonl"]
    assert {reason.strip(",") for reason in rows[16][5:11:2]} < set(BAD)
    assert rows[16][-4:] == ["and", f"{len(BAD) - 3}", "more", "reasons"]
    assert len(rows) == 17
    assert "\x1b" not in result.stdout


def test_summary_for_machines(quarantined: DataFolder) -> None:
    """`--json` prints the same numbers as one object."""
    found = json.loads(quarantine(quarantined, "--json", "--reason", "missing_field").stdout)
    assert found == {
        "lines": 3,
        "reasons": {"missing_field": 3},
        "files": [
            {
                "source_file": "deep/newer.jsonl",
                "lines": 2,
                "first_line": 2,
                "loaded_at": "2026-11-25T12:00:00Z",
                "reasons": {"missing_field": 2},
            },
            {
                "source_file": "bad.jsonl",
                "lines": 1,
                "first_line": 10,
                "loaded_at": NOW,
                "reasons": {"missing_field": 1},
            },
        ],
    }


@pytest.mark.parametrize("reason", BAD)
def test_filters(quarantined: DataFolder, reason: Reason) -> None:
    """`--reason` and `--file` select the lines that match both."""
    place = ("bad.jsonl", 2 * list(BAD).index(reason) + 2)
    newer = [("deep/newer.jsonl", 2), ("deep/newer.jsonl", 4)]
    assert listed(quarantined, "--reason", reason) == [*(newer if reason == "missing_field" else []), place]
    assert listed(quarantined, "--reason", reason, "--file", "bad.jsonl") == [place]
    assert listed(quarantined, "--file", "deep/newer.jsonl") == newer
    assert f"{reason} " in quarantine(quarantined, "--reason", reason).stdout


def test_filters_without_match(quarantined: DataFolder) -> None:
    """If nothing matches, the command reports it; an unknown reason is refused."""
    assert quarantine(quarantined, "--file", "newer.jsonl").stdout == "nothing in quarantine matches\n"
    assert quarantine(quarantined, "--file", "deep/newer.jsonl", "--reason", "invalid_json").exit_code == 0
    result = quarantine(quarantined, "--reason", "bad_mood")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "invalid_json, invalid_encoding" in result.stderr


def test_list_for_machines(quarantined: DataFolder) -> None:
    """`--list --json` prints all columns of all lines in ASCII; bytes that are not UTF-8 become escapes."""
    result = quarantine(quarantined, "--list", "--json")
    assert result.stdout.isascii()
    found = sorted(json_lines(result), key=lambda row: (row["source_file"], row["line_number"]))
    expected = quarantined.quarantine()
    assert [row["line"] for row in expected[:10]] == list(BAD.values())
    for row in expected:
        row["line"] = row["line"].decode(errors="backslashreplace")
        row["loaded_at"] = f"{row['loaded_at'].isoformat()}Z"
    assert found == expected


def test_list_for_people(quarantined: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--list` prints a row per line, newest file first, at most as wide as the terminal; `--limit` shortens it."""
    quarantined.drop(
        "wide.jsonl", '{"id": "채원채원채원채원채원채원채원채원채원채원채원채원채원채원채원"}'.encode() * 2
    )
    quarantined.run(quarantined.now + 2 * DAY_US)
    monkeypatch.setenv("COLUMNS", "90")
    rows = quarantine(quarantined, "--list").stdout.splitlines()
    assert [row.split("  ")[0] for row in rows[:4]] == [
        "wide.jsonl:1",
        "deep/newer.jsonl:2",
        "deep/newer.jsonl:4",
        "bad.jsonl:2",
    ]
    assert rows[1] == "deep/newer.jsonl:2  missing_field  id is required but absent  {}"
    assert len(rows) == 13
    assert {cell_len(row) for row in rows if row.endswith("…")} <= {90}
    assert max(map(cell_len, rows)) == 90
    assert quarantine(quarantined, "--list", "--limit", "2").stdout.splitlines() == rows[:2]


def test_batches(folder: DataFolder) -> None:
    """All lines of a long file are listed in order, and each can be shown."""
    folder.drop("a.jsonl", b"".join(b'{"n": %d}\n' % number for number in range(1, 5001)))
    folder.run()
    assert listed(folder) == [("a.jsonl", number) for number in range(1, 5001)]
    for number in (1, 64, 65, 4096, 4097, 5000):
        assert f'{{"n": {number}}}\n' in quarantine(folder, "--show", f"a.jsonl:{number}").stdout


def test_show(quarantined: DataFolder) -> None:
    """`--show` prints one line in full, with its file, number, reason, field, message, load time and size."""
    head, _, shown = quarantine(quarantined, "--show", "bad.jsonl:14").stdout.partition("\n\n")
    assert [text.split(maxsplit=1) for text in head.splitlines()] == [
        ["file", "bad.jsonl"],
        ["line", "14"],
        ["reason", "invalid_value"],
        ["field", "action"],
        ["message", quarantined.quarantine()[6]["message"]],
        ["loaded", NOW],
        ["bytes", str(len(BAD["invalid_value"]))],
    ]
    assert shown == BAD["invalid_value"].decode() + "\n"
    assert quarantine(quarantined, "--show", "bad.jsonl:8").stdout.endswith(f"\n{BAD['line_too_long'].decode()}\n")
    assert json.loads(quarantine(quarantined, "--show", "bad.jsonl:14", "--json").stdout)["field"] == "action"


@pytest.mark.parametrize(
    "place",
    [
        "bad.jsonl:1",
        "bad.jsonl:99",
        "gone.jsonl:1",
        "bad.jsonl",
        "bad.jsonl:",
        ":2",
        "bad.jsonl:²",
        "a:-2",
        f"bad.jsonl:{2**63}",
        f"bad.jsonl:{2**63 - 1}",
    ],
)
def test_show_without_such_a_line(quarantined: DataFolder, place: str) -> None:
    """`--show` of a valid or missing line, an unknown file or a malformed place exits 2 with the reason."""
    result = quarantine(quarantined, "--show", place)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not in quarantine" in result.stderr or "needs FILE:LINE" in result.stderr


def test_unusual_names(folder: DataFolder) -> None:
    """Names of raw files may contain colons, brackets and bytes that are not UTF-8."""
    names = ["2026-11-24T10:00:00.jsonl", "a:1/b:2.jsonl", "[a]*?.jsonl", os.fsdecode(b"\xff.jsonl")]
    for name in names:
        folder.drop(name, b"\n{}")
    folder.run()
    for name in names:
        assert quarantine(folder, "--show", f"{name}:2").stdout.endswith("\n\n{}\n"), name
        assert len(listed(folder, "--file", name)) == 1


def test_control_characters_are_escaped(folder: DataFolder) -> None:
    """Control characters and direction marks in lines, messages and names are printed as escapes."""
    evil = "\x1b]0;x\x07\x9b31m\u202e"
    name = f"{evil}.jsonl"
    folder.drop(name, json.dumps(record(action=f"{evil[3:]} 채원"), ensure_ascii=False).encode() + b'\x00\xff\t"\x7f\n')
    folder.drop("b.jsonl", json.dumps(record(action="\x9b31m\u202e"), ensure_ascii=False).encode())
    folder.run()
    shown = [
        quarantine(folder),
        quarantine(folder, "--list"),
        quarantine(folder, "--show", "b.jsonl:1"),
        quarantine(folder, "--show", "\x1b:1"),
    ]
    shown.append(quarantine(folder, "--show", f"{name}:1"))
    for result in shown:
        assert not [c for c in result.output if not c.isprintable() and c != "\n"]
    assert r"\x1b]0;x\x07\x9b31m\u202e.jsonl" in shown[0].stdout
    assert r"not \"\x9b31m\u202e\"".replace('\\"', '"') in shown[2].stdout
    assert r'"\x9b31m\u202e"' in shown[2].stdout.partition("\n\n")[2]
    assert "채원" in shown[4].stdout
    assert r'\x00\xff\t"\x7f' in shown[4].stdout


def test_nothing_in_quarantine(folder: DataFolder, tmp_path: Path) -> None:
    """An empty quarantine exits 0 and writes nothing: with no data folder, before any run, or without bad lines."""
    for step in ("no folder", "not run", "all good"):
        if step == "not run":
            folder.drop("a.jsonl", [record()])
        elif step == "all good":
            folder.run()
        before = stats(folder.root)
        result = quarantine(folder)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "nothing is in quarantine\n", "")
        assert json.loads(quarantine(folder, "--json").stdout) == {"lines": 0, "reasons": {}, "files": []}
        result = quarantine(folder, "--list")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing is in quarantine\n")
        target = tmp_path / f"{step}.jsonl"
        assert quarantine(folder, "--export", str(target)).exit_code == 0
        assert target.read_bytes() == b""
        assert quarantine(folder, "--show", "a.jsonl:1").exit_code == 2
        assert stats(folder.root) == before


def test_nothing_is_changed(quarantined: DataFolder) -> None:
    """Reading the quarantine leaves the data folder unchanged."""
    before = stats(quarantined.root)
    for arguments in ([], ["--list"], ["--show", "bad.jsonl:2"], ["--export", "-"]):
        assert quarantine(quarantined, *arguments).exit_code == 0
    assert stats(quarantined.root) == before


def test_incompatible_options(quarantined: DataFolder) -> None:
    """An option that would be ignored is refused."""
    for arguments in (
        ["--list", "--export", "-"],
        ["--show", "bad.jsonl:2", "--list"],
        ["--show", "bad.jsonl:2", "--file", "bad.jsonl"],
        ["--show", "bad.jsonl:2", "--reason", "invalid_json"],
        ["--limit", "3"],
        ["--list", "--limit", "0"],
        ["--force"],
        ["--export", "-", "--json"],
    ):
        assert quarantine(quarantined, *arguments).exit_code == 2, arguments
