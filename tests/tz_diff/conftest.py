"""Fixture of the tests of `usage tz-diff`: a release of the zone data without changes."""

from pathlib import Path

import pytest

from tests.support.tz_diff import ZONES, write_release


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a small release whose zones have their real files."""
    return write_release(tmp_path / "old", "2026.6", {name: name for name in ZONES})
