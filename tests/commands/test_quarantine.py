"""`usage quarantine`: every rejected line is counted, shown without harm, and handed back byte for byte."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from pipeline.commands.app import app
from pipeline.contract.calendar import DAY_US, rfc3339
from pipeline.contract.tables import QUARANTINE, quarantine_path
from pipeline.quarantine import Quarantine
from pipeline.storage.store import Store
from pipeline.validation.records import LINE_BYTES_MAX, Reason
from tests.support.data_folder import NOW, DataFolder, record


def line(**fields: Any) -> bytes:
    """Return a record as a line."""
    return json.dumps(record(**fields)).encode()


# One line for each reason, in the order in which they stand in `bad.jsonl`; good ones are between them.
BAD: dict[Reason, bytes] = {
    "invalid_json": b'{"id": \x1b[31m}\r',
    "invalid_encoding": b'{"id":"\xff\xfe"}',
    "not_an_object": b"[]",
    "line_too_long": b'{"id":"' + b"x" * LINE_BYTES_MAX + b'"}',
    "missing_field": b"{}",
    "invalid_type": line(id=1),
    "invalid_value": line(action="walk"),
    "timestamp_out_of_range": line(timestamp="2010-12-31T00:00:00Z"),
    "invalid_locale": line(usage={"languages": [{"locale": "1"}]}),
    "truncated_line": b'{"id',
}


def usage(folder: DataFolder, *arguments: str) -> Result:
    """Give a `usage quarantine` command."""
    return CliRunner().invoke(app, ["quarantine", *arguments, "--data-dir", str(folder.root)])


def json_lines(result: Result) -> list[dict[str, Any]]:
    """Return what a command wrote as JSON Lines."""
    return [json.loads(text) for text in result.stdout.splitlines()]


def listed(folder: DataFolder, *arguments: str) -> list[tuple[str, int]]:
    """Return the files and numbers of the lines that `--list` shows."""
    return [
        (row["source_file"], row["line_number"]) for row in json_lines(usage(folder, "--list", "--json", *arguments))
    ]


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Return every file and folder with its size and when it was changed."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.fixture
def loaded(folder: DataFolder) -> DataFolder:
    """Return a folder with a line rejected for each reason in `bad.jsonl`, and a newer file with two more."""
    good = [line(id=f"good-{number}") for number in range(len(BAD))]
    pairs = [text for pair in zip(good, BAD.values(), strict=True) for text in pair]
    folder.drop("bad.jsonl", b"\n".join(pairs))
    folder.run()
    folder.drop("deep/newer.jsonl", b"\n".join([line(), b"{}", b"", b"{}", b""]))
    folder.run(folder.now + DAY_US)
    return folder


def test_every_reason_has_a_line_here() -> None:
    """What these tests load has all reasons that there are."""
    assert set(BAD) == set(get_args(Reason))


def test_summary(loaded: DataFolder) -> None:
    """Lines are counted by reason and by raw file, the newest first, with the first line and when it was loaded."""
    result = usage(loaded)
    assert result.exit_code == 0
    assert result.stdout.startswith("12 rejected lines of 2 raw files\n\n")
    rows = [text.split() for text in result.stdout.splitlines()]
    assert rows[2:4] == [["reason", "lines", "files"], ["missing_field", "3", "2"]]
    assert sorted(rows[4:13]) == sorted([reason, "1", "1"] for reason in BAD if reason != "missing_field")
    assert rows[14] == ["loaded", "lines", "first", "line", "file", "reasons"]
    assert rows[15] == ["2026-11-25T12:00:00Z", "2", "2", "deep/newer.jsonl", "2", "missing_field"]
    assert rows[16][:4] == [NOW, "10", "2", "bad.jsonl"]
    assert {reason.strip(",") for reason in rows[16][5::2]} == set(BAD)
    assert len(rows) == 17
    assert "\x1b" not in result.stdout


def test_summary_for_machines(loaded: DataFolder) -> None:
    """`--json` has the same numbers in one object."""
    found = json.loads(usage(loaded, "--json", "--reason", "missing_field").stdout)
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
def test_filters(loaded: DataFolder, reason: Reason) -> None:
    """`--reason` and `--file` leave the lines that have both."""
    place = ("bad.jsonl", 2 * list(BAD).index(reason) + 2)
    newer = [("deep/newer.jsonl", 2), ("deep/newer.jsonl", 4)]
    assert listed(loaded, "--reason", reason) == [*(newer if reason == "missing_field" else []), place]
    assert listed(loaded, "--reason", reason, "--file", "bad.jsonl") == [place]
    assert listed(loaded, "--file", "deep/newer.jsonl") == newer
    assert f"{reason} " in usage(loaded, "--reason", reason).stdout


def test_filters_without_match(loaded: DataFolder) -> None:
    """Where nothing matches this is said; a reason that there is not is refused."""
    assert usage(loaded, "--file", "newer.jsonl").stdout == "nothing in quarantine matches\n"
    assert usage(loaded, "--file", "deep/newer.jsonl", "--reason", "invalid_json").exit_code == 0
    result = usage(loaded, "--reason", "bad_mood")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "invalid_json, invalid_encoding" in result.stderr


def test_list_for_machines(loaded: DataFolder) -> None:
    """JSON Lines hold all columns of all lines, bytes that are no UTF-8 as escapes, and are ASCII."""
    result = usage(loaded, "--list", "--json")
    assert result.stdout.isascii()
    found = sorted(json_lines(result), key=lambda row: (row["source_file"], row["line_number"]))
    expected = loaded.quarantine()
    assert [row["line"] for row in expected[:10]] == list(BAD.values())
    for row in expected:
        row["line"] = row["line"].decode(errors="backslashreplace")
        row["loaded_at"] = f"{row['loaded_at'].isoformat()}Z"
    assert found == expected


def test_list_for_people(loaded: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row for each line, newest file first, as wide as the terminal at most; `--limit` ends it early."""
    loaded.drop("wide.jsonl", '{"id": "채원채원채원채원채원채원채원채원채원채원채원채원채원채원채원"}'.encode() * 2)
    loaded.run(loaded.now + 2 * DAY_US)
    monkeypatch.setenv("COLUMNS", "90")
    rows = usage(loaded, "--list").stdout.splitlines()
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
    assert usage(loaded, "--list", "--limit", "2").stdout.splitlines() == rows[:2]


def test_batches(folder: DataFolder) -> None:
    """However many lines a file has, all are listed in order and each can be shown."""
    folder.drop("a.jsonl", b"".join(b'{"n": %d}\n' % number for number in range(1, 5001)))
    folder.run()
    assert listed(folder) == [("a.jsonl", number) for number in range(1, 5001)]
    for number in (1, 64, 65, 4096, 4097, 5000):
        assert f'{{"n": {number}}}\n' in usage(folder, "--show", f"a.jsonl:{number}").stdout


def test_show(loaded: DataFolder) -> None:
    """One line is shown in full with all that is known of it."""
    head, _, shown = usage(loaded, "--show", "bad.jsonl:14").stdout.partition("\n\n")
    assert [text.split(maxsplit=1) for text in head.splitlines()] == [
        ["file", "bad.jsonl"],
        ["line", "14"],
        ["reason", "invalid_value"],
        ["field", "action"],
        ["message", loaded.quarantine()[6]["message"]],
        ["loaded", NOW],
        ["bytes", str(len(BAD["invalid_value"]))],
    ]
    assert shown == BAD["invalid_value"].decode() + "\n"
    assert usage(loaded, "--show", "bad.jsonl:8").stdout.endswith(f"\n{BAD['line_too_long'].decode()}\n")
    assert json.loads(usage(loaded, "--show", "bad.jsonl:14", "--json").stdout)["field"] == "action"


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
def test_show_what_is_not_there(loaded: DataFolder, place: str) -> None:
    """A good line, no line, another file or no number at all: exit 2, and why."""
    result = usage(loaded, "--show", place)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not in quarantine" in result.stderr or "needs FILE:LINE" in result.stderr


def test_odd_names(folder: DataFolder) -> None:
    """Names of raw files may hold colons, brackets and bytes that are no UTF-8."""
    names = ["2026-11-24T10:00:00.jsonl", "a:1/b:2.jsonl", "[a]*?.jsonl", os.fsdecode(b"\xff.jsonl")]
    for name in names:
        folder.drop(name, b"\n{}")
    folder.run()
    for name in names:
        assert usage(folder, "--show", f"{name}:2").stdout.endswith("\n\n{}\n"), name
        assert len(listed(folder, "--file", name)) == 1


def test_nothing_is_obeyed_by_the_terminal(folder: DataFolder) -> None:
    """Control characters and marks of direction of lines, messages and names are written as escapes."""
    evil = "\x1b]0;x\x07\x9b31m\u202e"
    name = f"{evil}.jsonl"
    folder.drop(name, json.dumps(record(action=f"{evil[3:]} 채원"), ensure_ascii=False).encode() + b'\x00\xff\t"\x7f\n')
    folder.drop("b.jsonl", json.dumps(record(action="\x9b31m\u202e"), ensure_ascii=False).encode())
    folder.run()
    shown = [
        usage(folder),
        usage(folder, "--list"),
        usage(folder, "--show", "b.jsonl:1"),
        usage(folder, "--show", "\x1b:1"),
    ]
    shown.append(usage(folder, "--show", f"{name}:1"))
    for result in shown:
        assert not [c for c in result.output if not c.isprintable() and c != "\n"]
    assert r"\x1b]0;x\x07\x9b31m\u202e.jsonl" in shown[0].stdout
    assert r"not \"\x9b31m\u202e\"".replace('\\"', '"') in shown[2].stdout
    assert r'"\x9b31m\u202e"' in shown[2].stdout.partition("\n\n")[2]
    assert "채원" in shown[4].stdout
    assert r'\x00\xff\t"\x7f' in shown[4].stdout


def test_export(loaded: DataFolder, tmp_path: Path) -> None:
    """An export has the bytes of the lines as they stood, filtered, and loaded elsewhere gives the same verdicts."""
    target = tmp_path / "out" / "lines.jsonl"
    target.parent.mkdir()
    result = usage(loaded, "--export", str(target), "--file", "bad.jsonl")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "10 lines exported\n")
    assert target.read_bytes() == b"".join(text + b"\n" for text in BAD.values())
    assert [path.name for path in target.parent.iterdir()] == ["lines.jsonl"]
    elsewhere = DataFolder(tmp_path / "elsewhere")
    elsewhere.drop("again.jsonl", target.read_bytes())
    elsewhere.run()
    # With a newline behind it a torn line is whole, and no JSON.
    reasons = [reason if reason != "truncated_line" else "invalid_json" for reason in BAD]
    assert [(row["reason"], row["line"]) for row in elsewhere.quarantine()] == list(
        zip(reasons, BAD.values(), strict=True)
    )


def test_export_to_stdout(loaded: DataFolder) -> None:
    """`-` is stdout, which gets nothing but the bytes of the lines; corrected they are accepted."""
    result = usage(loaded, "--export", "-", "--reason", "invalid_value")
    assert result.stdout_bytes == BAD["invalid_value"] + b"\n"
    loaded.drop("corrected.jsonl", result.stdout_bytes.replace(b"walk", b"voice_generated").replace(b"e1", b"e9"))
    assert loaded.run().accepted == 1
    assert usage(loaded, "--export", "-", "--reason", "invalid_encoding").stdout_bytes == b'{"id":"\xff\xfe"}\n'


def test_export_replaces_nothing_unasked(loaded: DataFolder, tmp_path: Path) -> None:
    """A file that is there stays, unless --force; what is no file stays always."""
    target = tmp_path / "lines.jsonl"
    target.write_bytes(b"mine")
    arguments = ["--export", str(target), "--reason", "not_an_object"]
    result = usage(loaded, *arguments)
    assert (result.exit_code, target.read_bytes()) == (2, b"mine")
    assert "--force" in result.stderr
    assert usage(loaded, *arguments, "--force").exit_code == 0
    assert target.read_bytes() == b"[]\n"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert usage(loaded, "--export", str(fifo), "--force").exit_code == 2
    assert fifo.is_fifo()
    missing = usage(loaded, "--export", str(tmp_path / "missing" / "lines.jsonl"))
    assert missing.exit_code == 2
    assert "cannot be written: No such file" in missing.stderr


def test_export_of_a_cut_line(folder: DataFolder, tmp_path: Path) -> None:
    """A line that is not all there, or that would be two, is exported and mentioned."""
    folder.drop("a.jsonl", b"x" * (20 << 20) + b"\n{}\n")
    folder.run()
    result = usage(folder, "--export", str(tmp_path / "lines.jsonl"))
    assert result.exit_code == 0
    (first, second) = result.stderr.splitlines()
    assert first.startswith("a.jsonl:1: it had 1")
    assert second == "2 lines exported"
    assert "so long a line is cut" in usage(folder, "--show", "a.jsonl:1").stdout
    row = {**folder.quarantine()[1], "source_file": "b.jsonl", "line": b"a\nb"}
    pq.write_table(pa.Table.from_pylist([row], schema=QUARANTINE), folder.root / quarantine_path("b.jsonl"))
    result = usage(folder, "--export", "-", "--file", "b.jsonl")
    assert result.stdout_bytes == b"a\nb\n"
    assert "b.jsonl:2: it holds a newline" in result.stderr


def test_nothing_in_quarantine(folder: DataFolder, tmp_path: Path) -> None:
    """Without a data folder, before the first run and without bad lines all exits are 0 and nothing is written."""
    for step in ("no folder", "not run", "all good"):
        if step == "not run":
            folder.drop("a.jsonl", [record()])
        elif step == "all good":
            folder.run()
        before = contents(folder.root)
        result = usage(folder)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "nothing is in quarantine\n", "")
        assert json.loads(usage(folder, "--json").stdout) == {"lines": 0, "reasons": {}, "files": []}
        result = usage(folder, "--list")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing is in quarantine\n")
        target = tmp_path / f"{step}.jsonl"
        assert usage(folder, "--export", str(target)).exit_code == 0
        assert target.read_bytes() == b""
        assert usage(folder, "--show", "a.jsonl:1").exit_code == 2
        assert contents(folder.root) == before


def test_nothing_is_changed(loaded: DataFolder) -> None:
    """Reading the quarantine leaves the data folder as it was."""
    before = contents(loaded.root)
    for arguments in ([], ["--list"], ["--show", "bad.jsonl:2"], ["--export", "-"]):
        assert usage(loaded, *arguments).exit_code == 0
    assert contents(loaded.root) == before


def test_options_that_do_not_go_together(loaded: DataFolder) -> None:
    """What would be ignored is refused."""
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
        assert usage(loaded, *arguments).exit_code == 2, arguments


def without_lines(path: Path) -> None:
    """Spoil the bytes of the lines and leave the rest of a file as it is."""
    column = pq.read_metadata(path).row_group(0).column(QUARANTINE.get_field_index("line"))
    content = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "no parquet": lambda path: path.write_bytes(b"PAR1 torn"),
    "lines": without_lines,
    "columns": lambda path: pq.write_table(pa.table({"reason": ["invalid_json"], "line_number": [1]}), path),
    "types": lambda path: pq.write_table(pa.table({name: ["x"] for name in QUARANTINE.names}), path),
    "nulls": lambda path: pq.write_table(
        pa.table(
            {field.name: pa.array([2 if field.name == "line_number" else None], field.type) for field in QUARANTINE}
        ),
        path,
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files(loaded: DataFolder, tmp_path: Path, damage: str) -> None:
    """A damaged file is named with what mends it, the others are read, and the exit is 1."""
    uri = quarantine_path("deep/newer.jsonl")
    DAMAGES[damage](loaded.root / uri)
    hint = f"{uri}: the file is damaged; `usage run --rebuild` rebuilds it\n"
    result = usage(loaded, "--list", "--json")
    assert (result.exit_code, result.stderr) == (1, hint)
    assert [(row["source_file"]) for row in json_lines(result)] == ["bad.jsonl"] * 10
    target = tmp_path / "lines.jsonl"
    assert usage(loaded, "--export", str(target)).exit_code == 1
    assert target.read_bytes() == b"".join(text + b"\n" for text in BAD.values())
    result = usage(loaded, "--show", "deep/newer.jsonl:2")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", hint)
    result = usage(loaded)
    assert "bad.jsonl" in result.stdout
    assert result.exit_code == (0 if damage == "lines" else 1)
    assert CliRunner().invoke(app, ["run", "--rebuild", "--data-dir", str(loaded.root), "--now", NOW]).exit_code == 0
    assert len(listed(loaded)) == 12


def test_unreadable_file(loaded: DataFolder) -> None:
    """A file that cannot be opened is named with the reason that the system gives."""
    (loaded.root / "quarantine/folder.parquet").mkdir()
    result = usage(loaded)
    assert (result.exit_code, result.stderr) == (1, "quarantine/folder.parquet: Is a directory\n")
    for path in (loaded.root / "quarantine").glob("*.parquet"):
        if path.is_file():
            path.write_bytes(b"")
    assert usage(loaded).stdout == "nothing that can be read is in quarantine\n"


def test_replaced_while_it_is_read(loaded: DataFolder) -> None:
    """A file replaced by a run meanwhile is read to its end as it was; one taken away is passed over."""
    lines = Quarantine(Store(loaded.root)).lines()
    first = next(lines)
    loaded.drop("deep/newer.jsonl", [record()])
    loaded.drop("bad.jsonl", [record()])
    loaded.run(loaded.now + 2 * DAY_US)
    assert loaded.quarantine() == []
    assert [(row.source_file, row.line_number) for row in [first, *lines]] == [
        ("deep/newer.jsonl", 2),
        ("deep/newer.jsonl", 4),
    ]
    assert rfc3339(first.loaded_at) == "2026-11-25T12:00:00Z"
