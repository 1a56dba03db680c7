"""Fixtures of the instruments: the host, which is started once."""

from collections.abc import Iterator

import pytest

from tests.faults.host import Host


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    """Return a process that runs commands under the shim."""
    with Host() as found:
        yield found
