"""The comparison with other engines: answers are equal before anything is timed, and the page shows stored results."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec
import pytest

from benchmarks import regression
from benchmarks.comparison import has_load, inherit
from benchmarks.engines import ENGINES, HOURS, OURS
from benchmarks.engines.engine import UnavailableError
from benchmarks.figures import leads, own
from benchmarks.load import NOW
from benchmarks.logs import BATCH, write_late, write_logs
from benchmarks.questions import UnequalError
from benchmarks.report import page
from benchmarks.results import Comparison, Run
from benchmarks.steps import Task, append, ask, expect, load, zones
from benchmarks.workspaces import choose, questions_about
from pipeline.contract import calendar
from pipeline.contract.formats import instant
from pipeline.sample.cast import Plan
from tests.support.project import ROOT

RESULTS = ROOT / "benchmarks/results"
OFF_THE_HOUR = {"Asia/Kathmandu", "Australia/Adelaide", "Pacific/Chatham"}
ZONES = OFF_THE_HOUR | {"UTC", "America/New_York", "Asia/Tokyo"}
LIBRARIES = ("duckdb", "duckdb-files", "polars-files")


@pytest.fixture
def root() -> Iterator[Path]:
    """Return a folder that PostgreSQL's user may enter too."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def prepare(root: Path) -> Task:
    """Load a small sample with this project, and store its answers about three workspaces as the expected ones."""
    now = instant(NOW)
    logs = write_logs(root / "logs", Plan(now=now, events=1500, workspaces=3, days=20, seed=1), held_back=200)
    engine = ENGINES[OURS].create(root)
    engine.load(logs)
    workspaces = choose(root / OURS, now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calendar, "zone_names", lambda: frozenset(ZONES))
        questions, some_zones = questions_about(workspaces, now)
    assert {question.timezone for question in some_zones} == ZONES
    questions = [asking for asking in questions if asking.size != "middle"]
    late = write_late(logs.folder, workspaces["largest"].id, now, 1)
    task = Task(logs, questions, some_zones, logs.folder / BATCH, late, seconds=0, crowd=2)
    expect(OURS, engine, task, root)
    return task


def compare(root: Path, task: Task, *names: str) -> None:
    """Load, ask and append with these engines; an answer that differs from this project's is an error."""
    for name in names:
        try:
            engine = ENGINES[name].create(root)
        except UnavailableError as error:
            pytest.skip(str(error))
        if has_load(name, root):
            if base := ENGINES[name].based_on:
                inherit(base, name, root)
            load(name, engine, task, root)
        asked = ask(name, engine, task, root)
        assert asked.equal == len(task.questions) + len(task.zones)
        assert {timing.size for timing in asked.timings} == {"largest", "small"}
        assert asked.bytes_on_disk > 0
    for name in (OURS, *names):
        if ENGINES[name].can_append:
            assert append(name, ENGINES[name].create(root), task, root).batch_lines > 0


def test_libraries(root: Path) -> None:
    """DuckDB and Polars answer like this project, also after late events; a wrong number is detected."""
    task = prepare(root)
    compare(root, task, *LIBRARIES)
    expect(OURS, ENGINES[OURS].create(root), task, root)
    with duckdb.connect(root / "duckdb/usage.duckdb") as connection:
        connection.execute(
            "update languages set credits = credits + 1 where timestamp = (select max(timestamp) from languages)"
        )
    with pytest.raises(UnequalError, match="kind='by_language'"):
        ask("duckdb", ENGINES["duckdb"].create(root), task, root)


def test_postgres(root: Path) -> None:
    """PostgreSQL answers like this project; its hourly roll-up is wrong only in zones that are off the hour."""
    pytest.importorskip("psycopg")
    task = prepare(root)
    compare(root, task, "postgres", "postgres-quarters")
    expect(OURS, ENGINES[OURS].create(root), task, root)
    inherit("postgres", HOURS, root)
    load(HOURS, ENGINES[HOURS].create(root), task, root)
    wrong = zones(HOURS, ENGINES[HOURS].create(root), task, root)
    assert wrong.differing
    assert wrong.differing.keys() <= OFF_THE_HOUR


def test_clickhouse(root: Path) -> None:
    """ClickHouse answers like this project."""
    pytest.importorskip("chdb")
    compare(root, prepare(root), "clickhouse", "clickhouse-quarters")


def stored(name: str = "comparison") -> Comparison:
    """Return stored results: the page's own, or those of an earlier version."""
    return msgspec.json.decode((RESULTS / f"{name}.json").read_bytes(), type=Comparison)


def test_page() -> None:
    """The page equals the page made from the stored results."""
    assert page(stored(), "benchmarks", stored("before")) == (ROOT / "docs/benchmarks.md").read_text("utf-8")


def test_losses() -> None:
    """The page lists a figure in which another engine is better, with the factor, and no other figure."""

    def late(run: Run, milliseconds: float) -> dict[str, float]:
        ours = run.results[OURS]
        assert ours.appended is not None
        appended = msgspec.structs.replace(ours.appended, late_ms=[milliseconds])
        results = {**run.results, OURS: msgspec.structs.replace(ours, appended=appended)}
        return {lead.ours.what: lead.factor for lead in leads(msgspec.structs.replace(run, results=results))}

    run = stored().runs[0]
    assert "one late event" not in late(run, 1e-3)
    assert late(run, 2e9)["one late event"] == pytest.approx(2 * late(run, 1e9)["one late event"])


def test_before() -> None:
    """Earlier results are shown beside the present ones if machine and logs are the same; a faster batch is better."""
    now = stored()
    run = now.runs[0]
    ours = run.results[OURS]
    assert ours.appended is not None
    slower = msgspec.structs.replace(ours.appended, batch_ms=3 * ours.appended.batch_ms)
    old = msgspec.structs.replace(run, results={**run.results, OURS: msgspec.structs.replace(ours, appended=slower)})
    before = msgspec.structs.replace(now, runs=[old])
    assert f"| a batch appended | {3 * ours.appended.batch_ms:,.0f} ms |" in page(now, "", before)
    assert own(old)["a batch appended"].worse_than(own(run)["a batch appended"]) == pytest.approx(3)
    elsewhere = msgspec.structs.replace(now.machine, cores=now.machine.cores + 1)
    of_others = msgspec.structs.replace(old, events=old.events + 1)
    for other in (
        msgspec.structs.replace(before, machine=elsewhere),
        msgspec.structs.replace(before, runs=[of_others]),
        None,
    ):
        assert "Before and now" not in page(now, "", other)


def test_regression() -> None:
    """A ratio is reported if it exceeds the stored one by more than noise, or was never stored."""
    known = {"a": 1.0, "b": 1.0}
    assert regression.worse({"a": 1.0, "b": 1.3, "c": 0.1}, known) == ["b", "c"]
