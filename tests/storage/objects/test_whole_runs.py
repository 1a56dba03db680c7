"""Whole commands through a proxy that makes faults, as the long form `python -m tests.faults.object_store` has them."""

from pathlib import Path

import pytest

from tests.faults.object_store import play
from tests.support.fault_proxy import FaultProxy


@pytest.mark.parametrize("seed", [3])
def test_faults_in_whole_runs(seed: int, tmp_path: Path, endpoint: str, proxy: FaultProxy) -> None:
    """Whatever happens to requests, a command ends well or changes nothing, and the next one does the rest."""
    assert play(seed, tmp_path, endpoint, proxy).total() == 4
