"""docs/log-format.md and docs/numbers.md, worked through: every example is validated, loaded or computed as printed."""

import itertools
import json
import re
from datetime import date
from typing import Any, Final, get_args

import pytest

from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import DAY_US, QUARTER_US, Range, days, rfc3339, today
from pipeline.contract.formats import instant
from pipeline.contract.tables import STATUSES, Published
from pipeline.validation.records import Language, Reason, Record, Rejection, Resource, Row, Run, Usage, User
from pipeline.validation.validate import validate
from service.api import comparison
from service.tables import billing
from tests.support.data_folder import DataFolder, record
from tests.support.project import ROOT
from tests.support.service_folder import NOW, USER, WORKSPACE, ServiceFolder

DOCS: Final = ROOT / "docs"
LOG: Final = (DOCS / "log-format.md").read_text("utf-8")
NUMBERS: Final = (DOCS / "numbers.md").read_text("utf-8")

# For each code block: its language, the question that it answers, and its text.
BLOCKS: Final = [*re.findall(r"(?s)```(\w+) ?([^\n]*)\n(.*?)```", LOG + NUMBERS)]
RECORD: Final = BLOCKS[0][2]
VERSIONS: Final = BLOCKS[1][2]
EXAMPLES: Final = [(one[2], *other[1:]) for one, other in itertools.pairwise(BLOCKS[2:]) if one[0] == "jsonl"]
BAD_LINES: Final = re.findall(r"(?m)^\| `([a-z_]+)` \| (.+) \| (.+) \|$", LOG.partition("## Bad lines")[2])
LOCAL_DAYS: Final = re.findall(r"(?m)^\| `(\S+/\S+)` \| (\S+) \| (\S+) \| (\S+) \|$", NUMBERS)
COMPARED: Final = re.findall(r"(?m)^\| `(\S+)` \| (\S+) \| `(\w+)` \| (\S+ – \S+) \| (\S+ – \S+) \|$", NUMBERS)
PERIODS: Final = re.findall(r"(?m)^\| (none|\S+Z) \| (\S+Z) \| (\S+Z) \| (\S+Z) \|$", NUMBERS)


def lines(text: str) -> list[dict[str, Any]]:
    """Return the records of an example, with the fields that it leaves out."""
    user = {"id": USER, "name": "Ada"}
    return [record(workspace_id=WORKSPACE, user=user) | json.loads(line) for line in text.splitlines()]


def holds(shown: Any, real: Any) -> bool:
    """Return whether an answer is as shown; it may have more keys than are shown."""
    if isinstance(shown, dict):
        return all(key in real and holds(shown[key], real[key]) for key in shown)
    if isinstance(shown, list):
        return len(shown) == len(real) and all(map(holds, shown, real))
    return bool(shown == real)


def test_record() -> None:
    """The record shown is valid and has every field."""
    assert isinstance(validate(RECORD.encode(), NOW + DAY_US), Row)
    shown = json.loads(RECORD)
    for part, shape in (
        (shown, Record),
        (shown["resource"], Resource),
        (shown["user"], User),
        (shown["run"], Run),
        (shown["usage"], Usage),
        (shown["usage"]["languages"][0], Language),
    ):
        assert tuple(part) == shape.__struct_fields__
    assert re.findall(r"(?m)^\| `(\w+)` \|", LOG.partition("## Versions")[0]) == list(Record.__struct_fields__)


@pytest.mark.parametrize(("name", "values"), [("action", ACTIONS), ("run", STATUSES)])
def test_values(name: str, values: tuple[str, ...]) -> None:
    """The table lists every action and every status, in the order that decides between versions."""
    (row,) = re.findall(rf"(?m)^\| `{name}` \|.+$", LOG.partition("## Versions")[0])
    assert [value for value in re.findall(r"`([a-z_]+)`", row) if value in values] == list(values)


@pytest.mark.parametrize("name", [name for name in Record.__struct_fields__ if name != "recorded_at"])
def test_required(name: str) -> None:
    """A field is required exactly if the table says so."""
    line = {key: value for key, value in json.loads(RECORD).items() if key != name}
    (required,) = re.findall(rf"(?m)^\| `{name}` \| ([^|]*?) ?\|", LOG)
    assert isinstance(validate(json.dumps(line).encode(), NOW), Rejection) is required.startswith("required")


def test_versions(folder: DataFolder) -> None:
    """The three records of a run are merged into one completed event."""
    folder.drop("a.jsonl", [row | {"action": "workflow_run"} for row in reversed(lines(VERSIONS))])
    folder.run()
    assert folder.events()["run_status"].to_list() == ["completed"]


def test_every_reason_has_an_example() -> None:
    """The table lists exactly the reason codes, in the order of the code."""
    assert tuple(reason for reason, _, _ in BAD_LINES) == get_args(Reason)


@pytest.mark.parametrize(("reason", "example", "message"), BAD_LINES)
def test_bad_line(reason: str, example: str, message: str) -> None:
    """The example goes to quarantine for that reason, with that message."""
    fields = json.loads(RECORD)
    if size := re.search(r"([\d,]+) bytes", example):
        line = b"x" * int(size[1].replace(",", ""))
    elif example.startswith("no "):
        line = json.dumps({name: value for name, value in fields.items() if name != example[4:-1]}).encode()
    else:
        (text,) = re.findall("`(.+)`", example)
        line = text.encode() if text[0] in "{[" else json.dumps(fields)[:-1].encode() + b", " + text.encode() + b"}"
    verdict = validate(line, NOW + DAY_US, torn="without newline" in example)
    assert isinstance(verdict, Rejection)
    assert (verdict.reason, verdict.message) == (reason, message)


@pytest.mark.parametrize(("records", "question", "shown"), EXAMPLES)
def test_example(folder: DataFolder, records: str, question: str, shown: str) -> None:
    """The records, loaded, give the numbers shown below them."""
    service = ServiceFolder(folder.root)
    service.account(USER, quota=75)
    folder.drop("a.jsonl", lines(records))
    report = folder.run()
    assert report.rejected == 0
    path, _, query = question.partition("?")
    real = service.data(path, query)
    assert holds(json.loads(shown), real), real


def test_examples_are_found() -> None:
    """No example is skipped."""
    assert len(EXAMPLES) == NUMBERS.count("```jsonl") == NUMBERS.count("```json ") == 7
    assert (len(LOCAL_DAYS), len(PERIODS), len(COMPARED)) == (7, 4, 4)


@pytest.mark.parametrize(("zone", "day", "start", "hours"), LOCAL_DAYS)
def test_local_day(zone: str, day: str, start: str, hours: str) -> None:
    """A local day has the start and the length in the table."""
    begins, ends = days(zone, date.fromisoformat(day), 1)
    assert (rfc3339(begins), (ends - begins) / (DAY_US / 24)) == (start, float(hours))


@pytest.mark.parametrize(("zone", "now", "range_", "current", "previous"), COMPARED)
def test_compared(zone: str, now: str, range_: Range, current: str, previous: str) -> None:
    """The windows that are compared are those in the table."""
    quarter = instant(now) // QUARTER_US * QUARTER_US
    published = Published(1, "run", instant(now), 1, "2026.6")
    found = comparison.windows(zone, range_, today(zone, quarter), quarter, published)
    assert [" – ".join(map(rfc3339, window)) for window in found if window] == [current, previous]


@pytest.mark.parametrize(("anchor", "now", "start", "end"), PERIODS)
def test_period(anchor: str, now: str, start: str, end: str) -> None:
    """A billing period has the start and the end in the table."""
    period = billing.period(None if anchor == "none" else instant(anchor), instant(now))
    assert tuple(map(rfc3339, period)) == (start, end)
