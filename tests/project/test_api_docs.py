"""docs/api.md and docs/operation.md against the service: examples are real answers, and all names exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from service.api.routes import ENDPOINTS
from service.auth.authentication import WORKSPACE_HEADER
from service.errors import ApiError
from service.http.openapi import document
from tests.support.project import ROOT
from tests.support.service_folder import ServiceFolder, call, make_event

DOCS: Final = ROOT / "docs"
API: Final = (DOCS / "api.md").read_text("utf-8")
OPERATION: Final = (DOCS / "operation.md").read_text("utf-8")

# Each command with its answer.
EXAMPLES: Final = re.findall(r"```console\n(curl [^`]+)```\n\n```(?:json|csv)\n([^`]+)```", API)
REQUEST_HEADERS: Final = {"Authorization", WORKSPACE_HEADER, "Accept", "Accept-Encoding", "If-None-Match"}


@pytest.fixture
def folder(tmp_path: Path) -> ServiceFolder:
    """Return a data folder with the events that the examples show."""
    folder = ServiceFolder(tmp_path)
    folder.account(folder.user, quota=10_000)
    folder.publish(
        [
            make_event(
                "2026-11-23T08:15:00Z",
                id="evt_1",
                action="workflow_run",
                kind="workflow_execution",
                resource_type="workflow",
                resource_id="wf_1",
                resource_name="Weekly news",
                metadata='{"takes":2}',
                ip="203.0.113.7",
                run_id="run_1",
                run_status="completed",
                credits=120,
                audio_ms=64_000,
                languages=[{"locale": "ne-np", "characters": 800, "lines": 12, "corrected": 3}],
            ),
            make_event(
                "2026-11-24T09:30:00Z",
                credits=30,
                languages=[{"locale": "en-us", "characters": 200, "lines": 4}],
            ),
            make_event("2026-11-24T09:45:00Z", credits=10, user_id=None, user_name=None),
        ]
    )
    return folder


def _agrees(shown: Any, real: Any) -> bool:
    """Return whether an answer is as shown; `…` matches anything, and at the end of a list the rest."""
    if shown == "…":
        return True
    if isinstance(shown, dict):
        return list(shown) == list(real) and all(_agrees(shown[key], real[key]) for key in shown)
    if isinstance(shown, list):
        if shown[-1:] == ["…"]:
            shown, real = shown[:-1], real[: len(shown) - 1]
        return len(shown) == len(real) and all(map(_agrees, shown, real))
    return bool(shown == real)


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_example(folder: ServiceFolder, command: str, shown: str) -> None:
    """An example's command gets the answer below it."""
    url = re.search(r'"http://127\.0\.0\.1:8080(/[^?"]+)\??([^"]*)"', command)
    assert url
    headers = {name.lower(): value for name, value in re.findall(r'-H "([^:]+): ([^"]+)"', command)}
    assert headers.pop("authorization") == "Bearer op_live_…"
    reply = folder.ask(url[1], url[2], **headers)
    if "accept" in headers:
        assert reply.body.decode("utf-8-sig").replace("\r\n", "\n") == shown
    else:
        assert _agrees(json.loads(shown), reply.json()), reply.body


def test_every_endpoint_has_an_example() -> None:
    """The examples show the three usage endpoints, an error and a CSV table."""
    assert len(EXAMPLES) == 6
    assert all(any(endpoint.path in command for command, _ in EXAMPLES) for endpoint in ENDPOINTS[:3])


def test_headers() -> None:
    """The page names every header of an answer, and no header that does not exist."""
    alone = "ETag|RateLimit|Vary|Link|Allow|Accept|Authorization"
    named = set(re.findall(rf"`((?:[A-Z][A-Za-z]*-)+[A-Z][A-Za-z]*|{alone})[`:]", API))
    assert {name.lower() for name in named} == {name.lower() for name in {*_headers(document()), *REQUEST_HEADERS}}


def _headers(node: Any) -> Iterator[str]:
    """Yield the names of the headers in a part of the OpenAPI document."""
    if isinstance(node, dict):
        yield from node.get("headers", ())
        for part in node.values():
            yield from _headers(part)


def test_parameters() -> None:
    """The table lists every parameter."""
    rows = set(re.findall(r"(?m)^\| `([a-z_]+)` \|", API))
    assert rows == {rule.name for endpoint in ENDPOINTS for rule in endpoint.parameters.rules}


def _errors(kind: type[ApiError]) -> list[type[ApiError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in _errors(below))]


def test_errors() -> None:
    """The table lists every code with its status."""
    rows = set(re.findall(r"(?m)^\| (\d+) \| `(\w+)` \|", API))
    assert rows == {(str(error.status), error.code) for error in _errors(ApiError) if hasattr(error, "code")}


def test_metrics(folder: ServiceFolder) -> None:
    """The operator's table lists every metric of the service."""
    app = folder.app()
    folder.ask("/api/v1/usage/summary", app=app)
    real = set(re.findall(r"(?m)^# HELP (\w+)", call(app, "/metrics").body.decode()))
    section = OPERATION.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    listed = {name for row in re.findall(r"(?m)^\| (`usage_.+?) \|", section) for name in re.findall(r"`(\w+)", row)}
    assert listed == real
