"""`usage map`: foreign files of each kind become lines, stable and exact; a map can reach nothing else."""

import json
import re
import uuid
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mapping.mapped import MapError, open_map
from tests.support.command import done
from tests.support.data_folder import NOW, WORKSPACE
from tests.support.invoked import Result, invoke
from tests.support.project import ROOT
from tests.support.walkthrough import carry_out, missing, steps

# Columns of a record, but for the id and those that a test adds.
REST: Final = (
    f"'{WORKSPACE}' as workspace_id, '{NOW}' as timestamp, 'settings_changed' as action, 'k' as kind,"
    " {'type': 't'} as resource"
)


def mapped(text: str, *paths: Path) -> list[dict[str, Any]]:
    """Return the records that a map makes."""
    with open_map(text, paths) as lines:
        return [json.loads(line) for line in lines()]


def usage(*arguments: object) -> Result:
    """Run `usage map`."""
    return invoke(["map", *map(str, arguments)])


def test_every_kind_of_file(tmp_path: Path) -> None:
    """JSON, CSV, Parquet and text are read as they are written: no offset, zero or digit is lost."""
    (tmp_path / "a.jsonl").write_text(
        '{"n": 9007199254740993, "moment": "2026-11-24T09:00:00+09:00", "m": {"b": 1, "a": []}}\n'
    )
    (tmp_path / "a.csv").write_text('n,moment\n007,"24.11.2026, 9:00"\n')
    (tmp_path / "a.log").write_text('first "line", with a comma\nsecond\\line\n')
    pq.write_table(pa.table({"n": pa.array([2**62])}), tmp_path / "a.parquet")
    select = f"select n::varchar as id, {REST}, "
    (found,) = mapped(f"{select} moment as recorded_at, m as metadata from input", tmp_path / "a.jsonl")
    assert (found["id"], found["recorded_at"]) == ("9007199254740993", "2026-11-24T09:00:00+09:00")
    assert found["metadata"] == {"b": 1, "a": []}
    (found,) = mapped(f"{select} moment as ip from input", tmp_path / "a.csv")
    assert (found["id"], found["ip"]) == ("007", "24.11.2026, 9:00")
    (found,) = mapped(f"select n::varchar as id, {REST} from input", tmp_path / "a.parquet")
    assert found["id"] == str(2**62)
    rows = mapped(f"select line as id, {REST} from input", tmp_path / "a.log")
    assert [row["id"] for row in rows] == ['first "line", with a comma', "second\\line"]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "log"])
def test_names_are_no_patterns(tmp_path: Path, suffix: str) -> None:
    """A file whose name looks like a pattern is read alone."""
    content = {"csv": "line\n{}\n", "jsonl": '{{"line": "{}"}}\n', "log": "{}\n"}[suffix]
    for name in ("a*", "ab", "it's [x]?"):
        (tmp_path / f"{name}.{suffix}").write_text(content.format(name.strip("*?'")[:1] + str(len(name))))
    for name in ("a*", "it's [x]?"):
        (row,) = mapped(f"select line as id, {REST} from input", tmp_path / f"{name}.{suffix}")
        assert row["id"] == name[:1] + str(len(name))


def test_lines_that_are_no_json(tmp_path: Path) -> None:
    """A line of text that cannot be converted is null to `try_cast`, wherever in the statement that is."""
    (tmp_path / "a.log").write_text('{"a": "x"}\nnot json\n')
    select = f"j ->> 'a' as id, {REST} from found where j is not null or line = ''"
    (row,) = mapped(
        f"with found as (select line, try_cast(line as json) as j from input) select {select}", tmp_path / "a.log"
    )
    assert row["id"] == "x"


def test_values(tmp_path: Path) -> None:
    """Instants are RFC 3339 in UTC, JSON is kept as it is, integers of any width are integers."""
    (tmp_path / "a.log").write_text("x\n")
    text = f"""
        select line as id, {REST.replace(f"'{NOW}'", "timestamptz '2026-11-24 09:00:00+09'")},
          '{{"b": [1.50, null], "a": "ü"}}'::json as metadata, {{'credits': sum(1)::hugeint}} as usage
        from input group by line
    """
    with open_map(text, [tmp_path / "a.log"]) as lines:
        (line,) = lines()
    assert b'"timestamp":"2026-11-24T00:00:00Z"' in line
    assert '"metadata":{"b": [1.50, null], "a": "ü"}'.encode() in line
    assert b'"usage":{"credits":1}' in line


@given(st.uuids(), st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_uuid5(namespace: uuid.UUID, name: str) -> None:
    """`uuid5` is the name-based UUID of RFC 9562, for every row."""
    macro = (ROOT / "pipeline/mapping/sql/uuid5.sql").read_text("utf-8")
    with duckdb.connect() as connection:
        connection.execute(macro)
        found = connection.execute(
            "select uuid5(n, t) from (values (?, ?), (?, 'x')) as v(n, t)", [str(namespace), name, str(namespace)]
        ).fetchall()
    assert found == [(str(uuid.uuid5(namespace, name)),), (str(uuid.uuid5(namespace, "x")),)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("select 1 as idd, 2 as b from input", "the column idd is no field of a record; do you mean id?"),
        ("select 'a' as id from input", "columns are missing: workspace_id, timestamp, action, kind, resource"),
        (f"select 'a' as id, 'b' as id, {REST} from input", "the column id_1 is no field of a record"),
        ("copy input to 'stolen.csv'", "only SELECT"),
        ("from read_text('/etc/hostname')", "Permission Error"),
        ("from read_csv('/etc/hostname')", "read_csv is not available here"),
        ("select 1; select 2", "a map is one SELECT"),
        ("selec 1", "Parser Error"),
        ("select x from input", "x"),
        ("", "a map is one SELECT"),
        ("set memory_limit = '1GB'", "only SELECT"),
        (f"select (1 / 0 || 'x')::int::varchar as id, {REST} from input", "Conversion Error"),
    ],
)
def test_refused(tmp_path: Path, text: str, reason: str) -> None:
    """A map that is no SELECT, reaches elsewhere, or gives no records is refused, and says why."""
    (tmp_path / "a.log").write_text("x\n")
    with pytest.raises(MapError, match=re.escape(reason)):
        mapped(text, tmp_path / "a.log")


def test_the_command(tmp_path: Path) -> None:
    """The output appears when it is complete and is never replaced by accident; what is wrong is one line, exit 2."""
    (tmp_path / "a.log").write_text("x\ny\n")
    (tmp_path / "a.sql").write_text(f"select line as id, {REST} from input")
    (tmp_path / "bad.sql").write_text(f"select (line || 'z')::int::varchar as id, {REST} from input")
    output = tmp_path / "out.jsonl"
    arguments = (tmp_path / "a.sql", tmp_path / "a.log")
    result = usage(*arguments)
    done(result)
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["x", "y"]
    done(usage(*arguments, "--output", output))
    assert output.read_text() == result.stdout
    done(usage(*arguments, "--output", output), 2)
    done(usage(*arguments, "--output", output, "--force"))
    before = sorted(tmp_path.iterdir())
    for wrong in (
        (tmp_path / "bad.sql", tmp_path / "a.log", "--output", tmp_path / "none.jsonl"),
        (tmp_path / "gone.sql", tmp_path / "a.log"),
        (tmp_path / "a.sql", tmp_path / "gone.log"),
        (tmp_path / "a.sql", tmp_path / "a.sql"),
        (tmp_path / "a.sql", tmp_path / "a.log", output),
    ):
        result = usage(*wrong)
        done(result, 2)
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_the_page(tmp_path: Path) -> None:
    """docs/mapping.md, carried out: three foreign shapes are mapped, tried and loaded, a second map changes nothing."""
    found = steps((ROOT / "docs/mapping.md").read_text("utf-8"))
    for step, output in zip(found, carry_out(found, tmp_path), strict=True):
        assert not missing(step, output), f"{step.text}\n{output}"
