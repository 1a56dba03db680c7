"""The first hours: each page, carried out from an empty folder, prints what it says."""

from pathlib import Path

import pytest

from tests.support.project import ROOT
from tests.support.walkthrough import carry_out, missing, steps

PAGES = sorted((ROOT / "docs").glob("first-hour-*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_first_hour(page: Path, tmp_path: Path) -> None:
    """Each command of a first hour prints what the page says it prints."""
    found = steps(page.read_text("utf-8"))
    assert sum(bool(step.printed) for step in found) >= 5
    for step, output in zip(found, carry_out(found, tmp_path), strict=True):
        assert not missing(step, output), f"{step.text}\n{output}"
