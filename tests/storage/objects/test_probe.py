"""The probe: a store that keeps conditions of writes is accepted, one that ignores them is refused; nothing is left."""

from pathlib import Path

import msgspec
import pytest

from pipeline.contract.location import Location
from pipeline.contract.object_client import TRIES, Client, Found
from pipeline.contract.object_errors import AccessError, UnavailableError
from pipeline.storage.objects.probe import UnsuitableError, refuse_unsuitable
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.object_servers import BUCKET, READER_KEYS, rclone


def test_a_suitable_store(client: Client) -> None:
    """SeaweedFS is accepted, and nothing is left there."""
    refuse_unsuitable(client)
    assert list(client.list()) == []


def test_an_unsuitable_store(tmp_path: Path) -> None:
    """A store that ignores `If-None-Match` is refused by name, and nothing is left there."""
    with rclone(tmp_path) as endpoint:
        client = Client(Location(BUCKET, "data", endpoint))
        with pytest.raises(
            UnsuitableError, match=rf"{endpoint} does not keep the conditions of writes \(If-None-Match\)"
        ):
            refuse_unsuitable(client)
        assert list(client.list()) == []


@pytest.mark.parametrize("ignored", [1, 2])
def test_a_store_that_ignores_one_condition(client: Client, monkeypatch: pytest.MonkeyPatch, ignored: int) -> None:
    """Each of the two conditions is tried out."""
    replace = Client.replace
    written: list[str] = []

    def ignoring(client: Client, key: str, content: bytes, etag: str | None) -> str:
        if (etag is not None) + 1 == ignored and written:
            etag = written[-1]
        written.append(replace(client, key, content, etag))
        return written[-1]

    monkeypatch.setattr(Client, "replace", ignoring)
    with pytest.raises(UnsuitableError, match="If-None-Match" if ignored == 1 else "If-Match"):
        refuse_unsuitable(client)
    assert list(client.list()) == []


@pytest.mark.parametrize("lost", ["put", "head"])
def test_a_store_without_etags(client: Client, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    """A store whose ETags cannot be used as conditions is refused, although it refuses a stale one."""
    replace, head = Client.replace, Client.head

    def put(client: Client, key: str, content: bytes, etag: str | None) -> str:
        found = replace(client, key, content, etag)
        return "None" if lost == "put" else found

    def look(client: Client, key: str) -> Found | None:
        found = head(client, key)
        return found if lost == "put" or found is None else msgspec.structs.replace(found, etag="None")

    monkeypatch.setattr(Client, "replace", put)
    monkeypatch.setattr(Client, "head", look)
    with pytest.raises(UnsuitableError, match="If-Match"):
        refuse_unsuitable(client)
    assert list(client.list()) == []


@pytest.mark.parametrize("fault", ["lose request", "lose answer", "409", "503"])
def test_lost_answers(faulty: Client, client: Client, proxy: FaultProxy, fault: Fault) -> None:
    """A lost answer says nothing about the store: the probe is repeated with another object."""
    proxy.plan("PUT", "probe", fault)
    refuse_unsuitable(faulty)
    assert proxy.is_used_up()
    assert list(client.list()) == []


def test_a_store_that_stays_away(faulty: Client, proxy: FaultProxy) -> None:
    """A store that does not answer is no unsuitable one."""
    faults: list[Fault] = ["503"]
    proxy.plan("PUT", "probe", *faults * TRIES)
    with pytest.raises(UnavailableError):
        refuse_unsuitable(faulty)


def test_a_key_that_may_only_read(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that do not suffice are reported as such."""
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), READER_KEYS, strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(AccessError, match="check the AWS credentials and the bucket's policy"):
        refuse_unsuitable(Client(location))
