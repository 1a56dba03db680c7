"""A run reads the right raw files, and accounts for every line of unusual ones."""

import gzip
import os
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.validation.records import LINE_BYTES_MAX
from tests.support.command import done, total, usage
from tests.support.data_folder import DataFolder, record
from tests.support.raw_files import ids, lines, numbers


def test_which_files_are_read(folder: DataFolder) -> None:
    """A run searches folders, and ignores dot files, `*.tmp` and other endings."""
    for name in ("deep/er/a.jsonl", ".hidden.jsonl", "b.jsonl.tmp", "c.json", "x.jsonl/d.jsonl", ".dot/e.jsonl"):
        folder.drop(name, [record(name)])
    folder.run()
    assert set(folder.events()["id"]) == {"deep/er/a.jsonl", "x.jsonl/d.jsonl"}


def test_paths(folder: DataFolder, tmp_path: Path) -> None:
    """A run with paths reads them instead of raw/, and does not move data_as_of."""
    first = folder.run(folder.now - 5)
    outside = tmp_path / "other.jsonl"
    outside.write_bytes(lines("a"))
    folder.drop("b.jsonl", [record("b")])
    report = folder.run(paths=[outside])
    assert set(folder.events()["id"]) == {"a"}
    assert report.data_as_of == first.data_as_of != folder.run().data_as_of
    with pytest.raises(FileNotFoundError):
        folder.run(paths=[tmp_path / "missing.jsonl"])


def test_paths_that_are_not_raw_files(folder: DataFolder, tmp_path: Path) -> None:
    """A run refuses a path that does not exist or has another ending, names it, and loads nothing."""
    folder.drop("a.jsonl", lines("a"))
    other = tmp_path / "a.json"
    other.write_bytes(lines("b"))
    for path, why in ((other, "not a raw file"), (tmp_path / "gone.jsonl", "no such file")):
        result = usage(folder, str(path))
        done(result, 2)
        assert f"{path}" in result.stderr
        assert why in result.stderr
    assert not list(folder.root.glob("events/*"))


def test_misleading_names(folder: DataFolder) -> None:
    """A folder may be named like a raw file. A pipe named like one is reported, and the run does not wait for it."""
    (folder.root / "raw/empty.jsonl").mkdir(parents=True)
    folder.drop("folder.jsonl.gz/a.jsonl", lines("a"))
    folder.drop("empty", b"")
    done(usage(folder))
    os.mkfifo(folder.root / "raw/pipe.jsonl")
    os.mkfifo(folder.root / "raw/pipe")
    result = usage(folder)
    done(result, 4)
    assert "  pipe.jsonl: it is not a regular file\n" in result.stderr
    assert ids(folder) == {"a"}


def test_compressed_files(folder: DataFolder) -> None:
    """Compressed files may have several members, and line numbers count through all of them."""
    content = lines("a") + b"bad\n"
    folder.drop("a.jsonl.gz", gzip.compress(content) + gzip.compress(lines("b") + b"bad\n"))
    with pa.CompressedOutputStream(str(folder.root / "raw/b.jsonl.zst"), "zstd") as file:
        file.write(lines("c"))
    assert numbers(folder.run()) == (5, 3, 0, 2, 0)
    assert [row["line_number"] for row in folder.quarantine()] == [2, 4]


def test_accounting_of_unusual_files(folder: DataFolder) -> None:
    """Every line is counted in files with a BOM, CRs, blank lines or no last newline, and in empty and binary files."""
    folder.drop("bom.jsonl", b"\xef\xbb\xbf" + lines("a").replace(b"\n", b"\r\n") + b"\n \t\r\n" + b"{")
    folder.drop("empty.jsonl", b"")
    folder.drop("only-bom.jsonl", b"\xef\xbb\xbf")
    folder.drop("binary.jsonl", bytes(range(256)))
    report = folder.run()
    assert numbers(report) == (6, 1, 0, 3, 2)
    assert [(row["source_file"], row["line_number"], row["reason"], row["line"]) for row in folder.quarantine()] == [
        ("binary.jsonl", 1, "invalid_json", bytes(range(10))),
        ("binary.jsonl", 2, "truncated_line", bytes(range(11, 256))),
        ("bom.jsonl", 4, "truncated_line", b"{"),
    ]


def test_empty_file(folder: DataFolder) -> None:
    """An empty file has no lines. Lines that are appended later are read. An empty gzip or zstd file is unfinished."""
    path = folder.drop("a.jsonl", b"")
    folder.drop("b.jsonl.gz", b"")
    folder.drop("c.jsonl.zst", b"")
    report = folder.run()
    assert (report.files, report.lines) == (3, 0)
    assert [failure.file for failure in report.errors] == ["b.jsonl.gz", "c.jsonl.zst"]
    path.write_bytes(lines("a"))
    assert folder.run().accepted == 1


def test_long_lines(folder: DataFolder) -> None:
    """Lines of 10 MB are rejected with their length, and the lines around them are loaded."""
    long = b'{"id":"' + b"x" * 10_000_000 + b'"}\n'
    folder.drop("a.jsonl", lines("a") + long + lines("b") + long * 2 + lines("c"))
    folder.run()
    assert ids(folder) == {"a", "b", "c"}
    found = folder.quarantine()
    assert [(row["line_number"], row["reason"]) for row in found] == [(n, "line_too_long") for n in (2, 4, 5)]
    assert all("10,000,009 bytes" in row["message"] and row["line"] == long[:-1] for row in found)
    assert f"{LINE_BYTES_MAX:,}" in found[0]["message"]


@pytest.mark.parametrize("rest", [b"", lines("b") * 9_000])
def test_long_first_line(folder: DataFolder, rest: bytes) -> None:
    """A byte order mark and a carriage return do not count towards a line's length."""
    folder.drop("a.jsonl", b"\xef\xbb\xbf" + b"x" * 1_500_000 + b"\r\n" + rest)
    folder.run()
    assert "1,500,000 bytes" in folder.quarantine()[0]["message"]


def test_no_newline_at_all(folder: DataFolder) -> None:
    """The quarantine keeps the beginning of 40 MB without a newline. Lines that are appended later are loaded."""
    path = folder.drop("a.jsonl", b"x" * 40_000_000)
    assert (folder.run().rejected, total(folder).lines) == (1, 1)
    (row,) = folder.quarantine()
    assert row["reason"] == "line_too_long"
    assert "40,000,000 bytes" in row["message"]
    assert row["line"] == b"x" * (16 << 20)
    with path.open("ab") as file:
        file.write(b"x\n" + lines("a"))
    report = folder.run()
    assert (report.rejected, report.accepted) == (1, 1)
    assert "40,000,001 bytes" in folder.quarantine()[0]["message"]
    with path.open("ab") as file:
        file.write(lines("b"))
    assert folder.run().bytes == len(lines("b"))
    assert (total(folder).lines, total(folder).rejected) == (3, 1)


def test_deep_nesting(folder: DataFolder) -> None:
    """A line with 100,000 levels of nesting is accepted if they are in an unknown key, and rejected otherwise."""
    deep = "[" * 100_000 + "]" * 100_000
    plain = lines("@")[:-2].decode()
    texts = [
        f'{plain},"x":{deep}}}'.replace("@", "a"),
        f'{plain},"metadata":{{"x":{deep}}}}}',
        f'{plain},"usage":{deep}}}',
        deep,
        deep[:-1],
        f"{plain}}}".replace("@", "b"),
    ]
    folder.drop("a.jsonl", "\n".join(texts).encode())
    folder.run()
    assert ids(folder) == {"a", "b"}
    assert [(row["line_number"], row["reason"], row["field"]) for row in folder.quarantine()] == [
        (2, "invalid_value", "metadata"),
        (3, "invalid_type", "usage"),
        (4, "not_an_object", None),
        (5, "invalid_json", None),
    ]
