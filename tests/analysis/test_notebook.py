"""docs/notebook.py runs from end to end, and its plots agree with the tables."""

import runpy
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.analysis import database
from pipeline.contract.calendar import microseconds
from tests.support.data_folder import DataFolder, record
from tests.support.project import ROOT

NOTEBOOK = ROOT / "docs/notebook.py"


def test_notebook(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs; the credits by day and by language add up to the cube's."""
    folder.now = microseconds(datetime.now(UTC))
    usage = {"credits": 7, "languages": [{"locale": "de", "characters": 2}, {"locale": None, "characters": 1}]}
    for days in range(5):
        moment = datetime.now(UTC) - timedelta(days=days, minutes=5)
        folder.drop(f"{days}.jsonl", [record(f"e{days}", timestamp=moment.isoformat(), usage=usage)])
    folder.run()
    database.refresh(folder.root)
    monkeypatch.setenv("USAGE_DATA_DIR", str(folder.root))
    _, shown = runpy.run_path(str(NOTEBOOK))["app"].run()
    credits_ = folder.cube()["credits"].sum()
    assert credits_ == 35
    assert shown["daily"]["credits"].sum() == credits_
    assert shown["by_language"]["credits"].sum() == credits_
    assert shown["by_hour"]["events"].sum() == 5
    for plot in ("days", "languages", "hours"):
        assert shown[plot].to_dict()["datasets"]
    shown["usage"].close()
