"""Names of raw files: which are read, which are only counted, and that no two files have the same name."""

import json
import os
from itertools import product
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.load.raw_names import escape, path_of, source_name
from tests.hostile import compress
from tests.support.command import done, ledger, usage
from tests.support.data_folder import DataFolder, record
from tests.support.invoked import invoke
from tests.support.raw_files import ids, lines

NAMES = st.lists(
    st.binary(max_size=6) | st.sampled_from([b"\\", b"\\xff", b"\xff", b"\\\\", b"/", b"\xed\xb3\xbf", "ÿ\n€".encode()])
).map(lambda parts: b"".join(parts).strip(b"/").replace(b"\0", b""))


@given(NAMES, NAMES)
def test_injective(one: bytes, other: bytes) -> None:
    """Two names are written the same only if they are the same, and each leads back to its file."""
    assert (escape(one) == escape(other)) is (one == other)
    assert escape(one).encode().decode() == escape(one)  # so that every format can hold it
    if one:
        name = source_name(b"/data/raw", b"/data/raw/" + one)
        assert os.fsencode(path_of(Path("/data/raw"), name)) == os.fsencode(Path("/data/raw") / os.fsdecode(one))


def test_names_that_differ_in_bytes_that_are_not_utf8(folder: DataFolder) -> None:
    r"""Names that differ only in bytes that are no UTF-8, or in `\xff` as four characters, are different files."""
    names = [b"\xfe.jsonl", b"\xff.jsonl", rb"\xff.jsonl", rb"\\xff.jsonl", "ÿ.jsonl".encode()]
    for number, name in enumerate(names):
        folder.drop(os.fsdecode(name), lines(f"e{number}") + b"bad\n")
    done(usage(folder))
    assert ids(folder) == {"e0", "e1", "e2", "e3", "e4"}
    assert len(ledger(folder)) == len(folder.quarantine()) == 5
    report = folder.run()
    assert (report.files, report.unread) == (0, 0)
    for name in names:
        shown = invoke(["quarantine", "--file", os.fsdecode(name), "--json", "--data-dir", str(folder.root)])
        assert json.loads(shown.stdout)["lines"] == 1, name
    done(usage(folder, "--rebuild"))
    assert len(ledger(folder)) == 5


def test_suffixes(folder: DataFolder, tmp_path: Path) -> None:
    """`.jsonl` and `.ndjson`, plain, `.gz` and `.zst` are read in any case, found in `raw/` or named."""
    stems, packings = (".jsonl", ".ndjson", ".JSONL", ".NdJson"), ("", ".gz", ".zst", ".GZ", ".Zst")
    contents = {
        f"a{stem}{packing}": compress(f".jsonl{packing.lower()}", lines(stem + packing))
        for stem, packing in product(stems, packings)
    }
    for name, content in contents.items():
        folder.drop(name, content)
    report = folder.run()
    assert (report.accepted, report.ignored.count, report.errors) == (len(contents), 0, [])
    assert {name: entry.counts.accepted for name, entry in ledger(folder).items()} == dict.fromkeys(contents, 1)
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    report = folder.run(paths=[tmp_path / name for name in contents])
    assert (report.files, report.duplicates, report.errors) == (len(contents), len(contents), [])


def test_ignored_names(folder: DataFolder) -> None:
    """Other names are counted, with the five most frequent suffixes; dot files and `*.tmp` are not even that."""
    others = [
        "1.csv",
        "2.csv",
        "3.CSV",
        "deep/4.csv",
        "README",
        "a.json",
        "b.json",
        "jsonl",
        "c.jsonl.bak",
        "d.jsonl.bz2",
    ]
    others += ["e.tar.gz", "f.parquet", os.fsdecode(b"g.\xff"), "h.", "i.parquet"]
    silent = [".hidden", ".git/config.txt", "x.tmp", "y.jsonl.tmp", "z.TMP", ".jsonl"]
    for name in [*others, *silent, "a.jsonl"]:
        folder.drop(name, [record()])
    os.mkfifo(folder.root / "raw/pipe.txt")
    (folder.root / "raw/nowhere.md").symlink_to("nowhere")
    wanted = {"count": 17, "suffixes": {"csv": 3, "": 3, "json": 2, "parquet": 2, "CSV": 1}}
    result = usage(folder, "--json")
    done(result)
    assert json.loads(result.stdout)["ignored"] == wanted
    assert ids(folder) == {"e1"}
    said = "ignored {}17 files of other names: 3 without suffix, 3 csv, 2 json, 2 parquet, 1 CSV\n"
    assert said.format("") in usage(folder).stderr
    status = invoke(["status", "--data-dir", str(folder.root)]).stdout
    assert said.format("").replace("ignored ", "ignored: ") in status
    status = invoke(["status", "--json", "--data-dir", str(folder.root)]).stdout
    assert json.loads(status)["ignored"] == wanted
    assert json.loads(status)["runs"][0]["ignored"] == wanted


def test_nothing_is_ignored(folder: DataFolder) -> None:
    """Where all names are those of raw files, a run says nothing of it, and status that there are none."""
    folder.drop("a.jsonl", [record()])
    assert "ignored" not in usage(folder).stderr
    assert "ignored: no files\n" in invoke(["status", "--data-dir", str(folder.root)]).stdout
