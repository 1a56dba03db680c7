"""What the crash tests share: a folder whose runs nobody disturbed."""

import pytest

from tests.support.batches import batches, drop
from tests.support.data_folder import DataFolder


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a folder that was loaded batch by batch without a kill."""
    folder = DataFolder(tmp_path_factory.mktemp("undisturbed") / "data")
    for number in range(len(batches())):
        drop(folder, number)
        folder.run()
    return folder
