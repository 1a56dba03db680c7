"""Fixtures of the tests of commands: folders with rejected lines, and with members."""

from pathlib import Path

import pytest

from pipeline.contract.calendar import DAY_US
from tests.support.data_folder import DataFolder, Once
from tests.support.key_commands import write_members
from tests.support.lines import line
from tests.support.quarantined import BAD


def load_rejected_lines(folder: DataFolder) -> None:
    """Load a rejected line for each reason in `bad.jsonl`, and two in a newer file."""
    good = [line(id=f"good-{number}") for number in range(len(BAD))]
    pairs = [text for pair in zip(good, BAD.values(), strict=True) for text in pair]
    folder.drop("bad.jsonl", b"\n".join(pairs))
    folder.run()
    folder.drop("deep/newer.jsonl", b"\n".join([line(), b"{}", b"", b"{}", b""]))
    folder.run(folder.now + DAY_US)


@pytest.fixture
def quarantined(once: Once) -> DataFolder:
    """Return a folder with a rejected line for each reason in `bad.jsonl`, and two in a newer file."""
    return once(load_rejected_lines)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Return a data folder whose workspace has one active and one removed member."""
    write_members(tmp_path)
    return tmp_path
