"""docs/notebook.py runs from end to end, and its plots show what the tables hold."""

import runpy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.analysis import database
from pipeline.contract.calendar import microseconds
from tests.conftest import House, record

NOTEBOOK = Path(__file__).parents[2] / "docs/notebook.py"


def test_notebook(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs; the days' and the languages' credits are those of the cube."""
    house.now = microseconds(datetime.now(UTC))
    usage = {"credits": 7, "languages": [{"locale": "de", "characters": 2}, {"locale": None, "characters": 1}]}
    for days in range(5):
        moment = datetime.now(UTC) - timedelta(days=days, minutes=5)
        house.drop(f"{days}.jsonl", [record(f"e{days}", timestamp=moment.isoformat(), usage=usage)])
    house.run()
    database.refresh(house.root)
    monkeypatch.setenv("USAGE_DATA_DIR", str(house.root))
    _, shown = runpy.run_path(str(NOTEBOOK))["app"].run()
    credits_ = house.cube()["credits"].sum()
    assert credits_ == 35
    assert shown["daily"]["credits"].sum() == credits_
    assert shown["by_language"]["credits"].sum() == credits_
    assert shown["by_hour"]["events"].sum() == 5
    for plot in ("days", "languages", "hours"):
        assert shown[plot].to_dict()["datasets"]
    shown["usage"].close()
