"""Raw logs in a place of their own, with credentials that can only read it."""

import json
import pickle

import pytest

from pipeline.contract.formats import instant
from pipeline.contract.location import Location
from pipeline.contract.object_client import Client
from pipeline.contract.object_errors import AccessError
from pipeline.contract.settings import SettingError, Settings
from pipeline.load.raw_source import open_raw
from pipeline.run import run
from pipeline.storage.objects.snapshot import Snapshot
from tests.support.data_folder import record
from tests.support.object_commands import put
from tests.support.object_servers import KEYS, READER_KEYS

ID, SECRET = "USAGE_RAW_ACCESS_KEY_ID", "USAGE_RAW_SECRET_ACCESS_KEY"


def test_credentials_of_their_own(client: Client, location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw logs are read with their own credentials, everything else with those of AWS; no setting shows them."""
    raw = Client(location / "logs")
    put(raw, "a.jsonl", json.dumps(record()).encode() + b"\n")
    for name, value in zip((ID, SECRET), READER_KEYS, strict=True):
        monkeypatch.setenv(name, value)
    environ = {"USAGE_RAW": raw.location.url, "USAGE_S3_ENDPOINT": location.endpoint, ID: "x", SECRET: "y"}
    settings = Settings.read(environ, data_dir=location.url)
    assert isinstance(settings.raw, Location)
    assert READER_KEYS[1] not in str(settings) + str(settings.shown())
    theirs = pickle.loads(pickle.dumps(Client(settings.raw)))
    assert [found.key for found in theirs.list()] == ["a.jsonl"]
    with pytest.raises(AccessError):
        theirs.replace("b.jsonl", b"", None)
    assert run(settings, instant("2026-11-24T12:00:00Z")).accepted == 1
    assert set(Snapshot.read(client).raw_objects()) == {"a.jsonl"}
    monkeypatch.setenv(SECRET, KEYS[1])
    with pytest.raises(AccessError, match="USAGE_RAW_SECRET_ACCESS_KEY is not that of the access key"):
        Client(settings.raw).get("a.jsonl")
    monkeypatch.delenv(SECRET)
    with pytest.raises(AccessError, match=f"{ID} and {SECRET} are not set on this machine, and {raw.location.url}"):
        Client(settings.raw).get("a.jsonl")
    with pytest.raises(SettingError, match="go together: set both, or neither"):
        Settings.read({ID: "x"}, data_dir=location.url)


def test_another_store(location: Location) -> None:
    """Raw logs may lie on another store, and those of a data folder, too."""
    raw = Client(location / "logs")
    put(raw, "a.jsonl", json.dumps(record()).encode() + b"\n")
    environ = {
        "USAGE_RAW": raw.location.url,
        "USAGE_RAW_S3_ENDPOINT": location.endpoint,
        "USAGE_S3_ENDPOINT": "http://127.0.0.1:1",
    }
    settings = Settings.read(environ, data_dir="data")
    assert open_raw(settings).listed().names() == {"a.jsonl"}
