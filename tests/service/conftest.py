"""Fixtures of the service's tests: a data folder with hand-made tables, and requests to the application."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.service_folder import Reply, ServiceFolder, call, make_event


@pytest.fixture
def folder(tmp_path: Path) -> ServiceFolder:
    """Return a data folder with one member, one key and nothing published."""
    return ServiceFolder(tmp_path)


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    """Return the function that makes an event."""
    return make_event


@pytest.fixture
def send() -> Callable[..., Reply]:
    """Return the function that sends a raw request."""
    return call
