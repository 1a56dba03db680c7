"""Fixtures: an object store with a location of its own for each test, and one behind a proxy that makes faults."""

import secrets
from collections.abc import Iterator

import pytest

from pipeline.contract.location import Location
from pipeline.contract.object_client import Client
from pipeline.storage.objects import snapshot
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.object_servers import BUCKET, ENVIRONMENT, seaweedfs


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the endpoint of a running SeaweedFS, where the bucket of the tests exists."""
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as found:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in ENVIRONMENT.items():
                patch.setenv(name, value)
            Client(Location(BUCKET, "first", found)).replace("object", b"", None)  # creates the bucket
        yield found


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def location(endpoint: str) -> Location:
    """Return a location where nothing is."""
    return Location(BUCKET, f"data/{secrets.token_hex(8)}", endpoint)


@pytest.fixture
def client(location: Location) -> Client:
    """Return a client of a location where nothing is."""
    return Client(location)


@pytest.fixture
def proxy(endpoint: str) -> Iterator[FaultProxy]:
    """Return a proxy before the store."""
    with fault_proxy(endpoint) as found:
        yield found


@pytest.fixture
def pauses() -> list[float]:
    """Return the pauses of `faulty`, in seconds, none of which is really made."""
    return []


@pytest.fixture
def faulty(location: Location, proxy: FaultProxy, pauses: list[float]) -> Client:
    """Return a client of the same location that goes through the proxy."""
    return Client(Location(location.bucket, location.prefix, proxy.endpoint), pause=pauses.append)


@pytest.fixture
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the requests of a commit one after the other, so that an example can be repeated."""
    monkeypatch.setattr(snapshot, "_THREADS", 1)
