"""What a newcomer is told: `usage status` names what is missing and what to do, and a run what to do next."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.load.results import hints
from pipeline.status import first_step, read
from tests.support.data_folder import DataFolder, record

NAMED = "logs are JSON Lines, in files named *.jsonl or *.ndjson, plain, .gz or .zst"
PUT_LOGS = "nothing is published yet: put logs into raw/ and run `usage run`"


def nothing(_: DataFolder) -> None:
    """Leave the empty raw/ as it is."""


def no_folder(folder: DataFolder) -> None:
    """Remove the data folder."""
    (folder.root / "raw").rmdir()
    folder.root.rmdir()


def no_raw(folder: DataFolder) -> None:
    """Remove raw/."""
    (folder.root / "raw").rmdir()


def other_names(folder: DataFolder) -> None:
    """Drop logs in files that are not read."""
    for name in ("a.json", "b.json", "c.csv"):
        folder.drop(name, b"{}")


def logs(folder: DataFolder) -> None:
    """Drop a log."""
    folder.drop("a.jsonl", [record()])


def loaded(folder: DataFolder) -> None:
    """Drop a log and load it."""
    logs(folder)
    folder.run()


def exported(folder: DataFolder) -> None:
    """Load a log where the directory is."""
    folder.export_all()
    loaded(folder)


def broken(folder: DataFolder) -> None:
    """Break a row of the directory of an otherwise empty folder."""
    folder.export_all()
    (folder.root / "directory/members.jsonl").write_text("{}")


def odd_names(folder: DataFolder) -> None:
    """Drop a log, and empty ones with a name that is not UTF-8, one with a control code, and one with a backslash."""
    logs(folder)
    for name in (b"b\xff.jsonl", b"c\x1b.jsonl", b"d\\.jsonl", "é.jsonl".encode()):
        (folder.root / "raw" / os.fsdecode(name)).touch()


@pytest.mark.parametrize(
    ("prepare", "step", "problems"),
    [
        (no_folder, PUT_LOGS, ["{root} does not exist: create it with a folder raw/ for the logs, or name another "]),
        (
            no_raw,
            PUT_LOGS,
            ["{root}/raw cannot be listed: No such file or directory; a run would read nothing and "],
        ),
        (nothing, PUT_LOGS, []),
        (
            other_names,
            PUT_LOGS,
            ["{root}/raw has no file that a run reads, but 3 files of other names: 2 json, 1 csv; "],
        ),
        (logs, "nothing is published yet: run `usage run`", []),
        (loaded, None, ["{root}/directory has neither members.jsonl nor accounts.jsonl nor api_keys.jsonl, "]),
        (exported, None, []),
        (broken, PUT_LOGS, ["{root}/directory/members.jsonl, line 1: "]),
        (
            odd_names,
            "nothing is published yet: run `usage run`",
            ["2 raw files have names that are not UTF-8 or have invisible characters, such as b\\xff.jsonl: "],
        ),
    ],
)
def test_status(
    folder: DataFolder, prepare: Callable[[DataFolder], None], step: str | None, problems: list[str]
) -> None:
    """Each thing that is missing is one line, which says what to do; and nothing else is."""
    prepare(folder)
    status = read(folder.settings, folder.now, 5)
    assert first_step(status) == step
    assert len(status.problems) == len(problems), status.problems
    for problem, begin in zip(status.problems, problems, strict=True):
        assert problem.startswith(begin.replace("{root}", str(folder.root)))


@pytest.mark.parametrize(
    ("files", "begins"),
    [
        ({"a.jsonl": b"{}\n\n[]\n"}, ["every line was rejected: `usage quarantine`", "`usage try FILE` shows"]),
        ({"a.json": b"{}"}, [f"nothing was read, since raw/ has only 1 files of other names: 1 json; {NAMED}"]),
        ({"a.jsonl": b"{}\n", "b.jsonl": [record()], "c.csv": b""}, []),
        ({"a.jsonl": b"\n"}, []),
        ({}, []),
    ],
)
def test_a_run_without_rows(folder: DataFolder, files: dict[str, Any], begins: list[str]) -> None:
    """A run that loaded nothing says what to do next; where nothing is new any more, there is nothing to do."""
    for name, content in files.items():
        folder.drop(name, content)
    found = hints(folder.run())
    assert len(found) == len(begins)
    assert all(hint.startswith(begin) for hint, begin in zip(found, begins, strict=True))
    assert hints(folder.run()) == []
