"""`usage forget`: of a user or a workspace nothing is left and nothing comes back, and everybody else's stays."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from filelock import FileLock

from pipeline import keys
from pipeline.check.check import check
from pipeline.contract.directory import Member
from pipeline.load.job import Limits
from pipeline.storage.tombstones import TOMBSTONES, Tombstone, append, hashed
from tests.hostile import Delivery, deliver
from tests.oracle import Oracle, load
from tests.support.command import contents, done, interrupt_commit, ledger, published, refused, total, usage
from tests.support.data_folder import NOW, WORKSPACE, DataFolder, record

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
ADA, BOB = "c0000000-0000-4000-8000-00000000000a", "d0000000-0000-4000-8000-00000000000b"
FORGET = {
    "user": ("--user", ADA.upper()),
    "workspace": ("--workspace", OTHER),
    "both": ("--user", ADA, "--workspace", OTHER, "--user", ADA),
}


def by(user: str, id_: str, **fields: Any) -> dict[str, Any]:
    """Return a record of a user."""
    return record(id_, **{"user": {"id": user, "name": "Ada" if user == ADA else "Bob"}, **fields})


def used(credits_: int) -> dict[str, Any]:
    """Return the usage of an event."""
    return {"credits": credits_, "languages": [{"locale": "de", "characters": 7}, {"locale": "fr", "characters": 3}]}


@pytest.fixture
def loaded(folder: DataFolder) -> DataFolder:
    """Return a folder where a user has days and months alone and with others, rejected lines and a key."""
    early = {"timestamp": "2026-09-05T00:00:00Z"}
    rows = [
        by(ADA, "with others", usage=used(1)),
        by(BOB, "bob", usage=used(10)),
        record("nobody", usage=used(100)),
        by(ADA, "a day alone", timestamp="2026-11-20T10:00:00Z", usage=used(1000)),
        by(ADA, "a month alone", **early),
        by(BOB, "elsewhere", workspace_id=OTHER, usage=used(10_000)),
        by(ADA, "ada elsewhere", workspace_id=OTHER, **early),
        {"id": "bad", "user": {"id": ADA.upper()}},
        {"id": "bad", "workspace_id": OTHER},
        {"id": "bad", "user": {"id": BOB}},
    ]
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    folder.drop("a.jsonl", lines + f'{{"torn": "{ADA}"'.encode())
    folder.drop("b.jsonl", [{"id": "bad", "user": {"id": ADA}}, {"id": "bad", "workspace_id": OTHER}])
    folder.run()
    folder.drop("c.jsonl", [by(ADA, "with others", recorded_at="2026-11-24T11:00:00Z", usage=used(2))])
    folder.run()
    members = [
        Member(workspace, user, "", "admin", "active") for workspace in (WORKSPACE, OTHER) for user in (ADA, BOB)
    ]
    keys.write_rows(folder.root / "directory/members.jsonl", members)
    for number, member in enumerate(members):
        keys.create(folder.root, key_id=f"key_{number}", workspace_id=member.workspace_id, user_id=member.user_id)
    return folder


def agrees(folder: DataFolder) -> None:
    """Demand that the check finds nothing wrong and the ledger adds up."""
    report = check(folder.settings, folder.now)
    assert report.agrees, report
    ledger(folder)


def names(folder: DataFolder, id_: str) -> list[str]:
    """Return the files, or their folders, that hold an id in clear, but for those that are not ours to change."""
    found = []
    for path in folder.root.rglob("*"):
        name = path.relative_to(folder.root)
        if name.parts[0] == "raw" or name.as_posix() == "directory/members.jsonl":
            continue
        content = path.read_bytes().lower() if path.is_file() else b""
        if path.suffix == ".parquet":
            content = json.dumps(pl.read_parquet(path).to_dicts(), default=str).lower().encode()
        if id_ in str(name) or id_.encode() in content:
            found.append(str(name))
    return found


def without(folder: DataFolder, arguments: tuple[str, ...]) -> dict[str, Any]:
    """Return the tables of a folder that knew from the beginning what is to be forgotten."""
    fresh = DataFolder(folder.root.with_name("fresh"))
    shutil.copytree(folder.root / "raw", fresh.root / "raw")
    for option, id_ in zip(arguments[::2], arguments[1::2], strict=True):
        kind: Any = option.removeprefix("--")
        append(fresh.root, Tombstone(kind, NOW, sha256=hashed(id_.lower())))
    fresh.run()
    return published(fresh)


@pytest.mark.parametrize("who", FORGET)
def test_gone(loaded: DataFolder, who: str) -> None:
    """What is left is what a folder has that never kept the forgotten; no file holds their ids, no line is lost."""
    before, lines = published(loaded), total(loaded)
    result = usage(loaded, "forget", *FORGET[who])
    done(result)
    assert "--apply" in result.stderr
    assert not (loaded.root / TOMBSTONES).exists()
    assert published(loaded) == before
    applied = usage(loaded, "forget", *FORGET[who], "--apply")
    done(applied)
    assert applied.stdout == result.stdout
    assert published(loaded) == without(loaded, FORGET[who])
    days = {(path.parts[-3], path.parts[-2][4:11]) for path in loaded.root.glob("events/*/*/events.parquet")}
    for table in ("cube", "actors"):
        assert {(path.parts[-3], path.parts[-2][6:]) for path in loaded.root.glob(f"{table}/*/*/*")} == days
    for id_ in FORGET[who][1::2]:
        assert names(loaded, id_.lower()) == []
    agrees(loaded)
    after = total(loaded)
    assert (after.lines, after.accepted, after.blank) == (lines.lines, lines.accepted, lines.blank)
    assert after.rejected == len(published(loaded)["quarantine"]) < lines.rejected
    assert not list(loaded.root.glob("staging/*"))


@pytest.mark.parametrize("who", FORGET)
def test_nothing_comes_back(loaded: DataFolder, who: str) -> None:
    """Neither another delivery of the same files, nor a rebuild, nor the loss of the state changes anything."""
    done(usage(loaded, "forget", *FORGET[who], "--apply"))
    expected = published(loaded)
    for name in "abc":
        shutil.copy(loaded.root / f"raw/{name}.jsonl", loaded.root / f"raw/{name} again.jsonl")
    loaded.run()
    (loaded.root / "raw/a again.jsonl").unlink()
    for tables in ("events", "cube", "actors"):
        assert published(loaded)[tables] == expected[tables]
    for name in "bc":
        (loaded.root / f"raw/{name} again.jsonl").unlink()
    done(usage(loaded, "--rebuild", "--accept-loss"))
    assert published(loaded) == expected
    for path in loaded.root.glob("state.sqlite*"):
        path.unlink()
    loaded.run()
    assert published(loaded) == expected
    agrees(loaded)


def test_keys(loaded: DataFolder) -> None:
    """Keys made here of the forgotten go, those of others stay."""
    done(usage(loaded, "forget", "--user", ADA, "--workspace", OTHER, "--apply"))
    assert [(key.workspace_id, key.user_id) for _, key in keys.stored(loaded.root)] == [(WORKSPACE, BOB)]


def test_a_line_that_grows(loaded: DataFolder) -> None:
    """A forgotten last line without newline is read again with what follows, and counted once."""
    done(usage(loaded, "forget", "--user", ADA, "--apply"))
    with (loaded.root / "raw/a.jsonl").open("ab") as file:
        file.write(b"}\n" + json.dumps(by(BOB, "more")).encode() + b"\n")
    report = loaded.run()
    assert (report.lines, report.accepted, report.duplicates) == (2, 1, 1)
    assert names(loaded, ADA) == []
    assert ledger(loaded)["a.jsonl"].counts.lines == 12
    agrees(loaded)


def test_twice_and_unknown(loaded: DataFolder) -> None:
    """Who is forgotten already, or has nothing, changes nothing; a tombstone is laid once."""
    done(usage(loaded, "forget", "--user", ADA, "--apply"))
    before = contents(loaded)
    done(usage(loaded, "forget", "--user", ADA, "--apply"))
    assert contents(loaded) == before
    unknown = "eeeeeeee-0000-4000-8000-000000000001"
    done(usage(loaded, "forget", "--user", unknown, "--workspace", unknown, "--apply"))
    laid = (loaded.root / TOMBSTONES).read_bytes().splitlines()
    assert len(laid) == 3
    assert contents(loaded) == {**before, TOMBSTONES: (loaded.root / TOMBSTONES).read_bytes()}


def test_an_older_version_of_others(folder: DataFolder) -> None:
    """An event whose standing version is theirs goes whole; an older one by others stands when it comes again."""
    late = {"recorded_at": "2026-11-24T11:00:00Z"}
    folder.drop("a.jsonl", [by(BOB, "x"), by(ADA, "x", **late), by(BOB, "y", **late), by(ADA, "y")])
    folder.run()
    done(usage(folder, "forget", "--user", ADA, "--apply"))
    assert folder.events()["id"].to_list() == ["y"]
    folder.drop("b.jsonl", [by(BOB, "x")])
    folder.run()
    assert folder.events()["id"].to_list() == ["x", "y"]
    assert set(folder.events()["user_id"]) == {BOB}


def test_by_hand(loaded: DataFolder) -> None:
    """Tombstones that are there, from a backup for instance, are carried out by the next run."""
    append(loaded.root, Tombstone("user", NOW, sha256=hashed(ADA)))
    loaded.run()
    assert published(loaded) == without(loaded, ("--user", ADA))
    assert names(loaded, ADA) == []


def test_strays(loaded: DataFolder) -> None:
    """What a lost commit left behind of cube and actors may hold anything of anybody, and goes too."""
    (path,) = loaded.root.glob(f"actors/workspace_id={WORKSPACE}/month=2026-09/*.parquet")
    strays = [path.with_name("stray.parquet"), path.parents[1] / "month=2026-01/stray.parquet"]
    strays[1].parent.mkdir()
    for stray in strays:
        shutil.copy(path, stray)
    done(usage(loaded, "forget", "--user", ADA, "--apply"))
    assert published(loaded) == without(loaded, ("--user", ADA))
    assert not any(stray.exists() for stray in strays)
    assert names(loaded, ADA) == []


def test_everything(loaded: DataFolder) -> None:
    """When all workspaces are forgotten the tables are empty, and the check agrees."""
    done(usage(loaded, "forget", "--workspace", OTHER, "--workspace", WORKSPACE, "--apply"))
    assert not [name for name in contents(loaded) if name.startswith(("events", "cube", "actors", "manifests"))]
    agrees(loaded)


def test_an_unfinished_commit(loaded: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that was broken off is finished first."""
    loaded.drop("d.jsonl", [by(BOB, "late"), by(ADA, "late too")])
    interrupt_commit(loaded, monkeypatch, 2)
    done(usage(loaded, "forget", "--user", ADA, "--apply"))
    assert published(loaded) == without(loaded, ("--user", ADA))
    agrees(loaded)


@pytest.mark.parametrize("options", [["--apply"], []])
def test_busy(loaded: DataFolder, options: list[str]) -> None:
    """75: while a run is at work nothing is laid and nothing is looked at."""
    before = contents(loaded)
    with FileLock(loaded.root / "run.lock"):
        result = usage(loaded, "forget", "--user", ADA, *options)
    done(result, 75)
    assert contents(loaded) == before


@pytest.mark.parametrize("arguments", [[], ["--user", "ada"], ["--workspace", f"{OTHER}0"]])
def test_wrong_options(loaded: DataFolder, arguments: list[str]) -> None:
    """2: somebody has to be named, by a UUID."""
    before = contents(loaded)
    done(usage(loaded, "forget", *arguments, "--apply"), 2)
    assert contents(loaded) == before


def test_damage(loaded: DataFolder) -> None:
    """1: what cannot be read is named; the tombstone is laid, and a rebuild takes all away."""
    (path,) = loaded.root.glob(f"actors/workspace_id={WORKSPACE}/month=2026-09/*.parquet")
    path.write_bytes(b"PAR1 torn")
    refused(usage(loaded, "forget", "--user", ADA, "--apply"), "actors/")
    done(usage(loaded, "--rebuild"))
    assert published(loaded) == without(loaded, ("--user", ADA))
    assert names(loaded, ADA) == []


def test_broken_keys(loaded: DataFolder) -> None:
    """1: keys that cannot be told are named, and the next run does all of it once they are mended."""
    path = loaded.root / "directory/api_keys.local.jsonl"
    content = path.read_bytes()
    path.write_text("{")
    refused(usage(loaded, "forget", "--user", ADA, "--apply"), "api_keys.local.jsonl, line 1")
    path.write_bytes(content)
    loaded.run()
    assert published(loaded) == without(loaded, ("--user", ADA))
    assert names(loaded, ADA) == []


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataFolder, Delivery, Oracle]:
    """Return a folder that has loaded a hostile delivery, the delivery, and the oracle's view of it."""
    folder = DataFolder(tmp_path_factory.mktemp("hostile") / "data")
    delivery = deliver(3, folder.now)
    for name, content in delivery.files:
        folder.drop(name, content)
    folder.run()
    return folder, delivery, load(dict(delivery.files), folder.now)


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("workers", [1, 2])
def test_against_the_oracle(
    hostile: tuple[DataFolder, Delivery, Oracle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """Exactly the oracle's events of everybody else stay after a hostile delivery, whatever is merged at once."""
    template, delivery, oracle = hostile
    folder = template.copy(tmp_path / "data")
    folder.limits = Limits(processes_days=-1, rerun_days=60, stored_bytes=60_000)
    (workspace, user), *_ = delivery.tokens
    doomed = min({event.workspace_id for event in oracle.events} - {workspace})
    command = ["forget", "--user", user, "--workspace", doomed, "--apply"]
    monkeypatch.setenv("USAGE_WORKERS", str(workers))
    done(usage(folder, *command))
    kept = [event for event in oracle.events if event.user_id != user and event.workspace_id != doomed]
    assert 0 < len(kept) < len(oracle.events)
    expected = [(event.workspace_id, json.loads(event.canonical())) for event in kept]
    frame = folder.events().with_columns(pl.col("timestamp", "recorded_at").dt.epoch("us"))
    found = [(row.pop("workspace_id"), dict(sorted(row.items()))) for row in frame.drop("day").to_dicts()]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert folder.cube()["credits"].sum() == sum(event.credits for event in kept) == folder.actors()["credits"].sum()
    agrees(folder)
    assert not list(folder.root.glob("staging/*"))


@pytest.mark.parametrize("others", [[], [by(BOB, "kept", timestamp="2026-08-01T11:00:00Z")]])
def test_after_a_load_that_was_lost(
    loaded: DataFolder, monkeypatch: pytest.MonkeyPatch, others: list[dict[str, Any]]
) -> None:
    """Events of a commit that was lost half-way, which the actors do not know of, go all the same."""
    loaded.run()  # has the deletes of the run before behind it
    loaded.drop("d.jsonl", [by(ADA, "lost", timestamp="2026-08-01T10:00:00Z"), *others])
    interrupt_commit(loaded, monkeypatch, 1)  # after the partition of events
    assert "lost" in loaded.events()["id"].to_list()
    shutil.rmtree(loaded.root / "staging")
    done(usage(loaded, "forget", "--user", ADA, "--apply"))
    assert ADA not in loaded.events()["user_id"].to_list()
    loaded.run()
    assert ADA not in loaded.events()["user_id"].to_list()
    assert ("kept" in loaded.events()["id"].to_list()) == bool(others)
    agrees(loaded)
