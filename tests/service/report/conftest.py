"""Fixtures of the report's tests: a workspace with events at the edges of days and months."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.formats import instant
from tests.support.service_folder import ServiceFolder, make_event

NOW = "2026-11-30T12:10:00Z"  # of a month as long as the shortest range


@pytest.fixture(scope="session")
def _published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose workspace used something in many quarter-hours of five months."""
    folder = ServiceFolder(tmp_path_factory.mktemp("report"))
    folder.now = instant(NOW)
    moments = [instant("2026-07-01T00:00:00Z") + number * 17 * 3_600_000_000 + number for number in range(216)]
    folder.publish(
        [
            make_event(
                moment,
                action="workflow_run" if number % 3 else "voice_generated",
                run_id=f"r{number}" if number % 3 else None,
                run_status=("running", "completed", "failed")[number % 5 % 3] if number % 3 else None,
                credits=1 + number * number % 1009,
                audio_ms=number * 1000 + number % 2,
                languages=_languages(number),
            )
            for number, moment in enumerate(moments)
        ],
        data_as_of=folder.now,
    )
    return folder.root


def _languages(number: int) -> list[dict[str, Any]]:
    tags = ("ne-np", "en-us", None, "zh-hant-tw", "x-unknown")
    return [
        {"locale": tags[(number + k) % len(tags)], "characters": 100 + number * k, "lines": number % 7, "corrected": k}
        for k in range(number % 3)
    ]


@pytest.fixture
def site(_published: Path, tmp_path: Path) -> ServiceFolder:
    """Return a copy of that folder."""
    shutil.copytree(_published, tmp_path / "site")
    folder = ServiceFolder(tmp_path / "site")
    folder.now, folder.runs = instant(NOW), 1
    return folder
