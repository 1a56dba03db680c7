"""`usage serve` on a real object store with read-only credentials, while commits go on and the store goes away."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.fault_proxy import fault_proxy
from tests.support.missing import skip
from tests.support.object_servers import BUCKET, ENVIRONMENT, READER_KEYS, seaweedfs
from tests.support.process import running

SUMMARY = "/api/v1/usage/summary"
PATIENCE = 60  # seconds, many times what anything takes


def test_service(tmp_path: Path, folder: Any, event: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers follow the commits and never go back; they go on without the store, and follow it once it is back."""
    if find_spec("obstore") is None:
        skip("obstore is not installed")
    support, objects = import_module("tests.support.object_tables"), import_module("pipeline.contract.object_client")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "store").mkdir()
    with ExitStack() as stack:
        store = stack.enter_context(ExitStack())
        endpoint = store.enter_context(seaweedfs(tmp_path / "store"))
        proxy = stack.enter_context(fault_proxy(endpoint))

        def put(key: str, content: bytes) -> None:
            client = objects.Client(support.Location(BUCKET, "usage", endpoint))
            client._api.put(client._large, key, content)  # noqa: SLF001 - in place of any other

        tables = support.ObjectTables(folder.root, put)

        def publish(number: int) -> None:
            folder.publish([event(folder.now, credits=number)])
            tables.upload()

        publish(1)
        tables.upload_directory()
        settings = {
            "AWS_ACCESS_KEY_ID": READER_KEYS[0],
            "AWS_SECRET_ACCESS_KEY": READER_KEYS[1],
            "USAGE_S3_ENDPOINT": proxy.endpoint,
            "USAGE_CACHE_DIR": str(tmp_path / "cache"),
        }
        data: Any = f"s3://{BUCKET}/usage"
        url = stack.enter_context(running(data, "--workers", "2", **settings))

        def ask(path: str = SUMMARY) -> Any:
            reply = httpx.get(url + path, headers={"Authorization": f"Bearer {folder.token}"}, trust_env=False)
            assert reply.status_code == 200, reply.text
            return reply.json()

        seen = [1]

        def follow(number: int) -> None:
            until = time.monotonic() + PATIENCE
            while seen[-1] != number:
                assert time.monotonic() < until
                seen.append(sum(day["credits"] for day in ask()["data"]["daily"]))

        assert sum(day["credits"] for day in ask()["data"]["daily"]) == 1
        for number in (2, 3):
            publish(number)
            follow(number)
        store.close()
        assert {sum(day["credits"] for day in ask()["data"]["daily"]) for _ in range(8)} == {3}
        assert ask("/health/ready")["status"] == "ready"
        endpoint = store.enter_context(seaweedfs(tmp_path / "store"))
        proxy._backend = urlsplit(endpoint).netloc  # noqa: SLF001 - the store has other ports now
        publish(4)
        follow(4)
        seen += [sum(day["credits"] for day in ask()["data"]["daily"]) for _ in range(8)]
        assert seen == sorted(seen)
        assert {method for method, _ in proxy.seen} == {"GET"}
        assert not [path for _, path in proxy.seen if "list-type" in path]
    (left,) = (tmp_path / "cache").glob("usage-cache-*")
    assert [path.name for path in left.iterdir()] == ["objects"]
    assert left.stat().st_mode & 0o777 == 0o700
