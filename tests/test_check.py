"""`usage check`: a good house passes, and of each thing that is broken just that is reported."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from typer.testing import CliRunner, Result

from pipeline import checking_tables
from pipeline.checking import CheckReport, check
from pipeline.commands import app
from pipeline.listing import Retry
from pipeline.rebuilding import Rebuild
from pipeline.run import BusyError, run
from pipeline.store import Operation, Store
from pipeline.tables import STATUSES, Manifest, manifest_path, quarantine_path
from tests.conftest import NOW, WORKSPACE, House, record
from tests.hostile import deliver

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
THIRD = "ffffffff-0000-4000-8000-000000000002"
ADA = {"id": "00000000-0000-4000-8000-00000000000a", "name": "Ada"}

Rows = list[dict[str, Any]]


def used(credits_: int, *languages: tuple[str | None, int], audio_ms: int = 0) -> dict[str, Any]:
    """Return the usage of an event."""
    shares = [{"locale": locale, "characters": many, "lines": 1, "corrected": 2} for locale, many in languages]
    return {"credits": credits_, "audio_ms": audio_ms, "languages": shares}


@pytest.fixture
def good(house: House) -> House:
    """Return a house with three workspaces, ties, runs of all statuses, versions, late events and bad lines."""
    house.drop(
        "a.jsonl",
        [
            record("tie", usage=used(10, ("de", 1), ("fr", 1), (None, 1))),
            record("tie2", timestamp="2026-11-24T10:14:59.999999Z", usage=used(2, ("fr", 5), ("de", 5), ("en", 5))),
            record("none", timestamp="2026-11-24T10:15:00Z", usage=used(7, ("de", 0), (None, 0))),
            record("large", usage=used(10**12, ("de", 10**12), ("fr", 10**12 - 1), ("ja", 7))),
            record("silent", user=ADA, action="settings_changed"),
            *(
                record(status, action="workflow_run", run={"id": "r", "status": status}, usage=used(1, audio_ms=50))
                for status in STATUSES
            ),
            record("of a run", run={"id": "r", "status": "running"}, usage=used(3, ("de", 9), audio_ms=8)),
            record("same time", user=ADA, usage=used(5, ("de", 3))),
            record("midnight", timestamp="2026-11-23T00:00:00Z", usage=used(4, ("de", 3))),
            record("october", timestamp="2026-10-31T23:59:59.999999Z", user=ADA, usage=used(8, ("pt-br", 3))),
            record("tie", workspace_id=OTHER, usage=used(9, ("de", 2), ("fr", 2))),
            record("first", workspace_id=THIRD, timestamp="2025-01-01T00:00:00Z"),
            {"id": "bad"},
        ],
    )
    house.run()
    house.drop(
        "b.jsonl",
        [
            record(
                "pending",
                recorded_at="2026-11-24T11:00:00Z",
                action="workflow_run",
                run={"id": "r", "status": "failed"},
                usage=used(6, ("de", 5), audio_ms=70),
            ),
            record("late", timestamp="2026-10-05T00:00:00Z", usage=used(11, ("de", 4), ("fr", 3))),
            record("tie", workspace_id=OTHER, usage=used(9, ("de", 2), ("fr", 2))),
            {"id": "bad"},
            {"id": "bad too"},
        ],
    )
    house.run()
    return house


def checked(house: House, *workspaces: str, days: int | None = None) -> CheckReport:
    """Check a house."""
    return check(house.settings, house.now, workspaces=workspaces, days=days)


def wrong(report: CheckReport) -> dict[str, int]:
    """Return how much is wrong with the tables with which something is."""
    found = {name: tally.wrong for name, tally in report.tallies().items() if tally.wrong}
    assert report.agrees is not bool(found)
    return found


def partition(house: House, day: str, workspace_id: str = WORKSPACE) -> Path:
    """Return an events partition."""
    return house.root / f"events/workspace_id={workspace_id}/day={day}/events.parquet"


def monthly(house: House, table: str, month: str = "2026-11", workspace_id: str = WORKSPACE) -> Path:
    """Return a month's file of the cube or the actors."""
    (path,) = house.root.glob(f"{table}/workspace_id={workspace_id}/month={month}/*.parquet")
    return path


def rewrite(path: Path, change: Callable[[Rows], Rows]) -> None:
    """Write a Parquet file with other rows."""
    table = pq.ParquetFile(path).read()
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema), path)


def rename(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Write a JSON file with another content."""
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def test_a_good_house(good: House) -> None:
    """What the load made passes; every row, file and line was looked at."""
    report = checked(good)
    assert wrong(report) == {}
    assert (report.events.rows, report.events.files, report.events.workspaces) == (good.events().height, 6, 3)
    assert (report.cube.rows, report.cube.workspaces) == (good.cube().height, 3)
    assert (report.actors.rows, report.actors.workspaces) == (good.actors().height, 3)
    assert (report.manifests.files, report.manifests.workspaces) == (8, 3)
    assert (report.quarantine.rows, report.quarantine.files) == (3, 2)
    assert (report.ledger.rows, report.ledger.files) == (23, 2)
    assert (report.runs.rows, report.runs.files) == (23, 2)
    assert (report.waiting.files, report.moved.ids, report.notes) == (0, 0, [])
    assert not list(good.root.glob("staging/*"))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_hostile_house(house: House, seed: int) -> None:
    """Whatever came in, what the load made of it passes."""
    files = deliver(seed, house.now).files
    for first in range(0, len(files), 4):
        for name, content in files[first : first + 4]:
            house.drop(name, content)
        house.run()
    assert wrong(checked(house)) == {}


def test_an_empty_house(house: House) -> None:
    """Where nothing is published nothing is wrong; where there is no folder there is nothing to check."""
    with pytest.raises(FileNotFoundError):
        checked(house)
    house.root.mkdir()
    report = checked(house)
    assert wrong(report) == {}
    assert report.notes == ["nothing is published yet"]


def test_groups(good: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found does not depend on how much is looked at at once."""
    good.drop("c.jsonl", [record("late", timestamp="2026-11-01T00:00:00Z")])
    good.run()
    rewrite(monthly(good, "cube"), lambda rows: rows[1:])
    rewrite(partition(good, "2026-11-24"), lambda rows: rows[::-1])
    at_once = checked(good)
    monkeypatch.setattr(checking_tables, "_GROUP_FILES", 1)
    assert checked(good) == at_once
    assert wrong(at_once).keys() == {"cube", "events"}
    assert at_once.moved.ids == 1


def test_a_credit(good: House) -> None:
    """A number of the cube that the events do not give is told with its cell, and counted."""

    def more(rows: Rows) -> Rows:
        (row,) = (row for row in rows if row["locale"] == "pt-br")
        row["credits"] += 1
        return rows

    rewrite(monthly(good, "cube", "2026-10"), more)
    report = checked(good)
    assert wrong(report) == {"cube": 1}
    where = f"workspace {WORKSPACE}, quarter 2026-10-31T23:45:00Z, pt-br"
    assert report.cube.first == [f"{where}: credits: 9 stands, the events give 8"]


def test_a_credit_moved(good: House) -> None:
    """A credit that a tie gave to the wrong language differs twice, although the sum is right."""

    def move(rows: Rows) -> Rows:
        of = {row["locale"]: row for row in rows}
        assert (of["de"]["credits"], of["fr"]["credits"]) == (5, 4)
        of["de"]["credits"], of["fr"]["credits"] = 4, 5
        return rows

    rewrite(monthly(good, "cube", workspace_id=OTHER), move)
    report = checked(good)
    assert wrong(report) == {"cube": 2}
    assert "de: credits: 4 stands, the events give 5" in report.cube.first[0]


@pytest.mark.parametrize("table", ["cube", "actors"])
@pytest.mark.parametrize("change", [lambda rows: rows[1:], lambda rows: [rows[0], *rows]], ids=["missing", "twice"])
def test_a_row(good: House, table: str, change: Callable[[Rows], Rows]) -> None:
    """A row that is missing or there twice differs in each of its numbers that is not zero."""
    numbers = pq.ParquetFile(monthly(good, table)).read().to_pylist()[0]
    rewrite(monthly(good, table), change)
    assert wrong(checked(good)) == {table: sum(type(value) is int and value > 0 for value in numbers.values())}


def test_a_row_of_zeros(good: House) -> None:
    """A row that holds nothing has no place in a sparse cube."""
    rewrite(
        monthly(good, "cube", workspace_id=OTHER),
        lambda rows: [
            {key: 0 if type(value) is int else value for key, value in rows[0].items()} | {"locale": "zz"},
            *rows,
        ],
    )
    report = checked(good)
    assert wrong(report) == {"cube": 1}
    assert report.cube.first[0].endswith("zz: rows: 1 stands, the events give nothing")


def test_lost_events(good: House) -> None:
    """Numbers that no events give any more differ, in the cube and in the actors."""
    partition(good, "2026-10-31").unlink()
    assert wrong(checked(good)).keys() == {"cube", "actors"}


def test_a_manifest_missing(good: House) -> None:
    """A workspace with events has a manifest; nobody can say what stands without it, so nothing else is wrong."""
    uri = manifest_path(OTHER)
    (good.root / uri).unlink()
    report = checked(good)
    assert wrong(report) == {"manifests": 1}
    assert uri in report.manifests.first[0]
    assert report.cube.workspaces == 2


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"workspace_id": 3}'])
def test_a_manifest_torn(good: House, content: bytes) -> None:
    """A manifest that cannot be read is named."""
    (good.root / manifest_path(OTHER)).write_bytes(content)
    report = checked(good)
    assert wrong(report) == {"manifests": 1}
    assert report.manifests.first[0].startswith(f"{manifest_path(OTHER)} is damaged")


def test_a_manifest_of_others(good: House) -> None:
    """A manifest names files of its own workspace, each for its own month, and all months that have events."""
    path = good.root / manifest_path(WORKSPACE)
    manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    october, november = manifest.months["2026-10"], manifest.months["2026-11"]

    def says(workspace_id: str = WORKSPACE, **months: Any) -> dict[str, int]:
        named = {name.replace("_", "-").removeprefix("m"): files for name, files in months.items()}
        path.write_bytes(msgspec.json.encode(Manifest(workspace_id, "r", named)))
        return wrong(checked(good))

    assert says(m2026_10=october, m2026_11=november) == {}
    assert says(OTHER, m2026_10=october, m2026_11=november) == {"manifests": 1}
    # Of another month, twice; and the files that were named before are strays.
    assert says(m2026_10=november, m2026_11=november) == {"manifests": 4}
    assert says(m2026_10=october) == {"manifests": 3}
    assert says(m2026_10=october, m2026_11=november, m2026_13=november) == {"manifests": 1}


@pytest.mark.parametrize("table", ["cube", "actors"])
def test_a_file_missing(good: House, table: str) -> None:
    """A file that a manifest names is there."""
    path = monthly(good, table)
    path.unlink()
    report = checked(good)
    assert wrong(report) == {"manifests": 1}
    uri = path.relative_to(good.root).as_posix()
    assert report.manifests.first[0].startswith(f"{manifest_path(WORKSPACE)} names for 2026-11 {uri}, which is missing")


@pytest.mark.parametrize("table", ["cube", "actors"])
def test_a_stray_file(good: House, table: str) -> None:
    """A file that no manifest names is none of the table."""
    path = monthly(good, table)
    path.with_name("stray.parquet").write_bytes(path.read_bytes())
    report = checked(good)
    assert wrong(report) == {"manifests": 1}
    assert path.with_name("stray.parquet").relative_to(good.root).as_posix() in report.manifests.first[0]


@pytest.mark.parametrize("name", ["day=2026-11-24/more.parquet", "day=2026-11-31/events.parquet", "x/y"])
def test_a_stray_partition(good: House, name: str) -> None:
    """What lies among the events partitions, where globs find it, is one of them."""
    path = partition(good, "2026-11-24").parents[1] / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert name in report.events.first[0]


@pytest.mark.parametrize("content", [b"", b"PAR1 torn", None], ids=["empty", "torn", "flipped"])
@pytest.mark.parametrize("table", ["events", "cube", "actors"])
def test_a_corrupt_file(good: House, table: str, content: bytes | None) -> None:
    """A file that cannot be read is named with what to do; what rests on it is left out, the rest is compared."""
    path = partition(good, "2026-11-24") if table == "events" else monthly(good, table)
    whole = path.read_bytes()
    path.write_bytes(whole[:8] + bytes(40) + whole[48:] if content is None else content)
    report = checked(good)
    of = "events" if table == "events" else "manifests"
    assert wrong(report) == {of: 1}
    assert report.tallies()[of].first[0].startswith(f"{path.relative_to(good.root).as_posix()} cannot be read")
    assert "usage run --rebuild" in report.tallies()[of].first[0]
    rewrite(monthly(good, "cube", "2026-10"), lambda rows: rows[1:])
    assert wrong(checked(good)).keys() == {of, "cube"}


def test_bad_text(good: House) -> None:
    """A text that is no UTF-8 cannot be read either."""
    path = partition(good, "2026-11-24")
    table = pq.ParquetFile(path).read()
    bad = pa.array([b"\xff"] * table.num_rows).view(pa.string())
    pq.write_table(table.set_column(table.column_names.index("kind"), "kind", bad), path)
    assert wrong(checked(good)) == {"events": 1}


def test_the_wrong_day(good: House) -> None:
    """An event lies in the partition of its UTC day; its numbers are counted where its timestamp says."""
    taken: Rows = []
    rewrite(partition(good, "2026-11-23"), lambda rows: taken.extend(rows) or [])  # type: ignore[func-returns-value]
    rewrite(partition(good, "2026-11-24"), lambda rows: rows + taken)
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert report.events.first[0].endswith("day=2026-11-24/events.parquet: rows of another UTC day: 1")


def test_a_row_twice(good: House) -> None:
    """An id stands once in its partition, and counts once."""
    rewrite(partition(good, "2026-11-24"), lambda rows: [rows[0], *rows])
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert report.events.first[0].endswith("rows that repeat an id: 1")


def swap(rows: Rows) -> Rows:
    """Return two rows of the same instant in the other order."""
    first = next(k for k, (a, b) in enumerate(pairwise(rows)) if a["timestamp"] == b["timestamp"])
    rows[first : first + 2] = rows[first : first + 2][::-1]
    return rows


@pytest.mark.parametrize("change", [lambda rows: rows[1:] + rows[:1], swap], ids=["timestamp", "id"])
def test_unsorted(good: House, change: Callable[[Rows], Rows]) -> None:
    """A partition has its newest rows first, by timestamp, then by id."""
    rewrite(partition(good, "2026-11-24"), change)
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert report.events.first[0].endswith("rows newer than the one above them: 1")


def test_ids_by_code_point(house: House) -> None:
    """Ids compare by code point, which differs from UTF-16 and from any alphabet."""
    house.drop("a.jsonl", [record(id_) for id_ in ("\U0001f600", "\uffee", "é", "z", "Z", "a")])
    house.run()
    assert wrong(checked(house)) == {}


def test_a_locale_twice(good: House) -> None:
    """A language stands once in an event."""

    def double(rows: Rows) -> Rows:
        for row in rows:
            if row["id"] == "none":
                row["languages"] = [row["languages"][0]] * 2
        return rows

    rewrite(partition(good, "2026-11-24"), double)
    assert wrong(checked(good))["events"] == 1


def test_an_older_schema(good: House) -> None:
    """A column that may be null may be missing; one that may not, not."""
    path = partition(good, "2026-11-24")
    table = pq.ParquetFile(path).read()
    pq.write_table(table.drop_columns(["ip", "metadata", "run_id"]), path)
    assert wrong(checked(good)) == {}
    pq.write_table(table.drop_columns(["kind", "audio_ms"]), path)
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert "lacks kind, audio_ms" in report.events.first[0]
    rewrite(partition(good, "2026-11-23"), lambda rows: rows)
    pq.write_table(table.set_column(0, "id", pa.array([[1]] * table.num_rows)), path)
    assert wrong(checked(good)) == {"events": 1}


def test_quarantine(good: House) -> None:
    """The rejected lines that the ledger counts are in the quarantine, file by file."""
    path = good.root / quarantine_path("b.jsonl")
    rewrite(path, lambda rows: rows[1:])
    assert wrong(checked(good)) == {"quarantine": 1}
    path.write_bytes(b"torn")
    assert wrong(checked(good)) == {"quarantine": 1}
    path.unlink()
    report = checked(good)
    assert wrong(report) == {"quarantine": 1}
    assert "b.jsonl" in report.quarantine.first[0]


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"accepted": 1}, {"ledger": 1}),
        ({"rejected": 3, "duplicates": 0}, {"quarantine": 1, "runs": 1}),
        ({"lines": 1000, "duplicates": 996}, {"runs": 2}),
    ],
)
def test_ledger(good: House, counts: dict[str, int], found: dict[str, int]) -> None:
    """The ledger's counts of a file add up, and all of them are no more than the runs counted."""
    with closing(sqlite3.connect(good.root / "state.sqlite")) as database, database:
        (entry,) = database.execute("select entry from files where path = 'b.jsonl'").fetchone()
        entry = json.loads(entry)
        entry["counts"] |= counts
        database.execute("update files set entry = ? where path = 'b.jsonl'", (json.dumps(entry),))
    assert wrong(checked(good)) == found


def test_runs(good: House) -> None:
    """Each run's record adds up and can be read."""
    (path,) = good.root.glob("runs/*.jsonl")
    first, second = path.read_text().splitlines()
    path.write_text(first.replace('"accepted":', '"accepted":1') + "\n" + second + "\n")
    assert wrong(checked(good)) == {"runs": 1}
    path.write_text(first[:50] + "\n" + second + "\n")
    report = checked(good)
    assert wrong(report) == {"runs": 1}
    assert f"runs/{path.name}, line 1" in report.runs.first[0]
    path.write_text(second + "\n")
    assert wrong(checked(good)).keys() == {"runs"}


def test_waiting(good: House) -> None:
    """Raw files that are new, longer or gone are no faults."""
    good.drop("c.jsonl", [record("new")])
    with (good.root / "raw/b.jsonl").open("ab") as file:
        file.write(b"\n")
    (good.root / "raw/a.jsonl").unlink()
    report = checked(good)
    assert wrong(report) == {}
    assert report.waiting.files == 2


def test_a_lost_ledger(good: House) -> None:
    """Losing the ledger is no fault, but said; one that is no database is a fault."""
    for path in good.root.glob("state.sqlite*"):
        path.unlink()
    report = checked(good)
    assert wrong(report) == {}
    assert "state.sqlite" in report.notes[0]
    assert report.waiting.files == 2
    (good.root / "state.sqlite").write_bytes(b"no database" * 100)
    assert wrong(checked(good)) == {"ledger": 1}


def test_published(good: House) -> None:
    """What stands is published."""
    (good.root / "published.json").write_text("{")
    assert wrong(checked(good)) == {"manifests": 1}
    (good.root / "published.json").unlink()
    assert wrong(checked(good)) == {"manifests": 1}


def test_an_unfinished_commit(good: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a commit that has not ended just that is told, at whatever step it stopped, until a run ends it."""
    good.drop("c.jsonl", [record("tie", workspace_id=OTHER, recorded_at="2026-11-24T11:30:00Z", usage=used(1))])
    apply, left = Store.apply, 0

    class StopError(Exception):
        pass

    def stopping(store: Store, operation: Operation) -> None:
        nonlocal left
        if left == 0:
            raise StopError
        left -= 1
        apply(store, operation)

    def stops(house: House) -> bool:
        try:
            house.run()
        except StopError:
            return True
        return False

    monkeypatch.setattr(Store, "apply", stopping)
    unfinished, steps, stopped = 0, 0, True
    while stopped:
        house = House(good.root.with_name(f"stopped-{steps}"))
        shutil.copytree(good.root, house.root)
        left = steps
        stopped = stops(house)
        report = checked(house)
        if wrong(report):
            assert stopped
            assert wrong(report) == {"ledger": 1}
            assert (report.cube.rows, report.events.rows) == (0, 0)
            unfinished += 1
        left = -1
        house.run()
        assert wrong(checked(house)) == {}
        steps += 1
    # Before and after these steps nothing is half done.
    assert 5 < unfinished < steps


def test_moved_ids(good: House) -> None:
    """Ids on several UTC days of one workspace are told, without being a fault."""
    good.drop(
        "c.jsonl",
        [
            record("late", timestamp="2026-10-06T00:00:00Z"),
            record("late", timestamp="2026-11-01T00:00:00Z"),
            *(record(f"m{k}", timestamp=f"2026-11-0{day}T00:00:00Z") for k in range(9) for day in (1, 2)),
        ],
    )
    good.run()
    report = checked(good)
    assert wrong(report) == {}
    assert (report.moved.ids, len(report.moved.first)) == (10, 5)
    first = report.moved.first[0]
    assert (first.workspace_id, first.id, first.rows) == (WORKSPACE, "late", 3)
    assert (first.first_day, first.last_day) == ("2026-10-05", "2026-11-01")


def test_named_workspaces(good: House) -> None:
    """Only the named workspaces are looked at."""
    rewrite(monthly(good, "cube"), lambda rows: rows[1:])
    partition(good, "2026-10-31").write_bytes(b"")
    (good.root / manifest_path(THIRD)).unlink()
    report = checked(good, OTHER)
    assert wrong(report) == {}
    assert (report.cube.workspaces, report.events.files, report.manifests.workspaces) == (1, 1, 1)
    assert wrong(checked(good, WORKSPACE)).keys() == {"cube", "events"}
    assert wrong(checked(good, OTHER, THIRD)) == {"manifests": 1}
    stranger = "12345678-0000-4000-8000-000000000000"
    assert checked(good, stranger).notes == [f"nothing stands of workspace {stranger}"]


def test_last_days(good: House) -> None:
    """Only the last days are looked at, today included; of the months they cut, only these days."""
    assert checked(good, days=1).events.files == 2
    assert checked(good, days=2).events.files == 3
    rewrite(monthly(good, "cube"), lambda rows: [row for row in rows if row["quarter"].day == 24])
    assert wrong(checked(good, days=1)) == {}
    assert wrong(checked(good, days=2)).keys() == {"cube"}
    good.now -= 86_400_000_000
    report = checked(good, days=1)
    assert report.events.files == 1
    assert wrong(report).keys() == {"cube"}
    monthly(good, "actors", "2026-10").unlink()
    assert wrong(checked(good, days=23)).keys() == {"cube"}
    assert wrong(checked(good, days=24)).keys() == {"cube", "manifests"}


def command(house: House, *arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["check", "--data-dir", str(house.root), "--now", NOW, *arguments])


def test_command_all_right(good: House) -> None:
    """A good house: one line for each table, exit 0."""
    good.drop("c.jsonl", [record("late", timestamp="2026-11-05T00:00:00Z")])
    good.run()
    good.drop("d.jsonl", [record("new")])
    found = command(good)
    assert found.exit_code == 0, found.output
    lines = found.stdout.splitlines()
    assert f"cube: {good.cube().height:,} rows of 3 workspaces agree" in lines
    assert "events: 19 rows in 7 partitions of 3 workspaces agree" in lines
    assert "ledger: 24 lines of 3 raw files agree" in lines
    assert any(line.startswith("waiting: 1 raw files") for line in lines)
    warning = lines.index("warning: 1 ids stand on several UTC days, as that many events")
    assert lines[warning + 1] == f"  workspace {WORKSPACE}, id 'late': 2 events from 2026-10-05 to 2026-11-05"


def test_command_wrong(good: House) -> None:
    """Something wrong: the first differing cell, how many, a hint, exit 1; and what is corrupt by name."""
    rewrite(monthly(good, "cube", "2026-10"), lambda rows: rows[1:])
    partition(good, "2026-11-23").write_bytes(b"")
    found = command(good)
    assert found.exit_code == 1
    lines = found.stdout.splitlines()
    cube = next(k for k, line in enumerate(lines) if line.startswith("cube: "))
    assert lines[cube].endswith(" rows of 3 workspaces: 4 numbers differ")
    where = f"workspace {WORKSPACE}, quarter 2026-10-05T00:00:00Z, de"
    assert lines[cube + 1] == f"  {where}: characters: nothing stands, the events give 4"
    assert f"events/workspace_id={WORKSPACE}/day=2026-11-23/events.parquet cannot be read" in found.stdout
    assert "usage run --rebuild" in found.stderr
    assert "Traceback" not in found.output


def test_command_json(good: House) -> None:
    """For machines the report is one JSON object."""
    found = command(good, "--json", "--workspace", WORKSPACE.upper(), "--days", "2")
    assert found.exit_code == 0, found.output
    assert msgspec.json.decode(found.stdout, type=CheckReport) == checked(good, WORKSPACE, days=2)
    (good.root / manifest_path(WORKSPACE)).unlink()
    found = command(good, "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["agrees"] is False


@pytest.mark.parametrize(
    "arguments", [["--workspace", "x"], ["--days", "0"], ["--now", "today"], ["--data-dir", "nowhere"], ["more"]]
)
def test_command_refused(good: House, arguments: list[str]) -> None:
    """A command that makes no sense exits 2."""
    assert command(good, *arguments).exit_code == 2


def test_command_busy(good: House) -> None:
    """While a run is at work nothing is checked, and the command exits 75."""
    with FileLock(good.root / "run.lock"):
        with pytest.raises(BusyError):
            checked(good)
        assert command(good).exit_code == 75


def test_rebuild_mends(good: House) -> None:
    """What the hint says helps."""
    partition(good, "2026-11-24").write_bytes(b"")
    monthly(good, "cube").unlink()
    monthly(good, "actors").write_bytes(b"torn")
    (good.root / manifest_path(OTHER)).unlink()
    (good.root / manifest_path(THIRD)).write_bytes(b"torn")
    assert not checked(good).agrees
    assert CliRunner().invoke(app, ["run", "--rebuild", "--data-dir", str(good.root), "--now", NOW]).exit_code == 0
    assert wrong(checked(good)) == {}


def test_all_kinds_of_runs(good: House, tmp_path: Path) -> None:
    """Growing and replaced files, named paths, retries and rebuilds leave nothing that is wrong."""
    early = good.drop("early.jsonl", [record("early", timestamp="2026-11-26T00:00:00Z"), {"id": "bad"}])
    good.run()
    with early.open("ab") as file:
        file.write(b'{"id": "torn')
    good.run()
    good.now += 3 * 86_400_000_000
    run(good.settings, good.now, retry=Retry())
    assert "early" in good.events()["id"]
    assert wrong(checked(good)) == {}
    good.drop("b.jsonl", [record("other")])
    outside = tmp_path / "outside.jsonl"
    outside.write_bytes(json.dumps(record("outside")).encode())
    good.run(paths=[outside])
    assert wrong(checked(good)) == {}
    good.run()
    run(good.settings, good.now, rebuild=Rebuild(frozenset({WORKSPACE}), "2026-11"))
    report = checked(good)
    assert wrong(report) == {}
    assert report.waiting.files == 0
