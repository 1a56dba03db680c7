"""`usage sql`: output formats, exit codes, stdin and Ctrl-C."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.analysis.statements import statements
from pipeline.analysis.writers import write_table
from tests.support.asking import open_folder
from tests.support.data_folder import NOW, DataFolder, Once, record
from tests.support.invoked import Result, invoke
from tests.support.process import wait_until
from tests.support.project import ROOT

EVERYTHING = """
    select
      170141183460469231731687303715884105727::hugeint as huge, sum(9223372036854775807) as summed,
      1.50::decimal(9, 2) as exact,
      timestamp '2026-11-24 12:00:00.25' as moment, timestamptz '2026-11-24 12:00:00+05:45' as zoned,
      date '2026-11-24' as day, null as nothing, 'a,"b"' || chr(10) || 'ü' as words, true as truth,
      [timestamp '2026-01-01'] as list, {'a': 1, 'b': null} as struct, map {'k': 2} as map, 'nan'::double as none
"""


def load_five(folder: DataFolder) -> None:
    """Load five events."""
    folder.drop("a.jsonl", [record(f"e{k}", usage={"credits": k}) for k in range(5)])
    folder.run()


@pytest.fixture
def loaded(once: Once) -> DataFolder:
    """Return a folder with five events."""
    return once(load_five)


def usage(folder: DataFolder, *arguments: str, stdin: str = "") -> Result:
    """Run `usage sql`."""
    return invoke(["sql", *arguments, "--data-dir", str(folder.root), "--now", NOW], stdin=stdin)


def test_json(loaded: DataFolder) -> None:
    """JSON is one array; integers are exact, instants are RFC 3339 in UTC, NaN is null."""
    result = usage(loaded, EVERYTHING, "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout, parse_float=str) == [
        {
            "huge": 170141183460469231731687303715884105727,
            "summed": 9223372036854775807,
            "exact": "1.50",
            "moment": "2026-11-24T12:00:00.25Z",
            "zoned": "2026-11-24T06:15:00Z",
            "day": "2026-11-24",
            "nothing": None,
            "words": 'a,"b"\nü',
            "truth": True,
            "list": ["2026-01-01T00:00:00Z"],
            "struct": {"a": 1, "b": None},
            "map": {"k": 2},
            "none": None,
        }
    ]
    assert json.loads(usage(loaded, "select 1 where false", "--format", "json").stdout) == []


def test_csv(loaded: DataFolder) -> None:
    """CSV follows RFC 4180: CRLF, quotes only where necessary, null is an empty cell."""
    result = usage(loaded, EVERYTHING, "--format", "csv")
    names, row = csv.reader(io.StringIO(result.stdout_bytes.decode(), newline=""))
    found = dict(zip(names, row, strict=True))
    assert found["huge"] == "170141183460469231731687303715884105727"
    assert found["words"] == 'a,"b"\nü'
    assert found["nothing"] == ""
    assert found["list"] == '["2026-01-01T00:00:00Z"]'
    assert found["none"] == "nan"
    assert usage(loaded, "select 1 as a, 'x,y' as b", "--format", "csv").stdout_bytes == b'a,b\n1,"x,y"\n'
    assert usage(loaded, "select chr(13) as a, null as b", "--format", "csv").stdout_bytes == b'a,b\n"\r",\n'


def test_parquet_and_output(loaded: DataFolder, tmp_path: Path) -> None:
    """Parquet goes to stdout or to a file; an existing file is replaced only with --force."""
    path = tmp_path / "rows.parquet"
    assert usage(loaded, "from events", "--format", "parquet", "--output", str(path)).exit_code == 0
    assert pq.read_table(path).num_rows == 5
    again = usage(loaded, "from cube", "--format", "parquet", "--output", str(path))
    assert (again.exit_code, pq.read_table(path).num_rows) == (2, 5)
    assert "--force" in again.stderr
    assert usage(loaded, "from cube", "--format", "parquet", "--output", str(path), "--force").exit_code == 0
    assert pq.read_table(path).num_rows == 1
    result = usage(loaded, "select 1 as a", "--format", "parquet")
    assert pq.read_table(io.BytesIO(result.stdout_bytes)).to_pylist() == [{"a": 1}]
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["rows.parquet"]


def test_table(loaded: DataFolder) -> None:
    """A table aligns numbers right, prints NULL, and escapes what a terminal would interpret."""
    result = usage(loaded, "select 'a' as name, 5 as n union all select chr(27) || '[2J', null order by n")
    assert result.stdout.splitlines() == [
        "name        n",
        "a           5",
        "\\x1b[2J  NULL",
    ]


def test_wide_tables(loaded: DataFolder) -> None:
    """A table that is too wide is cut in its widest columns; if that is not enough, each row becomes a record."""
    (statement,) = statements("select repeat('x', 100) as long, 'kept' as short, 7 as n")
    shown = {}
    with open_folder(loaded.root, loaded.now) as session:
        for width in (80, 20):
            file = io.BytesIO()
            assert session.run(statement, partial(write_table, file=file, width=width))
            shown[width] = file.getvalue().decode().splitlines()
    assert max(map(len, shown[80])) == 80
    assert shown[80][1] == f"{'x' * 69}…  kept   7"
    assert shown[20][0] == "row 1"
    assert f"  long   {'x' * 100}" in shown[20]


def test_more_rows_than_are_shown(loaded: DataFolder) -> None:
    """A table ends after 10,000 rows with a note; the other formats have all rows."""
    result = usage(loaded, "from range(25000)")
    assert len(result.stdout.splitlines()) == 10_001
    assert "the first rows" in result.stderr
    assert len(usage(loaded, "from range(25000)", "--format", "csv").stdout.splitlines()) == 25_001


def test_order_is_kept(loaded: DataFolder) -> None:
    """Rows keep the statement's order."""
    rows = json.loads(usage(loaded, "select i from range(300000) r(i) order by hash(i), i", "--format", "json").stdout)
    with open_folder(loaded.root, None) as session:
        (statement,) = statements("select hash(i) as h from range(300000) r(i) order by i")
        hashes = session.run(statement, lambda reader: reader.read_all()["h"].to_pylist())
    assert [row["i"] for row in rows] == sorted(range(300_000), key=lambda i: (hashes[i], i))


def test_stdin(loaded: DataFolder) -> None:
    """Without an argument, statements come from stdin and run one after the other."""
    result = usage(loaded, stdin="select 1 as a;\nselect sum(credits) as b from events; explain select 1")
    assert result.exit_code == 0
    assert result.stdout.split()[:4] == ["a", "1", "b", "10"]
    assert "Projection" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["select nothing from events"], 1, "nothing"),
        (["from nowhere"], 1, "nowhere"),
        (["select error('stop')"], 1, "stop"),
        (["select interval 1 day", "--format", "parquet"], 1, "interval"),
        (["selec 1"], 2, "syntax error"),
        (["drop view events"], 2, "only SELECT"),
        (["pivot events on action using count(*)"], 2, "IN"),
        ([""], 2, "no statement"),
        (["select 1; select 2", "--output", "x"], 2, "one statement"),
        (["select 1", "--force"], 2, "--output"),
        (["select 1", "--format", "xml"], 2, "xml"),
    ],
)
def test_errors(loaded: DataFolder, arguments: list[str], code: int, words: str) -> None:
    """A failing statement exits 1, a refused statement or wrong options exit 2; stdout stays empty."""
    result = usage(loaded, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert "LINE 1: from query" not in result.stderr


def test_no_folder(tmp_path: Path) -> None:
    """A missing data folder is wrong usage, and is not created."""
    result = usage(DataFolder(tmp_path / "none"), "select 1")
    assert result.exit_code == 2
    assert not (tmp_path / "none").exists()


def test_no_partial_result(loaded: DataFolder) -> None:
    """If a statement fails after its first rows, none of them are written."""
    result = usage(loaded, "select if(i = 250000, error('late'), i) from range(300000) r(i)", "--format", "csv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "late" in result.stderr


def test_a_folder_that_is_read_only(loaded: DataFolder) -> None:
    """A read-only data folder gives the same answer."""
    if not os.geteuid():
        (loaded.root / "usage.duckdb.lock").mkdir()  # file modes do not stop root; this does
    else:
        loaded.root.chmod(0o500)
    try:
        result = usage(loaded, "select sum(credits) as credits from cube", "--format", "json")
    finally:
        loaded.root.chmod(0o700)
    assert json.loads(result.stdout) == [{"credits": 10}]
    assert not (loaded.root / "usage.duckdb").exists()


def test_interrupted(loaded: DataFolder) -> None:
    """SIGINT stops a statement at once: exit 130, one line, nothing on stdout."""
    code = "from service.commands import main; main()"
    statement = "select count(*) from range(10000000) a, range(10000000) b where (a.range * b.range) % 7 = 3"
    arguments = [sys.executable, "-c", code, "sql", statement, "--data-dir", str(loaded.root)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    wait_until(process, lambda: _is_busy(process.pid))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "stopped\n")


def _is_busy(pid: int) -> bool:
    """Return whether threads that the main one started have used half a second of CPU time: the query is running."""
    used = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        if thread.name != str(pid):
            with suppress(OSError):  # it has ended
                used += int((thread / "stat").read_text().rpartition(")")[2].split()[11])
    return used > os.sysconf("SC_CLK_TCK") // 2


def test_json_lines_and_markdown(loaded: DataFolder) -> None:
    """JSON Lines are one object per line; a Markdown table has one line per row, and bars are escaped."""
    result = usage(loaded, "select 1 as a, null as b union all select 2, 'x' order by a", "--format", "ndjson")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
    assert usage(loaded, "select 1 where false", "--format", "ndjson").stdout == ""
    result = usage(
        loaded, "select 'a|b\\' as \"n|m\", 5 as n union all select 'c' || chr(10) || ' d', null", "--format", "md"
    )
    assert result.stdout == "| n\\|m | n |\n| --- | --: |\n| a\\|b\\\\ | 5 |\n| c d |  |\n"


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("r.csv", b"a\n1\n"),
        ("r.JSON", b"[\n"),
        ("r.ndjson", b'{"a":1}\n'),
        ("r.jsonl", b'{"a":1}\n'),
        ("r.parquet", b"PAR1"),
        ("r.md", b"| a |\n"),
        ("r.txt", b"a\n1\n"),
        ("r", b"a\n1\n"),
    ],
)
def test_the_suffix_names_the_format(loaded: DataFolder, tmp_path: Path, name: str, beginning: bytes) -> None:
    """The suffix of --output names the format of the rows."""
    result = usage(loaded, "select 1 as a", "--output", str(tmp_path / name))
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    assert (tmp_path / name).read_bytes().startswith(beginning)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--output", "r.csv", "--format", "json"), "--format json contradicts the suffix of r.csv"),
        (("--output", "r.parquet", "--format", "table"), "--format table contradicts the suffix of r.parquet"),
        (("--output", "r.xlsx"), ".xlsx is no format of --output: name one with --format, or end the name in .csv"),
    ],
)
def test_contradictions(
    loaded: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    """A format that contradicts the suffix, or a suffix of no format, exits 2 and writes nothing."""
    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.chdir(folder)
    result = usage(loaded, "select 1", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(message)
    assert not list(folder.iterdir())
