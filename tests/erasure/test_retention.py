"""`usage retention`: days before the first kept day are erased from every table, and do not return."""

import json
import shutil
from datetime import date
from typing import Any

import pytest
from filelock import FileLock

from pipeline.contract.calendar import DAY_US, rfc3339
from pipeline.contract.formats import instant
from pipeline.contract.tables import Manifest, Published
from pipeline.storage.folder import FolderStore
from pipeline.storage.tombstones import TOMBSTONES, Tombstones
from tests.support.checked import check_passes
from tests.support.command import contents, done, ledger, total, usage
from tests.support.data_folder import NOW, WORKSPACE, DataFolder, Once, record

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
# The 41 days up to and including the day of NOW begin on 15 October.
KEEP = ("retention", "--keep", "41d")
FLOOR = "2026-10-15"


def at(timestamp: str, credits_: int, **fields: Any) -> dict[str, Any]:
    """Return an event whose id is its timestamp."""
    usage = {"credits": credits_, "languages": [{"locale": "de", "characters": credits_}]}
    return record(timestamp, timestamp=timestamp, usage=usage, **fields)


ROWS = [
    at("2026-11-24T10:00:00Z", 1),
    at("2026-10-15T00:00:00Z", 10),
    at("2026-10-14T23:59:59.999999Z", 100),
    at("2026-10-01T00:00:00Z", 1000),
    at("2026-09-30T23:59:59Z", 10_000),
    at("2026-10-14T10:00:00Z", 100_000, workspace_id=OTHER),
    at("2025-01-01T00:00:00Z", 1_000_000, workspace_id=OTHER),
]


def load(folder: DataFolder) -> None:
    """Load an expired month, a partly expired one, an expired workspace, and rejected lines."""
    folder.drop("old.jsonl", json.dumps({"id": "bad"}).encode() + b'\n{"torn')
    folder.run(instant("2026-10-14T23:59:59Z"))
    folder.drop("a.jsonl", [*ROWS, {"id": "bad"}])
    folder.run()


@pytest.fixture
def loaded(once: Once) -> DataFolder:
    """Return a folder with an expired month, a partly expired one, an expired workspace, and rejected lines."""
    return once(load)


def assert_kept(folder: DataFolder) -> None:
    """Check that every table has exactly the days from the floor on."""
    assert folder.events()["id"].to_list() == ["2026-10-15T00:00:00Z", "2026-11-24T10:00:00Z"]
    assert folder.cube()["credits"].sum() == folder.cube()["characters"].sum() == folder.actors()["credits"].sum() == 11
    assert {path.name for path in folder.root.glob("*/workspace_id=*")} == {f"workspace_id={WORKSPACE}"}
    assert {path.stem for path in folder.root.glob("manifests/*")} == {WORKSPACE}
    manifest = FolderStore(folder.root).load(f"manifests/{WORKSPACE}.json", Manifest)
    assert manifest is not None
    assert list(manifest.months) == ["2026-10", "2026-11"]


def test_gone(loaded: DataFolder) -> None:
    """--apply erases older data from tables, manifests and quarantine, and publishes; without it they are listed."""
    before, lines = contents(loaded), total(loaded)
    dry = usage(loaded, *KEEP)
    done(dry)
    assert f"the first day kept is {FLOOR}\n" in dry.stderr
    assert "warning: " in dry.stderr
    assert "--apply" in dry.stderr
    assert contents(loaded) == before
    result = usage(loaded, *KEEP, "--apply")
    done(result)
    assert result.stdout == dry.stdout
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()[1:]}
    size = sum(len(content) for name, content in before.items() if name.startswith("events/")) - sum(
        len(content) for name, content in contents(loaded).items() if name.startswith("events/")
    )
    assert rows["events"] == ["5", "5", f"{size:,}", "0"]
    assert (rows["cube"][:2], rows["cube"][3]) == (["3", "3"], "1")
    assert rows["quarantine"] == ["2", "1"]
    assert_kept(loaded)
    assert [row["source_file"] for row in loaded.quarantine()] == ["a.jsonl"]
    after = total(loaded)
    assert (after.lines, after.accepted, after.duplicates, after.rejected) == (lines.lines, lines.accepted, 2, 1)
    published = FolderStore(loaded.root).load("published.json", Published)
    assert published is not None
    assert (published.sequence, published.as_of, published.first_kept_day) == (3, NOW, date.fromisoformat(FLOOR))
    check_passes(loaded)


def test_nothing_comes_back(loaded: DataFolder) -> None:
    """Erased data do not return when a file is delivered again, after a rebuild, or when the state is lost."""
    done(usage(loaded, *KEEP, "--apply"))
    expected = loaded.tables()
    shutil.copy(loaded.root / "raw/a.jsonl", loaded.root / "raw/b.jsonl")
    loaded.run()
    assert loaded.tables() == expected
    done(usage(loaded, "--rebuild"))
    assert loaded.tables() == expected
    for path in loaded.root.glob("state.sqlite*"):
        path.unlink()
    loaded.run()
    assert loaded.tables() == expected
    assert_kept(loaded)
    check_passes(loaded)


def test_the_floor_never_falls(loaded: DataFolder) -> None:
    """A longer period keeps the floor, adds no tombstone and reports it; a shorter period erases more."""
    done(usage(loaded, *KEEP, "--apply"))
    before = contents(loaded)
    result = usage(loaded, "retention", "--keep", "400d", "--apply")
    done(result)
    assert f"stays {FLOOR}, not 2025-10-21" in result.stderr
    assert "warning" not in result.stderr
    assert contents(loaded) == before
    done(usage(loaded, "retention", "--keep", "1d", "--apply"))
    assert Tombstones.read(loaded.root).floor == "2026-11-24"
    assert loaded.events()["id"].to_list() == ["2026-11-24T10:00:00Z"]
    check_passes(loaded)


def test_nothing_expired(loaded: DataFolder) -> None:
    """If nothing has expired, only the floor is stored, so that nothing older is loaded; the next run publishes it."""
    before = contents(loaded)
    done(usage(loaded, "retention", "--keep", "36500d", "--apply"))
    after = contents(loaded)
    assert after.pop(TOMBSTONES)
    assert after == before
    assert _first_kept_day(loaded) is None
    loaded.run()
    assert _first_kept_day(loaded) == date(1926, 12, 20)


def _first_kept_day(folder: DataFolder) -> date | None:
    published = FolderStore(folder.root).published()
    assert published is not None
    return published.first_kept_day


def test_a_line_that_grows(loaded: DataFolder) -> None:
    """An expired, rejected last line without a newline is read again when it grows, and counted once."""
    done(usage(loaded, *KEEP, "--apply"))
    with (loaded.root / "raw/old.jsonl").open("ab") as file:
        file.write(b'": 1}\n')
    report = loaded.run()
    assert (report.lines, report.rejected) == (1, 1)
    counts = ledger(loaded)["old.jsonl"].counts
    assert (counts.lines, counts.duplicates, counts.rejected) == (2, 1, 1)
    check_passes(loaded)


def test_a_cut_month_that_is_empty(folder: DataFolder) -> None:
    """A partly expired month without remaining events is deleted."""
    folder.drop("a.jsonl", [at("2026-10-14T10:00:00Z", 1), at("2026-11-24T10:00:00Z", 10)])
    folder.run()
    done(usage(folder, *KEEP, "--apply"))
    manifest = FolderStore(folder.root).load(f"manifests/{WORKSPACE}.json", Manifest)
    assert manifest is not None
    assert list(manifest.months) == ["2026-11"]
    assert len(list(folder.root.glob("cube/*/*"))) == 1
    check_passes(folder)


def test_events_without_numbers(folder: DataFolder) -> None:
    """A month stays if its remaining events used nothing and so have no row in the cube."""
    folder.drop("a.jsonl", [at("2026-10-14T10:00:00Z", 0), at("2026-10-16T10:00:00Z", 0)])
    folder.run()
    done(usage(folder, *KEEP, "--apply"))
    assert folder.events()["id"].to_list() == ["2026-10-16T10:00:00Z"]
    assert folder.actors()["events"].to_list() == [1]
    check_passes(folder)


ADA, BOB = "c0000000-0000-4000-8000-00000000000a", "d0000000-0000-4000-8000-00000000000b"


@pytest.mark.parametrize(
    ("accounts", "warning"),
    [
        ([{"user_id": ADA}, {"user_id": BOB, "credits_renewal": "monthly"}], None),
        ([{"user_id": ADA.upper(), "credits_renewal": "one_time"}], "1,100 credits of 1 accounts"),
        ([{"user_id": ADA, "credits_renewal": "one_time"}, {"user_id": ADA}], None),
        (
            [{"user_id": ADA, "credits_renewal": "one_time", "period_anchor": "2026-10-02T00:00:00Z"}],
            "100 credits of 1 accounts",
        ),
        ([{"user_id": ADA, "credits_renewal": "one_time", "period_anchor": "2026-10-15T00:00:00Z"}], None),
        ([{"user_id": user, "credits_renewal": "one_time"} for user in (ADA, BOB)], "11,100 credits of 2 accounts"),
        ([{"user_id": ADA, "credits_renewal": "never"}], "accounts.jsonl, line 1: "),
    ],
)
def test_credits_that_are_not_renewed(folder: DataFolder, accounts: list[dict[str, str]], warning: str | None) -> None:
    """A warning says how many credits are erased that count against a quota for good; the erasure is done."""
    ada, bob = {"user": {"id": ADA, "name": "Ada"}}, {"user": {"id": BOB, "name": "Bob"}}
    kept = at("2026-10-15T00:00:00Z", 10, **ada)
    folder.drop(
        "a.jsonl",
        [
            kept,
            at("2026-10-14T23:59:59Z", 100, **ada),
            at("2026-10-01T00:00:00Z", 1000, workspace_id=OTHER, **ada),
            at("2026-09-30T00:00:00Z", 10_000, **bob),
            at("2026-09-29T00:00:00Z", 100_000),
        ],
    )
    folder.export(accounts=accounts)
    folder.run()
    for arguments in (KEEP, (*KEEP, "--apply")):
        result = usage(folder, *arguments)
        done(result)
        warnings = [line for line in result.stderr.splitlines() if "credits" in line]
        assert len(warnings) == bool(warning)
        for line in warnings:
            assert line.startswith("warning: ")
            assert str(warning) in line
    assert folder.events()["id"].to_list() == [kept["id"]]
    assert "credits" not in usage(folder, *KEEP, "--apply").stderr


def test_busy(loaded: DataFolder) -> None:
    """Exit code 75: during a run, no tombstone is added."""
    before = contents(loaded)
    with FileLock(loaded.root / "run.lock"):
        done(usage(loaded, *KEEP, "--apply"), 75)
    assert contents(loaded) == before


@pytest.mark.parametrize("keep", ["", "400", "0d", "d", "-1d", "1.5d", "13m", "100000d", "400 d"])
def test_wrong_options(loaded: DataFolder, keep: str) -> None:
    """Exit code 2: a period that is not a valid number of days is refused."""
    before = contents(loaded)
    done(usage(loaded, "retention", f"--keep={keep}", "--apply"), 2)
    assert contents(loaded) == before


def test_a_clock_before_the_floor(folder: DataFolder) -> None:
    """Lines that are rejected while the clock is wrong do not expire at once: they can be retried when it is right."""
    done(usage(folder, "retention", "--keep", "1d", "--apply"))
    folder.drop("a.jsonl", [record("a"), {"id": "bad"}])
    assert folder.run(folder.now - 2 * DAY_US).rejected == 2
    check_passes(folder)
    done(usage(folder, "retention", "--keep", "1d", "--apply"))
    done(usage(folder, "quarantine", "--retry"))
    check_passes(folder)
    assert (folder.events()["id"].to_list(), len(folder.quarantine())) == (["a"], 1)


@pytest.mark.parametrize(("later", "left"), [(0, 2), (DAY_US - 1 - DAY_US // 2, 2), (DAY_US // 2, 1)])
def test_days_of_utc(loaded: DataFolder, later: int, left: int) -> None:
    """The floor moves at midnight UTC."""
    done(usage(loaded, *KEEP, "--apply", now=rfc3339(loaded.now + later)))
    assert loaded.events().height == left
