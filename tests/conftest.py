"""What all tests share: an empty data folder for each, and how the property tests run."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.data_folder import DataFolder
from tests.support.forks import SERVER, start_server
from tests.support.syncs import skip_syncs

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile(
    "any speed", hypothesis.settings(), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any speed")


@pytest.fixture(scope="session", autouse=True)
def _no_syncs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        skip_syncs(patch)
        yield


@pytest.fixture
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the worker processes of runs from a server that has everything imported."""
    start_server()
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: SERVER)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """Return a data folder with an empty `raw/`."""
    folder = DataFolder(tmp_path / "data")
    (folder.root / "raw").mkdir(parents=True)
    return folder
