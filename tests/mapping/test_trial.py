"""`usage try`: how many lines are good, every fault, the keys, the value that was meant, and a good line to copy."""

import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.actions import ACTIONS
from pipeline.mapping.finished import finished
from pipeline.mapping.nearest import nearest
from pipeline.mapping.trial import Line, try_lines
from pipeline.validation.records import Rejection, Row
from pipeline.validation.validate import validate
from tests.support.any_lines import LINES, NOISE
from tests.support.command import done
from tests.support.data_folder import NOW, record
from tests.support.invoked import Result, invoke
from tests.support.lines import LATEST

FOREIGN: Final = {
    "ID": "e9",
    "workspaceId": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "timestamp": "2026-11-24 12:00",
    "action": "WorkflowRun",
    "resource": {"type": "voice"},
    "run": {"id": "r", "status": "complete"},
    "usage": {"credits": "12", "languages": [{"locale": "en us", "characters": 5}, {"lines": 1.0}]},
}


def tried(*arguments: str, stdin: bytes = b"", **env: str) -> Result:
    """Run `usage try`."""
    return invoke(["try", *arguments, "--now", NOW], stdin=stdin, env=env)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Return a file with a bad line, a blank one, a good one, and one without its newline."""
    path = tmp_path / "foreign.log"
    path.write_bytes(
        b"\xef\xbb\xbf" + b"\n".join([json.dumps(FOREIGN).encode(), b"", json.dumps(record()).encode(), b'{"a'])
    )
    return path


def test_what_it_says(foreign: Path, tmp_path: Path) -> None:
    """Every fault of a line is said, with the value and the field that were meant; nothing is written anywhere."""
    result = tried(str(foreign))
    done(result, 3)
    text = result.stdout
    assert text.startswith("4 lines = 1 good + 2 rejected + 1 blank: 1 missing_field, 1 truncated_line\n")
    for field in ("id", "workspace_id", "timestamp", "action", "kind", "run.status", "usage.credits"):
        assert f"\n1 lines, {field}: {field} " in text
    for field in ("usage.languages[].locale", "usage.languages[].lines"):
        assert f"\n1 lines, {field}: usage.languages[" in text
    assert "do you mean workflow_run?" in text
    assert "do you mean completed?" in text
    assert "ignored: workspaceId in 1 lines; do you mean workspace_id?" in text or "missing: " not in text
    assert f"first in {foreign}:4" in text
    assert [path.name for path in tmp_path.iterdir()] == ["foreign.log"]


def test_the_line_to_copy(foreign: Path) -> None:
    """The last line of the answer is a good one, with all that is good of the first bad one."""
    line = tried(str(foreign)).stdout.splitlines()[-1]
    assert isinstance(validate(line.encode(), LATEST), Row)
    copied = json.loads(line)
    assert (copied["id"], copied["workspace_id"], copied["action"]) == ("e9", FOREIGN["workspaceId"], "workflow_run")
    assert (copied["resource"]["type"], copied["run"]) == ("voice", {"id": "r", "status": "completed"})


@pytest.mark.parametrize(
    "line",
    [
        b'{"action": "wfr\\ud800"}',
        b'{"action": "wfr\xff"}',
        b'{"action": "wfr", "x": ' + b"[" * 9_000 + b"]" * 9_000 + b"}",
        b'{"run": {"status": "done"}, "run": {"status": "\\udc00"}}',
        b'{"metadata": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b', "action": "x"}',
    ],
)
def test_lines_that_no_decoder_takes(line: bytes) -> None:
    """A line that cannot be decoded is counted with its faults like any other, and no suggestion is made of it."""
    trial = try_lines([Line(line, "a", 1)], LATEST, ACTIONS)
    assert (trial.rejected, trial.good) == (1, 0)
    assert trial.faults
    assert isinstance(validate(trial.finished.encode(), LATEST), Row)


def test_good_files(tmp_path: Path) -> None:
    """If all lines are good, the command exits 0 and needs no line to copy; packed files and stdin are read as well."""
    good = json.dumps(record()).encode() + b"\n"
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(good))
    for result in (tried(str(tmp_path / "a.jsonl.gz"), "-", stdin=good), tried("-", stdin=good + good)):
        done(result)
        assert result.stdout.startswith("2 lines = 2 good + 0 rejected + 0 blank\n")
        assert "copy" not in result.stdout
    done(tried("-", stdin=json.dumps(record(action="exported")).encode()), 3)
    done(tried("-", stdin=json.dumps(record(action="exported")).encode(), USAGE_EXTRA_ACTIONS="exported"))


def test_as_json(foreign: Path) -> None:
    """`--json` has the counts, every kind of fault with its first places, and every key."""
    found = json.loads(tried(str(foreign), "--json").stdout)
    assert (found["lines"], found["good"], found["rejected"], found["blank"]) == (4, 1, 2, 1)
    action = next(fault for fault in found["faults"] if fault["field"] == "action")
    assert (action["suggestion"], action["lines"], action["first"]) == ("workflow_run", 1, [f"{foreign}:1"])
    keys = {key["path"]: key for key in found["keys"]}
    assert (keys["kind"]["required"], keys["kind"]["known"], keys["kind"]["lines"]) == (True, True, 1)
    assert not keys["workspaceId"]["known"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is missing or damaged is one line on stderr and exit 1; a folder is wrong use."""
    done(tried(str(tmp_path / "gone.jsonl")), 1)
    (tmp_path / "cut.jsonl.gz").write_bytes(b"\x1f\x8b")
    result = tried(str(tmp_path / "cut.jsonl.gz"))
    done(result, 1)
    assert (result.stdout, result.stderr.count("\n")) == ("", 1)
    done(tried(str(tmp_path)), 2)


@pytest.mark.parametrize(
    ("given_", "meant"),
    [
        ("WorkflowRun", "workflow_run"),
        ("VOICE-GENERATED", "voice_generated"),
        ("member.invited", "member_invited"),
        ("setting_changed", "settings_changed"),
        ("xyz", None),
        ("", None),
    ],
)
def test_nearest(given_: str, meant: str | None) -> None:
    """The allowed name is found in any case, with anything between its words, and with a slip."""
    assert nearest(given_, ACTIONS) == meant


@given(st.lists(LINES | NOISE, max_size=4))
def test_it_agrees_with_the_load(lines: list[bytes]) -> None:
    """The counts are those of the validator, whatever the lines are."""
    verdicts = [validate(line, LATEST) for line in lines]
    trial = try_lines([Line(line, "a", number) for number, line in enumerate(lines, 1)], LATEST, ACTIONS)
    assert trial.good == sum(isinstance(one, Row) for one in verdicts)
    assert trial.blank == sum(one is None for one in verdicts)
    reasons = [one.reason for one in verdicts if isinstance(one, Rejection)]
    assert trial.reasons == {reason: reasons.count(reason) for reason in reasons}
    assert {fault.reason for fault in trial.faults} >= set(reasons)


@given(LINES | NOISE)
def test_the_finished_line_is_good(line: bytes) -> None:
    """Whatever a producer wrote, the finished line is good, and keeps each good value under its name."""
    copied = finished(line, LATEST, ACTIONS)
    assert isinstance(validate(copied, LATEST), Row)
    if isinstance(validate(line, LATEST), Row):
        kept: dict[str, Any] = json.loads(copied)
        assert all(kept[key] == value for key, value in json.loads(line).items() if key in kept and value is not None)
