"""What all tests share: an empty data folder for each, and how the property tests run."""

import gc
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.data_folder import DataFolder, Once
from tests.support.forks import SERVER, start_server
from tests.support.syncs import skip_syncs
from tests.support.views import copy_views

# xdist gives its workers the width of the terminal, on which the layout of tables would depend.
os.environ["COLUMNS"] = "200"
# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile(
    "any speed", hypothesis.settings(), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any speed")

# The syntax trees and tests of a collection are a sixth faster to make if nobody looks for garbage among them.
gc.disable()


def pytest_collection_finish() -> None:
    """Exempt thousands of collected tests from garbage collection: they stay until the end."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    """Let the interpreter collect everything when it ends."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        skip_syncs(patch)
        copy_views(patch)
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


@pytest.fixture(scope="session")
def _filled() -> dict[Callable[[DataFolder], None], DataFolder]:
    return {}


@pytest.fixture
def once(
    folder: DataFolder,
    tmp_path_factory: pytest.TempPathFactory,
    _filled: dict[Callable[[DataFolder], None], DataFolder],
) -> Once:
    """Return a function that fills the test's folder: with a function, or with a copy of what it once did."""

    def fill(function: Callable[[DataFolder], None]) -> DataFolder:
        if function not in _filled:
            _filled[function] = DataFolder(tmp_path_factory.mktemp("filled") / "data")
            (_filled[function].root / "raw").mkdir(parents=True)
            function(_filled[function])
        shutil.rmtree(folder.root)
        return _filled[function].copy(folder.root)

    return fill
