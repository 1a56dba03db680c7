"""The running service agrees with its OpenAPI document, whatever requests a generator derives from it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.issuer import claims, jwks, rsa_key, sign
from tests.support.process import running

DOCUMENT = "/schema/openapi.json"
ZONES = ["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"]


@pytest.fixture
def published(folder: Any, event: Any) -> Any:
    """Return a folder with figures of every kind."""
    folder.account(folder.user, quota=1_000)
    folder.publish(
        [
            event(
                folder.now - 7 * 3_600_000_000 * number,
                id=str(number),
                user_id=folder.user if number % 3 else None,
                metadata='{"a": 1}' if number % 2 else None,
                credits=number,
                languages=[{"locale": "de-de", "characters": 50, "lines": 3}, {"characters": 5}],
            )
            for number in range(60)
        ]
    )
    return folder


def test_every_route_with_a_key(published: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Valid, invalid and missing parameters, credentials and methods get the documented answers on every route."""
    token, folder = published.key(rate_limit_per_min=1_000_000), tmp_path_factory.mktemp("generator")
    with running(published.root) as url:
        document = httpx.get(url + DOCUMENT, trust_env=False).json()
        _narrow(document, published)
        (folder / "openapi.json").write_text(json.dumps(document))
        _finds_nothing(folder, token, str(folder / "openapi.json"), "--url", url)


def test_the_api_with_a_session(published: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Session tokens, and texts that are not zones, cursors or known ids, get the documented answers too."""
    key, folder = rsa_key("one"), tmp_path_factory.mktemp("generator")
    (folder / "jwks.json").write_bytes(jwks(one=key))
    with running(published.root, USAGE_JWKS=str(folder / "jwks.json")) as url:
        options = ("--include-path-regex", "^/api/", "--phases", "fuzzing")
        unsaid = ("--exclude-checks", "positive_data_acceptance")
        _finds_nothing(folder, sign(key, "one", claims()), url + DOCUMENT, *options, *unsaid)


def _narrow(document: Any, folder: Any) -> None:
    """Narrow a document to values that exist, because most requests would otherwise be refused for one of them."""
    existing = {"timezone": ZONES, "user_id": [folder.user], "X-Workspace-Id": [folder.workspace]}
    for item in document["paths"].values():
        parameters = item["get"].get("parameters", [])
        parameters[:] = [parameter for parameter in parameters if parameter["name"] != "cursor"]
        for parameter in parameters:
            if parameter["name"] in existing:
                parameter["schema"]["enum"] = existing[parameter["name"]]


def _finds_nothing(folder: Path, token: str, *arguments: str) -> None:
    """Check that every answer passes all checks of the generator, which makes the same requests every time."""
    # In its own process: in this one, its plug-in would apply to every test.
    command = [sys.executable, "-m", "schemathesis.cli", "run", *arguments, "-H", f"Authorization: Bearer {token}"]
    options = ["--generation-deterministic", "--max-examples", "10", "--continue-on-failure", "--no-color"]
    found = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Tested: " in found.stdout
