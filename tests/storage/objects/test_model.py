"""Root, ledger and sweep under lost answers, delays, conflicts, kills and several coordinators."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.object_machine import Store


@pytest.mark.usefixtures("in_order")
def test_model() -> None:
    """Whatever happens, the root names only what is there, and readers find the runs that were committed, once each."""
    run_state_machine_as_test(Store, settings=settings(max_examples=60, stateful_step_count=30))
