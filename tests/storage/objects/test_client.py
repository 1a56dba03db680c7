"""Requests to a real store through a bad network: what is sent once, what is repeated, and what errors say."""

import os
import pickle
import zlib
from pathlib import Path

import pytest

from pipeline.contract.layout import LayoutError, StoredFile
from pipeline.contract.location import Location
from pipeline.contract.object_client import TRIES, Client
from pipeline.contract.object_errors import (
    AccessError,
    ChangedError,
    NoBucketError,
    ObjectStoreError,
    UnavailableError,
)
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.object_servers import READER_KEYS

KEY = "events/workspace_id=a/day=2026-11-24/r-1.parquet"


def put(client: Client, content: bytes = b"content", key: str = KEY) -> None:
    """Create an object."""
    client.create(key, content, StoredFile.of(key.rpartition("/")[2], content))


def stored(client: Client, key: str = KEY) -> bytes | None:
    """Return the bytes of an object."""
    found = client.get(key)
    return None if found is None else found.bytes


def test_objects(client: Client, tmp_path: Path) -> None:
    """What is created can be read, listed and deleted, from bytes or from a file, under names with any characters."""
    content = os.urandom(6_000_000)
    (tmp_path / "large").write_bytes(content)
    client.create("a b/large é %2F", tmp_path / "large", StoredFile.of("large", content))
    put(client)
    assert b"".join(client.stream("a b/large é %2F")) == content
    assert b"".join(client.stream(KEY, start=3)) == b"tent"
    assert stored(client) == client.read(KEY, StoredFile.of("", b"content")) == b"content"
    found = {one.key: one for one in client.list()}
    assert {key: one.size for key, one in found.items()} == {"a b/large é %2F": 6_000_000, KEY: 7}
    assert client.head(KEY) == found[KEY]
    assert [one.key for one in client.list("events")] == [KEY]
    client.delete([*found, "absent"])
    assert list(client.list()) == []
    assert stored(client) is None
    assert client.head(KEY) is None


def test_only_changes_are_read(client: Client) -> None:
    """A reader with the ETag of the root gets it only once it is another."""
    etag = client.replace("root", b"1", None)
    assert client.get("root", unless=etag) is None
    after = client.replace("root", b"2", etag)
    content = client.get("root", unless=etag)
    assert content is not None
    assert (content.bytes, content.found.etag) == (b"2", after)


def test_conditions(client: Client) -> None:
    """A replacement succeeds only in place of the object that was read, and a creation only where there is none."""
    first = client.replace("root", b"1", None)
    second = client.replace("root", b"2", first)
    for etag in (None, first):
        with pytest.raises(ChangedError):
            client.replace("root", b"3", etag)
    with pytest.raises(ChangedError):
        client.replace("absent", b"3", second)
    assert stored(client, "root") == b"2"


def test_raw_objects_that_were_replaced(client: Client) -> None:
    """A read from an offset on is refused where the object is another one by now, or gone."""
    etag = client.replace("raw/a.jsonl", b"1\n2\n", None)
    assert b"".join(client.stream("raw/a.jsonl", start=2, etag=etag)) == b"2\n"
    client.replace("raw/a.jsonl", b"3\n4\n5\n", etag)
    with pytest.raises(ChangedError, match="was changed by somebody else"):
        list(client.stream("raw/a.jsonl", start=2, etag=etag))
    with pytest.raises(FileNotFoundError):
        list(client.stream("raw/b.jsonl", etag=etag))


def test_lost_answers_of_creations(faulty: Client, client: Client, proxy: FaultProxy, pauses: list[float]) -> None:
    """An object whose PUT is lost, or its answer, or sent twice, or met another, is there in the end, once."""
    proxy.plan("PUT", KEY, "lose answer")
    put(faulty)
    assert stored(client) == b"content"
    sequences: list[list[Fault]] = [["lose request", "503", "lose answer"], ["duplicate"], ["409", "409"]]
    for number, faults in enumerate(sequences):
        proxy.plan("PUT", f"k{number}", *faults)
        put(faulty, b"x", f"k{number}")
        assert stored(client, f"k{number}") == b"x"
    assert proxy.is_used_up()
    assert pauses == [0.2, *(0.2, 0.4, 0.8), *(0.2, 0.4)]


def test_a_store_that_stays_away(faulty: Client, client: Client, proxy: FaultProxy, pauses: list[float]) -> None:
    """After some tries an error says where the store should be; nothing was written."""
    faults: list[Fault] = ["503"]
    proxy.plan("PUT", KEY, *faults * TRIES)
    with pytest.raises(UnavailableError, match=r"answers .*check USAGE_S3_ENDPOINT"):
        put(faulty)
    assert len(pauses) == TRIES - 1
    assert stored(client) is None


def test_another_object_of_the_same_name(client: Client) -> None:
    """An object that is there already, but not the same, is refused."""
    put(client)
    put(client)
    with pytest.raises(LayoutError, match="is damaged: its bytes are not those that were written"):
        put(client, b"other")
    with pytest.raises(LayoutError, match="is damaged: it does not exist"):
        client.read("absent", StoredFile.of("", b""))


@pytest.mark.parametrize("fault", ["lose request", "lose answer", "503", "409"])
def test_replacements_are_never_repeated(faulty: Client, proxy: FaultProxy, fault: Fault) -> None:
    """The library sends a conditional PUT once: a second answer would hide that the first was carried out."""
    etag = faulty.replace("root", b"1", None)
    proxy.plan("PUT", "root", fault)
    with pytest.raises(UnavailableError):
        faulty.replace("root", b"2", etag)
    assert [method for method, path in proxy.seen if path.endswith("root")] == ["PUT", "PUT"]


def test_reads_and_deletes_are_repeated(faulty: Client, client: Client, proxy: FaultProxy) -> None:
    """What changes nothing, or what may happen twice, survives lost requests, lost answers and half an answer."""
    put(client)
    faults: list[Fault] = ["lose request", "lose answer", "503"]
    for fault in faults:
        proxy.plan("GET", KEY, fault)
        proxy.plan("HEAD", KEY, fault)
        assert stored(faulty) == b"content"
        assert faulty.head(KEY) is not None
    proxy.plan("POST", "delete", "lose answer", "503")
    faulty.delete([KEY])
    assert proxy.is_used_up()
    assert stored(client) is None


def test_what_errors_say(client: Client, location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors tell a person what to do, in one line, and never show a key."""
    put(client)
    errors: list[ObjectStoreError] = []

    def fails(kind: type[ObjectStoreError], where: Location, words: str) -> None:
        with pytest.raises(kind, match=words) as caught:
            put(Client(where, pause=lambda _: None), b"x", "k")
        errors.append(caught.value)

    fails(UnavailableError, Location("usage-tests", "a", "http://127.0.0.1:1"), "cannot be reached, or does not answer")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    fails(AccessError, location, "AWS_SECRET_ACCESS_KEY is not that of the access key")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    fails(AccessError, location, "AWS_ACCESS_KEY_ID is unknown there")
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), READER_KEYS, strict=True):
        monkeypatch.setenv(name, value)
    fails(AccessError, location, "access to s3://usage-tests/.*/k is denied")
    reader = Client(location)
    assert stored(reader) == b"content"
    with pytest.raises(AccessError) as caught:
        reader.delete([KEY])
    errors.append(caught.value)
    with pytest.raises(NoBucketError, match="there is no bucket absent: create it") as missing:
        Client(Location("absent", "", location.endpoint)).get("k")
    errors.append(missing.value)
    for error in errors:
        text = str(error)
        assert "\n" not in text
        assert not {"wrong-secret", "nobody", *READER_KEYS}.intersection(text.replace(",", " ").split())
        assert str(pickle.loads(pickle.dumps(error))) == text


@pytest.mark.parametrize("key", ["a//b", "a/../b", "a\udcff"])
def test_impossible_names(client: Client, key: str) -> None:
    """Names that obstore cannot send are refused, not changed into others."""
    with pytest.raises(ObjectStoreError, match="not a name that an object can have"):
        put(client, b"", key)


def test_credentials_are_left_behind(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is sent to another process carries no key; the process has its own."""
    put(client)
    pickled = pickle.dumps(client)
    assert b"secret-of" not in pickled
    copy = pickle.loads(pickled)
    assert stored(copy) == b"content"
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("nobody", "x"), strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(AccessError):
        pickle.loads(pickled).get(KEY)


def test_checksums_are_compared(client: Client) -> None:
    """An object whose bytes changed in the store is refused."""
    put(client)
    with pytest.raises(LayoutError, match="its bytes are not those that were written"):
        client.read(KEY, StoredFile("r-1.parquet", 7, zlib.crc32(b"Content")))
