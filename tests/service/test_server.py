"""The service as a real process, queried by the unmodified published client."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import onepin
import pytest
from onepin.errors import UnprocessableEntityError

from tests.support.forked_command import command
from tests.support.process import BIN, USAGE, running, start, stop
from tests.support.service_folder import ServiceFolder, make_event


def _fill(folder: Any, event: Any) -> None:
    folder.account(folder.user, quota=100)
    folder.publish(
        [
            event(
                "2026-11-24T11:00:00Z", id="2", credits=7, languages=[{"locale": "en-us", "characters": 9, "lines": 2}]
            ),
            event(
                "2026-11-23T11:00:00Z",
                id="1",
                action="workflow_run",
                run_id="r",
                run_status="completed",
                audio_ms=5,
                metadata='{"k": 1}',
            ),
        ]
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ServiceFolder:
    """Return a small folder, which no test changes."""
    folder = ServiceFolder(tmp_path_factory.mktemp("small"))
    _fill(folder, make_event)
    return folder


@pytest.fixture(scope="module")
def served(small: ServiceFolder) -> Iterator[str]:
    """Return the URL of a service over the small folder, run by the installed command."""
    process, url = start(small.root, command=USAGE)
    yield url
    stop(process)


def _check(summary: Any, languages: Any, activity: Any, whoami: Any) -> None:
    assert summary.data.credits.used == 7
    assert summary.data.credits.percent == 7.0
    assert summary.data.lines.avg_chars_per_line == 4.5
    assert summary.data.runs.completed == 1
    assert summary.data.audio.total_ms == 5
    assert len(summary.data.daily) == 30
    assert languages.data.languages[0].display_name == "English (United States)"
    assert [row.id for row in activity.data] == ["2"]
    assert activity.pagination.next
    assert whoami.data.auth_kind == "api_key"


def test_sync_client(small: ServiceFolder, served: str) -> None:
    """The synchronous client reads all four endpoints and follows cursors."""
    with httpx.Client(timeout=30) as connection:
        client = onepin.OnePinClient(base_url=served, token=small.token, httpx_client=connection)
        usage = client.usage
        page = usage.usage_activity(limit=1)
        _check(usage.usage_summary(), usage.usage_by_language(), page, client.auth.whoami())
        older = usage.usage_activity(limit=1, cursor=page.pagination.next, workspace_id=small.workspace)
        assert [(row.id, row.metadata) for row in older.data] == [("1", {"k": 1})]
        assert older.pagination.next is None
        assert older.pagination.prev
        with pytest.raises(UnprocessableEntityError) as refused:
            usage.usage_summary(range="1d", timezone="Nowhere")
    assert [detail["field"] for detail in refused.value.body["error"]["details"]] == ["range", "timezone"]


def test_async_client(small: ServiceFolder, served: str) -> None:
    """The asynchronous client reads all four endpoints."""

    async def read() -> None:
        async with httpx.AsyncClient(timeout=30) as connection:
            client = onepin.AsyncOnePinClient(base_url=served, token=small.token, httpx_client=connection)
            usage = client.usage
            answers = await asyncio.gather(
                usage.usage_summary(activity_view="monthly"),
                usage.usage_by_language(activity_view="weekly"),
                usage.usage_activity(limit=1),
                client.auth.whoami(),
            )
        _check(*answers)

    asyncio.run(read())


def test_command_line_client(small: ServiceFolder, served: str, tmp_path: Path) -> None:
    """`onepin login`, `whoami` and the three usage commands work; of a refusal it shows which parameter is wrong."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "ONEPIN_NO_UPDATE_CHECK": "1", "CI": "1"}

    def run(*words: str, code: int = 0) -> str:
        done = subprocess.run(
            [BIN / "onepin", *words], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout

    assert small.workspace in run("login", "--key", small.token, "--base-url", served)
    assert "api_key" in run("whoami")
    for name in ("summary", "by-language", "activity"):
        assert run("usage", name)
    assert json.loads(run("--json", "usage", "activity", "--limit", "1"))
    refused = run("usage", "activity", "--limit", "1000", "--timezone", "Nowhere", code=1)
    assert "limit: must be a whole number from 1 to 100; timezone: must be an IANA time zone name" in refused


def test_compressed(small: ServiceFolder, served: str) -> None:
    """The published client asks for gzip and gets it; curl gets the same bytes, also as CSV."""
    codings: list[str | None] = []
    hooks = {"response": [lambda reply: codings.append(reply.headers.get("content-encoding"))]}
    with httpx.Client(timeout=30, event_hooks=hooks) as connection:
        client = onepin.OnePinClient(base_url=served, token=small.token, httpx_client=connection)
        for _ in range(2):
            assert client.usage.usage_summary().data.credits.used == 7
        assert codings == ["gzip", "gzip"]
        headers = {"Authorization": f"Bearer {small.token}", "Accept": "text/csv", "Accept-Encoding": "gzip"}
        reply = connection.get(f"{served}/api/v1/usage/summary?range=90d", headers=headers)
    assert codings[-1] == "gzip"
    curl = shutil.which("curl")
    if curl is not None:
        words = [curl, "--silent", "--fail", "--compressed", "--header", "Accept: text/csv"]
        words += ["--header", f"Authorization: {headers['Authorization']}", str(reply.url)]
        assert subprocess.run(words, capture_output=True, check=True).stdout == reply.content


def test_two_workers_and_graceful_stop(folder: Any, event: Any) -> None:
    """Several workers give the same answers and end with exit code 0 at SIGTERM; no log line holds the key."""
    _fill(folder, event)
    process, url = start(folder.root, "--workers", "2")
    headers = {"Authorization": f"Bearer {folder.token}"}
    tags = {httpx.get(f"{url}/api/v1/usage/summary", headers=headers).headers["etag"] for _ in range(8)}
    assert len(tags) == 1
    head = httpx.head(f"{url}/api/v1/usage/summary", headers=headers)
    assert (head.status_code, head.content) == (200, b"")
    assert httpx.get(f"{url}/health/ready").status_code == 200
    log = stop(process)
    assert process.returncode == 0
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert sum(line["route"] == "/api/v1/usage/summary" for line in lines) == 9
    assert folder.token not in log


def test_taken_port(small: ServiceFolder, served: str, tmp_path: Path) -> None:
    """A port that another process listens on is refused with a message, not silently shared."""
    port = served.rsplit(":", 1)[1]
    ended = command(tmp_path, ["serve", "--port", port, "--data-dir", str(small.root)])
    assert ended.code == 1
    assert ended.stderr.startswith(b"error: cannot listen on 127.0.0.1:")


@pytest.mark.parametrize(
    ("options", "settings", "names"),
    [
        (("--port", "65536"), {}, "--port"),
        (("--port", "-1"), {}, "--port"),
        (("--workers", "-1"), {}, "--workers"),
        (("--workers", "0"), {}, "--workers"),
        (("--workers", "99999999"), {}, "--workers"),
        (("--workers", "1.5"), {}, "--workers"),
        ((), {"USAGE_PORT": "99999"}, "USAGE_PORT"),
        ((), {"USAGE_PORT": "-1"}, "USAGE_PORT"),
        ((), {"USAGE_PORT": "infinity"}, "USAGE_PORT"),
        ((), {"USAGE_WORKERS": "-1"}, "USAGE_WORKERS"),
    ],
)
def test_numbers_out_of_range(folder: Any, options: tuple[str, ...], settings: dict[str, str], names: str) -> None:
    """A number out of its range ends the command with exit code 2 and a message that names it, wherever it is set."""
    ended = command(folder.root, ["serve", "--data-dir", str(folder.root), *options], settings=settings)
    assert ended.code == 2
    assert names in ended.stderr.decode()


@pytest.mark.parametrize("host", ["localhost", "::1"])
def test_hosts(folder: Any, host: str) -> None:
    """A name and an IPv6 address are addresses to listen on, and the URL that is shown leads there."""
    folder.publish()
    with running(folder.root, "--host", host) as url:
        assert host in url
        assert httpx.get(f"{url}/health/ready").status_code == 200


def test_an_unknown_host(folder: Any) -> None:
    """A host that is no address of this machine ends the command with one line."""
    options = ["--port", "0", "--host", "203.0.113.1"]
    ended = command(folder.root, ["serve", "--data-dir", str(folder.root), *options])
    assert (ended.code, ended.stderr.count(b"\n")) == (1, 1)
    assert ended.stderr.startswith(b"error: cannot listen on 203.0.113.1:0: ")


def test_broken_directory_at_the_start(folder: Any) -> None:
    """A directory file that is broken at start is named, with its line."""
    (folder.root / "directory" / "members.jsonl").write_text("oops\n")
    ended = command(folder.root, ["serve", "--port", "0", "--data-dir", str(folder.root)])
    assert ended.code == 1
    assert b"members.jsonl, line 1" in ended.stderr


def test_other_commands_do_not_load_the_server() -> None:
    """`usage --help` imports neither Litestar nor granian."""
    code = "import sys, service.commands; sys.exit(bool({'litestar', 'granian', 'babel'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
