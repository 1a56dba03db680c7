"""`usage forget`: no data of a user or a workspace is left or returns, and everybody else's data stay."""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from pipeline import keys
from pipeline.load.job import Limits
from pipeline.storage.tombstones import TOMBSTONES, Tombstone, append, hashed
from tests.hostile import deliver
from tests.oracle import Event, load
from tests.oracle.forgetting import forget
from tests.support.checked import check_passes
from tests.support.command import contents, done, ledger, published, total, usage
from tests.support.data_folder import NOW, WORKSPACE, DataFolder
from tests.support.forgetting import ADA, BOB, FORGET, OTHER, by, files_with, never_kept
from tests.support.naming import NIL


@pytest.mark.parametrize("who", FORGET)
def test_gone(populated: DataFolder, who: str) -> None:
    """The tables equal the tables of a load without the forgotten; no file has their ids, and every line is counted."""
    before, lines = published(populated), total(populated)
    result = usage(populated, "forget", *FORGET[who])
    done(result)
    assert "--apply" in result.stderr
    assert not (populated.root / TOMBSTONES).exists()
    assert published(populated) == before
    applied = usage(populated, "forget", *FORGET[who], "--apply")
    done(applied)
    assert applied.stdout == result.stdout
    assert published(populated) == never_kept(populated, FORGET[who])
    days = {(path.parts[-3], path.parts[-2][4:11]) for path in populated.root.glob("events/*/*/events.parquet")}
    for table in ("cube", "actors"):
        assert {(path.parts[-3], path.parts[-2][6:]) for path in populated.root.glob(f"{table}/*/*/*")} == days
    for id_ in FORGET[who][1::2]:
        assert files_with(populated, id_.lower()) == files_with(populated, id_.lower().replace("-", "")) == []
    assert applied.stdout.endswith("that name them: 5\n") is ("--user" in FORGET[who])
    check_passes(populated)
    after = total(populated)
    assert (after.lines, after.accepted, after.blank) == (lines.lines, lines.accepted, lines.blank)
    assert after.rejected == len(published(populated)["quarantine"]) < lines.rejected
    assert not list(populated.root.glob("staging/*"))


@pytest.mark.parametrize("who", FORGET)
def test_nothing_comes_back(populated: DataFolder, who: str) -> None:
    """Erased data do not return when the files are delivered again, after a rebuild, or when the state is lost."""
    done(usage(populated, "forget", *FORGET[who], "--apply"))
    expected = published(populated)
    for name in "abc":
        shutil.copy(populated.root / f"raw/{name}.jsonl", populated.root / f"raw/{name} again.jsonl")
    populated.run()
    (populated.root / "raw/a again.jsonl").unlink()
    for tables in ("events", "cube", "actors"):
        assert published(populated)[tables] == expected[tables]
    for name in "bc":
        (populated.root / f"raw/{name} again.jsonl").unlink()
    done(usage(populated, "--rebuild", "--accept-loss"))
    assert published(populated) == expected
    for path in populated.root.glob("state.sqlite*"):
        path.unlink()
    populated.run()
    assert published(populated) == expected
    check_passes(populated)


def test_the_search_in_raw_files(populated: DataFolder) -> None:
    """The command that finds a user in the raw files looks for both spellings of the id."""
    result = usage(populated, "forget", "--user", ADA.upper())
    assert f" -e {ADA} -e {ADA.replace('-', '')} raw/" in result.stderr


def test_keys(populated: DataFolder) -> None:
    """The local keys of forgotten users and workspaces are deleted, and all other keys stay."""
    done(usage(populated, "forget", "--user", ADA, "--workspace", OTHER, "--apply"))
    assert [(key.workspace_id, key.user_id) for _, key in keys.stored(populated.root / "directory")] == [
        (WORKSPACE, BOB)
    ]


def test_a_line_that_grows(populated: DataFolder) -> None:
    """A forgotten last line without a newline is read again when it grows, and counted once."""
    done(usage(populated, "forget", "--user", ADA, "--apply"))
    with (populated.root / "raw/a.jsonl").open("ab") as file:
        file.write(b"}\n" + json.dumps(by(BOB, "more")).encode() + b"\n")
    report = populated.run()
    assert (report.lines, report.accepted, report.duplicates) == (2, 1, 1)
    assert files_with(populated, ADA) == []
    assert ledger(populated)["a.jsonl"].counts.lines == 12
    check_passes(populated)


def test_twice_and_unknown(populated: DataFolder) -> None:
    """Forgetting a user twice, or a user without data, erases nothing; each tombstone is added once."""
    done(usage(populated, "forget", "--user", ADA, "--apply"))
    before = contents(populated)
    done(usage(populated, "forget", "--user", ADA, "--apply"))
    assert contents(populated) == before
    unknown = "eeeeeeee-0000-4000-8000-000000000001"
    done(usage(populated, "forget", "--user", unknown, "--workspace", unknown, "--apply"))
    tombstones = (populated.root / TOMBSTONES).read_bytes().splitlines()
    assert len(tombstones) == 3
    assert contents(populated) == {**before, TOMBSTONES: (populated.root / TOMBSTONES).read_bytes()}


def test_an_older_version_of_others(folder: DataFolder) -> None:
    """An event is erased if its current version is the user's; a redelivered older version by another user counts."""
    late = {"recorded_at": "2026-11-24T11:00:00Z"}
    folder.drop("a.jsonl", [by(BOB, "x"), by(ADA, "x", **late), by(BOB, "y", **late), by(ADA, "y")])
    folder.run()
    done(usage(folder, "forget", "--user", ADA, "--apply"))
    assert folder.events()["id"].to_list() == ["y"]
    folder.drop("b.jsonl", [by(BOB, "x")])
    folder.run()
    assert folder.events()["id"].to_list() == ["x", "y"]
    assert set(folder.events()["user_id"]) == {BOB}


def test_tombstones_from_a_backup(populated: DataFolder) -> None:
    """The next run applies tombstones that it finds, for instance from a restored backup."""
    append(populated.root, Tombstone("user", NOW, sha256=hashed(ADA)))
    populated.run()
    assert published(populated) == never_kept(populated, ("--user", ADA))
    assert files_with(populated, ADA) == []


def test_numbers_stay(populated: DataFolder) -> None:
    """A day that only names the forgotten is rewritten with the same numbers, and every other column of its events."""
    day = pl.col("day") == "2026-10-01"
    events, cube = populated.events().filter(day), populated.cube().filter(pl.col("quarter") < pl.date(2026, 11, 1))
    done(usage(populated, "forget", "--user", ADA, "--apply"))
    found = populated.events().filter(day)
    assert found["metadata"].to_list() == [f'{{"who":"<{NIL}>"}}']
    assert found.drop("metadata").equals(events.drop("metadata"))
    assert populated.cube().filter(pl.col("quarter") < pl.date(2026, 11, 1)).equals(cube)


def test_everything(populated: DataFolder) -> None:
    """When all workspaces are forgotten, the tables are empty and the check passes."""
    done(usage(populated, "forget", "--workspace", OTHER, "--workspace", WORKSPACE, "--apply"))
    assert not [name for name in contents(populated) if name.startswith(("events", "cube", "actors", "manifests"))]
    check_passes(populated)


class Hostile(NamedTuple):
    """A folder that has loaded a hostile delivery, whom to forget of it, and what the oracle says is left then.

    Attributes:
        template: the folder.
        command: forgets the first person, whom everybody names, and a workspace.
        places: how many places name the person.
        before: the number of events at first.
        left: the events that stay.
        rebuilt: the ids of the events of a rebuild.
    """

    template: DataFolder
    command: list[str]
    places: int
    before: int
    left: list[Event]
    rebuilt: set[str]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    """Return a loaded folder of a hostile delivery where everybody names the first person."""
    folder = DataFolder(tmp_path_factory.mktemp("hostile") / "data")
    delivery = deliver(3, folder.now, events=100, edges=10)
    user, workspace = delivery.cast.people[0].id, delivery.cast.busy_workspaces[0]
    spellings = [user, user.upper(), user.replace("-", ""), f"by {user}/{user.replace('-', '').upper()}"]
    naming = [
        by(
            delivery.cast.people[number % 3].id,
            f"names {number}",
            workspace_id=delivery.cast.busy_workspaces[number % 4],
            timestamp=f"2026-11-{number % 20 + 1:02d}T10:00:00Z",
            resource={"type": "member", "id": spelling if number % 2 else "r"},
            metadata={"who": [spelling], spelling: number / 4},
        )
        for number, spelling in enumerate(spellings * 10)
    ]
    delivery.files.append(("naming.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in naming)))
    for name, content in delivery.files:
        folder.drop(name, content)
    folder.run()
    before = load(dict(delivery.files), folder.now).events
    doomed = min({event.workspace_id for event in before} - {workspace})
    left = [forget(event, {user}) for event in before if event.workspace_id != doomed]
    rebuilt = load(dict(delivery.files), folder.now, [user]).events
    return Hostile(
        folder,
        ["forget", "--user", user, "--workspace", doomed, "--apply"],
        sum(places for _, places in left),
        len(before),
        [event for event, _ in left if event is not None],
        {event.id for event in rebuilt if event.workspace_id != doomed},
    )


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("workers", [1, 2])
def test_against_the_oracle(hostile: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    """Exactly the events of everybody else stay, without the ids of the forgotten, however many are merged at once."""
    folder, left = hostile.template.copy(tmp_path / "data"), hostile.left
    folder.limits = Limits(processes_days=-1, rerun_days=20, stored_bytes=20_000)
    monkeypatch.setenv("USAGE_WORKERS", str(workers))
    result = usage(folder, *hostile.command)
    done(result)
    assert f"that name them: {hostile.places:,}\n" in result.stdout
    assert 0 < len(left) < hostile.before
    expected = [(event.workspace_id, json.loads(event.canonical())) for event in left]
    frame = folder.events().with_columns(pl.col("timestamp", "recorded_at").dt.epoch("us"))
    found = [(row.pop("workspace_id"), dict(sorted(row.items()))) for row in frame.drop("day").to_dicts()]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert folder.cube()["credits"].sum() == sum(event.credits for event in left) == folder.actors()["credits"].sum()
    check_passes(folder)
    assert not list(folder.root.glob("staging/*"))
    done(usage(folder, "--rebuild"))
    assert set(folder.events()["id"]) == hostile.rebuilt
