"""Tables and progress fit terminals of 60 to 200 columns, and lines that no terminal shows."""

import re

import pytest

from pipeline.terminal import table
from tests.support.command import done, usage
from tests.support.data_folder import DataFolder
from tests.support.invoked import invoke

ROWS = [("workspace", "credits"), ("0b5e1c3a-0000-4000-8000-000000000001", "1,234"), ("日本語", "5")]


def test_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is too wide becomes one record per row, in which no value is cut."""
    assert table(ROWS, "<>") == [
        "workspace                             credits",
        "0b5e1c3a-0000-4000-8000-000000000001    1,234",
        "日本語                                      5",
    ]
    monkeypatch.setenv("COLUMNS", "44")
    assert table(ROWS, "<>", "  ") == [
        "  row 1",
        "    workspace  0b5e1c3a-0000-4000-8000-000000000001",
        "    credits    1,234",
        "  row 2",
        "    workspace  日本語",
        "    credits    5",
    ]


@pytest.mark.parametrize("columns", [60, 80, 120, 160, 200])
def test_tables_of_commands(quarantined: DataFolder, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """The tables of `status`, `quarantine` and the erasures fit, and show the same values in any width."""
    monkeypatch.setenv("COLUMNS", str(columns))
    where = ("--data-dir", str(quarantined.root))
    for command, is_long in (
        (("status", *where), re.compile(r"^(  stages|  rejected|USAGE_|published)")),
        (("quarantine", *where), re.compile("^  reasons ")),
        (("quarantine", "--list", *where), re.compile("$^")),
    ):
        result = invoke(command)
        done(result)
        shown = [line for line in result.stdout.splitlines() if not is_long.match(line)]
        assert max(map(len, shown)) <= columns, command
        assert "missing_field" in result.stdout
    erased = usage(quarantined, "retention", "--keep", "400d")
    done(erased)
    assert max(map(len, erased.stdout.splitlines())) <= columns
    assert re.search(r"quarantine +0 ", erased.stdout) or "table            quarantine" in erased.stdout
