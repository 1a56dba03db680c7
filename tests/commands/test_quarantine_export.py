"""`usage quarantine --export`: rejected lines are exported byte for byte."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.contract.tables import QUARANTINE, quarantine_path
from tests.support.data_folder import DataFolder
from tests.support.quarantined import BAD, quarantine


def test_export(quarantined: DataFolder, tmp_path: Path) -> None:
    """An export has the original bytes of the selected lines; another folder rejects them for the same reasons."""
    target = tmp_path / "out" / "lines.jsonl"
    target.parent.mkdir()
    result = quarantine(quarantined, "--export", str(target), "--file", "bad.jsonl")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "10 lines exported\n")
    assert target.read_bytes() == b"".join(text + b"\n" for text in BAD.values())
    assert [path.name for path in target.parent.iterdir()] == ["lines.jsonl"]
    elsewhere = DataFolder(tmp_path / "elsewhere")
    elsewhere.drop("again.jsonl", target.read_bytes())
    elsewhere.run()
    # The export adds a newline, so the truncated line is now complete, and invalid JSON.
    reasons = [reason if reason != "truncated_line" else "invalid_json" for reason in BAD]
    assert [(row["reason"], row["line"]) for row in elsewhere.quarantine()] == list(
        zip(reasons, BAD.values(), strict=True)
    )


def test_export_to_stdout(quarantined: DataFolder) -> None:
    """With `-`, stdout gets the bytes of the lines and nothing else; corrected lines are accepted."""
    result = quarantine(quarantined, "--export", "-", "--reason", "invalid_value")
    assert result.stdout_bytes == BAD["invalid_value"] + b"\n"
    quarantined.drop("corrected.jsonl", result.stdout_bytes.replace(b"walk", b"voice_generated").replace(b"e1", b"e9"))
    assert quarantined.run().accepted == 1
    assert (
        quarantine(quarantined, "--export", "-", "--reason", "invalid_encoding").stdout_bytes == b'{"id":"\xff\xfe"}\n'
    )


def test_export_replaces_a_file_only_with_force(quarantined: DataFolder, tmp_path: Path) -> None:
    """An existing file is replaced only with --force; a folder never is, and a pipe is written to."""
    target = tmp_path / "lines.jsonl"
    target.write_bytes(b"mine")
    arguments = ["--export", str(target), "--reason", "not_an_object"]
    result = quarantine(quarantined, *arguments)
    assert (result.exit_code, target.read_bytes()) == (2, b"mine")
    assert "--force" in result.stderr
    assert quarantine(quarantined, *arguments, "--force").exit_code == 0
    assert target.read_bytes() == b"[]\n"
    assert quarantine(quarantined, "--export", str(tmp_path), "--force").exit_code == 2
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(fifo.read_bytes)
        assert quarantine(quarantined, "--export", str(fifo), "--reason", "not_an_object").exit_code == 0
        assert found.result() == b"[]\n"
    assert fifo.is_fifo()
    missing = quarantine(quarantined, "--export", str(tmp_path / "missing" / "lines.jsonl"))
    assert missing.exit_code == 2
    assert "cannot be written: No such file" in missing.stderr


def test_export_of_a_cut_line(folder: DataFolder, tmp_path: Path) -> None:
    """A line that was cut, or that contains a newline, is exported with a note."""
    folder.drop("a.jsonl", b"x" * (20 << 20) + b"\n{}\n")
    folder.run()
    result = quarantine(folder, "--export", str(tmp_path / "lines.jsonl"))
    assert result.exit_code == 0
    (first, second) = result.stderr.splitlines()
    assert first.startswith("a.jsonl:1: it had 1")
    assert second == "2 lines exported"
    assert "so long a line is cut" in quarantine(folder, "--show", "a.jsonl:1").stdout
    row = {**folder.quarantine()[1], "source_file": "b.jsonl", "line": b"a\nb"}
    pq.write_table(pa.Table.from_pylist([row], schema=QUARANTINE), folder.root / quarantine_path("b.jsonl"))
    result = quarantine(folder, "--export", "-", "--file", "b.jsonl")
    assert result.stdout_bytes == b"a\nb\n"
    assert "b.jsonl:2: it holds a newline" in result.stderr
