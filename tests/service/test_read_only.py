"""The service only reads: it works on a data folder that is mounted read-only."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.process import running
from tests.support.service_folder import ServiceFolder

PATHS = [f"/api/v1/{path}" for path in ("usage/summary", "usage/by-language", "usage/activity", "auth/whoami")]


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """Yield the mount point of an empty file system."""
    folder = tmp_path / "data"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_read_only_data_folder(mounted: Path, event: Any) -> None:
    """With a read-only data folder, two workers answer every route and share their counters."""
    folder = ServiceFolder(mounted)
    token = folder.key(rate_limit_per_min=1_000)
    folder.publish([event(folder.now - number, id=str(number), credits=1) for number in range(200)])
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    with pytest.raises(OSError, match="Read-only"):
        (mounted / "anything").touch()
    with running(mounted, "--workers", "2") as url:
        for path in PATHS * 5:  # a connection for each request, so that both workers get some
            reply = httpx.get(url + path, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
            assert reply.status_code == 200, reply.text
        assert httpx.get(url + "/health/ready", trust_env=False).status_code == 200
        metrics = httpx.get(url + "/metrics", trust_env=False).text
    for path in PATHS:
        assert f'usage_requests_total{{method="GET",route="{path}",status="200"}} 5.0' in metrics
