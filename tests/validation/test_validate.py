"""The two ways through the validator agree, and no line stops it."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.validation.diagnose import FaultError, diagnose
from tests.support.any_lines import FIELDS
from tests.support.data_folder import WORKSPACE, record
from tests.support.lines import LATEST, row, validated


@given(FIELDS, st.booleans())
def test_two_ways_one_validated(fields: dict[str, Any], ascii_only: bool) -> None:
    """What is approved at once is what the examiner finds no fault in, with the same row."""
    line = json.dumps({**record(), **fields}, ensure_ascii=ascii_only).encode()
    found = validated(line)
    try:
        known = diagnose(line, LATEST, torn=False)
    except FaultError as fault:
        assert found == fault.rejection
    else:
        assert found == row(known)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.integers(0, 400), st.booleans())
def test_any_bytes_get_a_validated(noise: bytes, position: int, torn: bool) -> None:
    """No bytes, alone or within a good line, stop the judge."""
    line = json.dumps(record(user={"id": WORKSPACE, "name": "Zoë"}), ensure_ascii=False).encode()
    for text in (noise, line[:position] + noise + line[position:], line[:position]):
        validated(text.replace(b"\n", b""), torn=torn)
