"""Fixtures of the browser tests: a browser for each module, and a service on hostile logs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from pipeline.contract.formats import instant
from tests.hostile import deliver
from tests.support.browsing import Ground, Hostile, chromium
from tests.support.data_folder import DataFolder
from tests.support.extreme import MOST, extreme_events
from tests.support.process import running
from tests.support.service_folder import ServiceFolder

NOW = "2026-11-01T14:31:00Z"  # today has 25 hours in New York, and the clocks of Cairo went back three days ago


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a browser."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def _hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    root = tmp_path_factory.mktemp("hostile") / "data"
    folder, delivery = DataFolder(root), deliver(2, instant(NOW), events=300)
    for name in ("members", "accounts", "api_keys"):
        folder.export(**{name: getattr(delivery.directory, name)})
    for name, content in delivery.files:
        folder.drop(name, content)
    folder.run(instant(NOW))
    (workspace, _), key = next(iter(delivery.tokens.items()))
    return root, key, workspace


@pytest.fixture(scope="session")
def hostile(_hostile_folder: tuple[Path, str, str]) -> Iterator[Hostile]:
    """Yield a service on hostile logs."""
    root, key, workspace = _hostile_folder
    with running(root, now=NOW) as url:
        yield Hostile(url, key, workspace)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Yield a service on extreme events."""
    folder = ServiceFolder(tmp_path_factory.mktemp("states"))
    folder.account(folder.user, quota=MOST)
    folder.publish(extreme_events())
    with running(folder.root) as url:
        yield Ground(folder, url)
