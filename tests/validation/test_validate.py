"""Decoding in one step and diagnosing field by field agree, and no line stops the validator."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.actions import ACTIONS
from pipeline.validation.diagnose import diagnose
from tests.support.any_lines import FIELDS
from tests.support.data_folder import WORKSPACE, record
from tests.support.lines import LATEST, row, validated


@given(FIELDS, st.booleans())
def test_both_ways_agree(fields: dict[str, Any], ascii_only: bool) -> None:
    """A line is good if and only if `diagnose` finds no fault in it, and its rewritten line gives the same row."""
    line = json.dumps({**record(), **fields}, ensure_ascii=ascii_only).encode()
    found = validated(line)
    faults, known = diagnose(line, LATEST, ACTIONS, torn=False)
    assert found == (faults[0] if faults else row(known))


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.integers(0, 400), st.booleans())
def test_any_bytes(noise: bytes, position: int, torn: bool) -> None:
    """No bytes, alone or within a good line, stop the validator."""
    line = json.dumps(record(user={"id": WORKSPACE, "name": "Zoë"}), ensure_ascii=False).encode()
    for text in (noise, line[:position] + noise + line[position:], line[:position]):
        validated(text.replace(b"\n", b""), torn=torn)
