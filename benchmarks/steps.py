"""Run one step of the comparison for one engine, in its own process, so that time and memory are that step's alone.

    python -m benchmarks.steps load|expect|ask|append|zones|roll-up ENGINE ROOT

Reads `task.json` and the expected answers in the root folder; writes `<engine>.<step>.json` there. All answers are
compared before anything is timed; one that differs ends the step with an error.
"""

import sys
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.engines import ENGINES, HOURS
from benchmarks.engines.engine import Engine, Logs, Reader, RollingUp, ZonedReader
from benchmarks.questions import Question, document, require_equal
from benchmarks.results import Appended, Asked, ZoneData, ZoneRollup, Zones
from benchmarks.timing import spread, timed, timing
from pipeline.contract import calendar

TASK: Final = "task.json"
_EXPECTED: Final = "expected.msgpack"  # the answers to the task's questions, then to those in every zone
_APPENDED: Final = "appended.msgpack"  # the answers to the first question after each appended log

_ASKED_BEFORE: Final = ("summary, 30 days", "feed, first page")  # timed before anything is appended
_REPEATS: Final = 20
_ROLLED_UP: Final = "Asia/Kathmandu"


class Asking(msgspec.Struct, frozen=True):
    """A question, and the size of the workspace that it is about."""

    size: str
    question: Question


class Task(msgspec.Struct, frozen=True):
    """What all engines do in one root folder."""

    logs: Logs
    questions: list[Asking]  # the first is a summary of the largest workspace
    zones: list[Question]  # the same question in every zone
    batch: Path
    late: list[Path]
    seconds: float  # time to measure each figure
    crowd: int  # clients at once


def load(_: str, engine: Engine, task: Task, __: Path) -> None:
    """Load the logs."""
    with engine.running():
        engine.load(task.logs)


def expect(_: str, engine: Engine, task: Task, root: Path) -> None:
    """Store the answers that all engines must give."""
    with engine.running(), engine.reader() as reader:
        questions = [*(asking.question for asking in task.questions), *task.zones]
        answers = [document(question, reader.ask(question)) for question in questions]
    (root / _EXPECTED).write_bytes(msgspec.msgpack.encode(answers))


def ask(name: str, engine: Engine, task: Task, root: Path) -> Asked:
    """Compare all answers, then time them."""
    expected = msgspec.msgpack.decode((root / _EXPECTED).read_bytes())
    begun = time.perf_counter()
    with engine.running():
        with engine.reader() as reader:
            reader.ask(task.questions[0].question)
            start_ms = (time.perf_counter() - begun) * 1000
            for asking, answer in zip(task.questions, expected, strict=False):
                require_equal(asking.question, name, document(asking.question, reader.ask(asking.question)), answer)
            zones = _ask_zones(name, reader, task.zones, expected[len(task.questions) :])
        cells: dict[tuple[str, str], list[Question]] = {}
        for asking in task.questions:
            cells.setdefault((asking.question.name, asking.size), []).append(asking.question)
        timings = [timing(engine, *cell, questions, task.seconds, task.crowd) for cell, questions in cells.items()]
        return Asked(len(expected), start_ms, engine.bytes_on_disk(), timings, zones)


def append(name: str, engine: Engine, task: Task, root: Path) -> Appended:
    """Append a batch and single late events, and ask for a summary after each.

    The first engine's answers are stored; those of the others must equal them.
    """
    path, question = root / _APPENDED, task.questions[0].question
    expected = msgspec.msgpack.decode(path.read_bytes()) if path.exists() else []
    answers: list[Any] = []
    taken: list[float] = []
    with engine.running(), engine.reader() as reader:
        before = document(question, reader.ask(question))
        rates = {asking.question.name: asking.question for asking in task.questions[::-1]}
        summary_ms, feed_ms = (
            spread([timed(reader, rates[kind])[0] for _ in range(_REPEATS)])[0] for kind in _ASKED_BEFORE
        )
        for log in (task.batch, *task.late):
            begun = time.perf_counter()
            engine.append(log)
            answer = reader.ask(question)
            taken.append((time.perf_counter() - begun) * 1000)
            answers.append(document(question, answer))
    for last, answer in zip([before, *answers], answers, strict=False):
        if last == answer:
            raise RuntimeError(f"{name}: an answer does not show what was appended")
    if expected:
        require_equal(question, name, answers, expected)
    else:
        path.write_bytes(msgspec.msgpack.encode(answers))
    lines = len(task.batch.read_bytes().splitlines())
    return Appended(lines, taken[0], taken[1:], summary_ms, feed_ms)


def zones(name: str, engine: Engine, task: Task, root: Path) -> ZoneData:
    """Count the numbers that differ if an engine computes local days itself or from its roll-up by hours."""
    expected = msgspec.msgpack.decode((root / _EXPECTED).read_bytes())[len(task.questions) :]
    unknown: list[str] = []
    differing: dict[str, int] = {}
    numbers = 0
    taken: list[float] = []
    with engine.running(), engine.reader() as reader:
        for question, answer in zip(task.zones, expected, strict=True):
            right = _by_date(question, answer["daily"])
            begun = time.perf_counter()
            found = _days(name, reader, question)
            taken.append((time.perf_counter() - begun) * 1000)
            if found is None:
                unknown.append(question.timezone)
                continue
            numbers += sum(map(len, right.values()))
            if wrong := _differences(found, right):
                differing[question.timezone] = wrong
    return ZoneData(len(task.zones), unknown, differing, numbers, spread(taken)[0])


def roll_up(_: str, engine: Engine, __: Task, ___: Path) -> ZoneRollup:
    """Roll up by the local days of one zone."""
    if not isinstance(engine, RollingUp):
        raise TypeError(engine)
    with engine.running():
        begun = time.perf_counter()
        size = engine.roll_up_zone(_ROLLED_UP)
        return ZoneRollup(_ROLLED_UP, time.perf_counter() - begun, size)


def _ask_zones(name: str, reader: Reader, questions: Sequence[Question], expected: Sequence[Any]) -> Zones:
    taken = []
    for question, answer in zip(questions, expected, strict=True):
        took, raw = timed(reader, question)
        require_equal(question, name, document(question, raw), answer)
        taken.append(took)
    return Zones(len(taken), sum(taken) / 1000, *spread(taken))


def _days(name: str, reader: Reader, question: Question) -> dict[date, list[int]] | None:
    """Return (credits, characters, lines, runs) by local date, or None if the engine does not know the zone."""
    if name == HOURS or not isinstance(reader, ZonedReader):
        return _by_date(question, document(question, reader.ask(question))["daily"])
    rows = reader.local_days(question)
    return None if rows is None else {day: list(map(int, numbers)) for day, *numbers in rows}


def _by_date(question: Question, rows: Sequence[list[int]]) -> dict[date, list[int]]:
    first = calendar.range_first_day(question.range, question.today)
    return {first + timedelta(days=place): row for place, row in enumerate(rows)}


def _differences(found: dict[date, list[int]], right: dict[date, list[int]]) -> int:
    """Return how many numbers differ; a missing day has zeros."""
    none = [0] * 4
    days = found.keys() | right.keys()
    pairs = (zip(found.get(day, none), right.get(day, none), strict=True) for day in days)
    return sum(a != b for pair in pairs for a, b in pair)


STEPS: Final[dict[str, Callable[[str, Engine, Task, Path], Any]]] = {
    "load": load,
    "expect": expect,
    "ask": ask,
    "append": append,
    "zones": zones,
    "roll-up": roll_up,
}


def main() -> None:
    """Run the step that the arguments name."""
    step, name, folder = sys.argv[1:]
    root = Path(folder)
    task = msgspec.json.decode((root / TASK).read_bytes(), type=Task, dec_hook=_path)
    result = STEPS[step](name, ENGINES[name].create(root), task, root)
    (root / f"{name}.{step}.json").write_bytes(msgspec.json.encode(result))


def _path(_: type, text: str) -> Path:
    return Path(text)


if __name__ == "__main__":
    main()
