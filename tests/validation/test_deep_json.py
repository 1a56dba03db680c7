"""The JSON reader without recursion agrees with the standard decoder."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.validation import deep_json
from tests.support.any_lines import VALUES


@given(VALUES, st.sampled_from([None, 1]))
def test_members(value: Any, indent: int | None) -> None:
    """It finds the members that the standard decoder finds."""
    found = {key: json.loads(text) for key, text in deep_json.members(json.dumps(value, indent=indent)).items()}
    if isinstance(value, dict):
        assert found == value
    elif isinstance(value, list):
        assert list(found.values()) == value
    else:
        assert found == {}


@given(VALUES, st.integers(0, 80), st.sampled_from('{}[],:"\\ 0-1.eEtnu\n'), st.integers(0, 2))
def test_grammar(value: Any, position: int, character: str, cut: int) -> None:
    """It accepts exactly the texts that the standard decoder accepts."""
    text = json.dumps(value)
    text = text[:position] + character + text[position + cut :]

    def well_formed(reader: Any) -> bool:
        try:
            reader(text)
        except ValueError:
            return False
        return True

    assert well_formed(deep_json.members) == well_formed(json.loads)
