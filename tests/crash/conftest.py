"""Fixtures of the crash tests: a data folder that was loaded without a crash."""

import pytest

from tests.support.batches import batches, drop
from tests.support.data_folder import DataFolder


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a folder into which all batches were loaded, one run each, without a crash."""
    folder = DataFolder(tmp_path_factory.mktemp("undisturbed") / "data")
    for number in range(len(batches())):
        drop(folder, number)
        folder.run()
    return folder
