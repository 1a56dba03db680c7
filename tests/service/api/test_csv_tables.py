"""Text in CSV: it can be read back, and no spreadsheet runs it as a formula."""

import csv
import json
from io import StringIO
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.api import csv_tables

FORMULA = tuple("=+-@\t\r\n＝＋－＠")

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_tricky = st.text("=+-@\t\r\n＝＋－＠;,\"' a", max_size=8)


@settings(max_examples=150, deadline=None)
@example(["=1", ";=1", '"', "x\n=1", "\t=1", ';"=1"'], "")
@given(st.lists(st.one_of(_text, _tricky), min_size=6, max_size=6), _tricky)
def test_any_text(texts: list[str], value: str) -> None:
    """Text reads back unchanged except for apostrophes, which are only put before what could start a formula."""
    metadata = json.dumps({"k": value}, ensure_ascii=False)
    row: dict[str, Any] = {
        "id": texts[0],
        "timestamp": "2026-11-24T11:00:00Z",
        "action": "voice_generated",
        "kind": texts[1],
        "resource": {"type": texts[2], "id": texts[3], "name": None},
        "user": {"id": "u", "name": texts[4]},
        "metadata": {"k": value},
        "ip": texts[5],
    }
    written = csv_tables.write(csv_tables.EVENTS, json.dumps({"data": [row, row]}, ensure_ascii=False).encode())
    header, *rows = csv.reader(StringIO(written.decode("utf-8-sig"), newline=""), strict=True)
    assert tuple(header) == csv_tables.EVENTS.columns
    sent = [texts[0], row["timestamp"], row["action"], *texts[1:4], "", "u", texts[4], metadata, texts[5]]
    assert len(rows) == 2
    for cells in rows:
        for cell, text in zip(cells, sent, strict=True):
            assert not cell.startswith(FORMULA)
            assert cell.replace("'", "") == text.replace("'", "")
            if not any(character in text for character in FORMULA):
                assert cell == text


@example(["=1", ";=1", ';"=1', "x\t-1", "x\n@1", '"=1'])
@given(st.lists(st.one_of(_text, _tricky), min_size=6, max_size=6))
def test_other_separators(texts: list[str]) -> None:
    """Even a spreadsheet that splits at semicolons or tabs, and so reads our quotes as text, finds no formula."""
    row: dict[str, Any] = {"id": "1", "timestamp": "t", "action": "voice_generated", "kind": texts[0]}
    row |= {"resource": {"type": texts[1], "id": texts[2], "name": texts[3]}}
    row |= {"user": {"id": "u", "name": texts[4]}, "metadata": None, "ip": texts[5]}
    written = csv_tables.write(csv_tables.EVENTS, json.dumps({"data": [row]}).encode()).decode("utf-8-sig")
    for separator in ";\t":
        for cells in csv.reader(StringIO(written, newline=""), delimiter=separator):
            assert not any(cell.startswith(tuple("=+-@＝＋－＠")) for cell in cells)
