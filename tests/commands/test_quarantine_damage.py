"""`usage quarantine` with files that are damaged, unreadable, or replaced while it reads them."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.contract.calendar import DAY_US, rfc3339
from pipeline.contract.tables import QUARANTINE, quarantine_path
from pipeline.quarantine import Quarantine
from pipeline.storage.folder import FolderStore
from tests.support.data_folder import NOW, DataFolder, record
from tests.support.invoked import invoke
from tests.support.quarantined import BAD, json_lines, listed, quarantine


def without_lines(path: Path) -> None:
    """Damage the bytes of the `line` column, and leave the rest of the file unchanged."""
    column = pq.read_metadata(path).row_group(0).column(QUARANTINE.get_field_index("line"))
    content = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)


def not_utf8(path: Path) -> None:
    """Make the messages of the rows texts that are not UTF-8."""
    rows = pq.read_table(path)
    place = QUARANTINE.get_field_index("message")
    texts = pa.array([b"\xef("] * rows.num_rows).view(pa.string())
    pq.write_table(rows.set_column(place, QUARANTINE.field(place), texts), path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "no parquet": lambda path: path.write_bytes(b"PAR1 torn"),
    "lines": without_lines,
    "not UTF-8": not_utf8,
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
def test_damaged_files(quarantined: DataFolder, tmp_path: Path, damage: str) -> None:
    """A damaged file is reported with the command that repairs it, the other files are read, and the exit is 1."""
    uri = quarantine_path("deep/newer.jsonl")
    DAMAGES[damage](quarantined.root / uri)
    hint = f"{uri}: the file is damaged; `usage run --rebuild` rebuilds it\n"
    result = quarantine(quarantined, "--list", "--json")
    assert (result.exit_code, result.stderr) == (1, hint)
    assert [(row["source_file"]) for row in json_lines(result)] == ["bad.jsonl"] * 10
    target = tmp_path / "lines.jsonl"
    assert quarantine(quarantined, "--export", str(target)).exit_code == 1
    assert target.read_bytes() == b"".join(text + b"\n" for text in BAD.values())
    result = quarantine(quarantined, "--show", "deep/newer.jsonl:2")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", hint)
    result = quarantine(quarantined)
    assert "bad.jsonl" in result.stdout
    assert result.exit_code == (0 if damage in {"lines", "not UTF-8"} else 1)  # they are not in the summary
    assert invoke(["run", "--rebuild", "--data-dir", str(quarantined.root), "--now", NOW]).exit_code == 0
    assert len(listed(quarantined)) == 12


def test_unreadable_file(quarantined: DataFolder) -> None:
    """A file that cannot be opened is reported with the system's reason."""
    (quarantined.root / "quarantine/folder.parquet").mkdir()
    result = quarantine(quarantined)
    assert (result.exit_code, result.stderr) == (1, "quarantine/folder.parquet: Is a directory\n")
    for path in (quarantined.root / "quarantine").glob("*.parquet"):
        if path.is_file():
            path.write_bytes(b"")
    assert quarantine(quarantined).stdout == "nothing that can be read is in quarantine\n"


def test_replaced_while_it_is_read(quarantined: DataFolder) -> None:
    """A file that a run replaces while it is read is read to the end in its old version; a deleted file is skipped."""
    lines = Quarantine(FolderStore(quarantined.root)).lines()
    first = next(lines)
    quarantined.drop("deep/newer.jsonl", [record()])
    quarantined.drop("bad.jsonl", [record()])
    quarantined.run(quarantined.now + 2 * DAY_US)
    assert quarantined.quarantine() == []
    assert [(row.source_file, row.line_number) for row in [first, *lines]] == [
        ("deep/newer.jsonl", 2),
        ("deep/newer.jsonl", 4),
    ]
    assert rfc3339(first.loaded_at) == "2026-11-25T12:00:00Z"
