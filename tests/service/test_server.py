"""The service as a real process, asked by the published client, unmodified."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import onepin
import pytest
from onepin.errors import UnprocessableEntityError

BIN = Path(sys.executable).parent


def _start(data_dir: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """Start `usage serve` and return it with its URL once it says that it listens."""
    process = subprocess.Popen(
        [BIN / "usage", "serve", "--port", "0", "--data-dir", data_dir, "--now", "2026-11-24T12:00:00Z", *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        match = re.match(r"listening on (http://\S+)", line)
        if match:
            return process, match[1]
    raise AssertionError("".join(seen))


def _stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=60)
    return rest


def _fill(house: Any, event: Any) -> None:
    house.account(house.user, quota=100)
    house.publish(
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


@pytest.fixture
def served(house: Any, event: Any) -> Iterator[str]:
    """Return the URL of a running service over a small folder."""
    _fill(house, event)
    process, url = _start(house.root)
    yield url
    _stop(process)


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


def test_sync_client(house: Any, served: str) -> None:
    """The synchronous client reads all four endpoints and follows cursors."""
    with httpx.Client(timeout=30) as connection:
        client = onepin.OnePinClient(base_url=served, token=house.token, httpx_client=connection)
        usage = client.usage
        page = usage.usage_activity(limit=1)
        _check(usage.usage_summary(), usage.usage_by_language(), page, client.auth.whoami())
        older = usage.usage_activity(limit=1, cursor=page.pagination.next, workspace_id=house.workspace)
        assert [(row.id, row.metadata) for row in older.data] == [("1", {"k": 1})]
        assert older.pagination.next is None
        assert older.pagination.prev
        with pytest.raises(UnprocessableEntityError) as refused:
            usage.usage_summary(range="1d", timezone="Nowhere")
    assert [detail["field"] for detail in refused.value.body["error"]["details"]] == ["range", "timezone"]


def test_async_client(house: Any, served: str) -> None:
    """The asynchronous client reads all four endpoints."""

    async def read() -> None:
        async with httpx.AsyncClient(timeout=30) as connection:
            client = onepin.AsyncOnePinClient(base_url=served, token=house.token, httpx_client=connection)
            usage = client.usage
            answers = await asyncio.gather(
                usage.usage_summary(activity_view="monthly"),
                usage.usage_by_language(activity_view="weekly"),
                usage.usage_activity(limit=1),
                client.auth.whoami(),
            )
        _check(*answers)

    asyncio.run(read())


def test_command_line_client(house: Any, served: str, tmp_path: Path) -> None:
    """`onepin login`, `whoami` and the three usage commands work."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "ONEPIN_NO_UPDATE_CHECK": "1", "CI": "1"}

    def run(*words: str) -> str:
        done = subprocess.run(
            [BIN / "onepin", *words], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert house.workspace in run("login", "--key", house.token, "--base-url", served)
    assert "api_key" in run("whoami")
    for command in ("summary", "by-language", "activity"):
        assert run("usage", command)
    assert json.loads(run("--json", "usage", "activity", "--limit", "1"))


def test_two_workers_and_graceful_stop(house: Any, event: Any) -> None:
    """Several workers give the same answers; SIGTERM ends them with success, and no log line holds the key."""
    _fill(house, event)
    process, url = _start(house.root, "--workers", "2")
    headers = {"Authorization": f"Bearer {house.token}"}
    tags = {httpx.get(f"{url}/api/v1/usage/summary", headers=headers).headers["etag"] for _ in range(8)}
    assert len(tags) == 1
    head = httpx.head(f"{url}/api/v1/usage/summary", headers=headers)
    assert (head.status_code, head.content) == (200, b"")
    assert httpx.get(f"{url}/health/ready").status_code == 200
    log = _stop(process)
    assert process.returncode == 0
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert sum(line["route"] == "/api/v1/usage/summary" for line in lines) == 9
    assert house.token not in log


def test_taken_port(house: Any, served: str) -> None:
    """A port that somebody else listens on is refused with a sentence, not shared in silence."""
    port = served.rsplit(":", 1)[1]
    done = subprocess.run(
        [BIN / "usage", "serve", "--port", port, "--data-dir", house.root],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot listen on 127.0.0.1:")


def test_broken_directory_at_the_start(house: Any) -> None:
    """A directory file that is broken when the service starts is named with its line."""
    (house.root / "directory" / "members.jsonl").write_text("oops\n")
    done = subprocess.run(
        [BIN / "usage", "serve", "--port", "0", "--data-dir", house.root],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "members.jsonl, line 1" in done.stderr


def test_other_commands_do_not_load_the_server() -> None:
    """`usage --help` imports neither Litestar nor granian."""
    code = "import sys, service.commands; sys.exit(bool({'litestar', 'granian', 'babel'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
