"""Forgotten and expired data stay out of the tables: no load, rebuild or loss of the state brings them back."""

import json

import pytest

from pipeline.storage.state import Counts
from pipeline.storage.tombstones import TOMBSTONES, Tombstone, Tombstones, append, hashed
from tests.support.command import contents, done, ledger, published, refused, total, usage
from tests.support.data_folder import NOW, DataFolder, record

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
ADA, BOB = "c0000000-0000-4000-8000-00000000000a", "d0000000-0000-4000-8000-00000000000b"
USER = Tombstone("user", NOW, sha256=hashed(ADA))
GONE = Tombstone("workspace", NOW, sha256=hashed(OTHER))
FLOOR = Tombstone("floor", NOW, day="2026-10-15")

ROWS = [
    record("ada", user={"id": ADA.upper(), "name": "Ada"}, usage={"credits": 1}),
    record("bob", user={"id": BOB, "name": "Bob"}, usage={"credits": 10}),
    record("nobody", usage={"credits": 100}),
    record("elsewhere", workspace_id=OTHER.upper(), usage={"credits": 1000}),
    record("last expired day", timestamp="2026-10-14T23:59:59.999999Z", usage={"credits": 10_000}),
    record("first day kept", timestamp="2026-10-15T00:00:00Z", usage={"credits": 100_000}),
    record("ada before", user={"id": ADA, "name": "Ada"}, timestamp="2026-09-01T00:00:00Z"),
    {"id": "bad", "user": {"id": ADA}},
]
ERASED = {
    USER: {"ada", "ada before"},
    GONE: {"elsewhere"},
    FLOOR: {"last expired day", "ada before"},
}
CREDITS = {"ada": 1, "bob": 10, "nobody": 100, "elsewhere": 1000, "last expired day": 10_000, "first day kept": 100_000}


def add_tombstones(folder: DataFolder, *which: Tombstone) -> None:
    """Add tombstones to a folder."""
    folder.root.mkdir(exist_ok=True)
    for tombstone in which:
        append(folder.root, tombstone)


def kept(*which: Tombstone) -> set[str]:
    """Return the ids of the events that the tombstones leave."""
    return {row["id"] for row in ROWS[:-1]}.difference(*(ERASED[tombstone] for tombstone in which))


def counts(which: tuple[Tombstone, ...]) -> tuple[int, int, int, int]:
    """Return the lines, accepted, duplicates and rejected. A bad line of a forgotten user is a duplicate."""
    rejected = int(USER not in which)
    return 8, len(kept(*which)), 8 - rejected - len(kept(*which)), rejected


def holds(folder: DataFolder, ids: set[str]) -> None:
    """Assert that the tables hold exactly these events and count only them."""
    assert set(folder.events()["id"]) == ids
    credits_of = sum(CREDITS.get(name, 0) for name in ids)
    assert folder.cube()["credits"].sum() == credits_of
    assert folder.actors()["credits"].sum() == credits_of
    assert folder.actors()["events"].sum() == len(ids)


COMBINATIONS = [(USER,), (GONE,), (FLOOR,), (USER, GONE, FLOOR)]


@pytest.mark.parametrize("which", COMBINATIONS, ids=["user", "workspace", "floor", "all"])
def test_load(folder: DataFolder, which: tuple[Tombstone, ...]) -> None:
    """Events of a forgotten user or workspace, or before the floor, are not loaded and count as duplicates."""
    add_tombstones(folder, *which)
    folder.drop("a.jsonl", ROWS)
    report = folder.run()
    ids = kept(*which)
    holds(folder, ids)
    assert (report.lines, report.accepted, report.duplicates, report.rejected) == counts(which)
    assert total(folder) == Counts(*counts(which))
    days = {(row["workspace_id"], row["day"]) for row in folder.events().to_dicts()}
    assert {path.parent.parent.name[13:] for path in folder.root.glob("events/*/*/*")} == {name for name, _ in days}
    assert len(list(folder.root.glob("events/*/*/*"))) == len(days)
    assert {path.stem for path in folder.root.glob("manifests/*")} == {name for name, _ in days}


@pytest.mark.parametrize("which", COMBINATIONS, ids=["user", "workspace", "floor", "all"])
def test_rebuild(folder: DataFolder, which: tuple[Tombstone, ...]) -> None:
    """A rebuild erases events that were loaded before the tombstone, and brings no erased event back."""
    folder.drop("a.jsonl", ROWS)
    folder.run()
    holds(folder, kept())
    add_tombstones(folder, *which)
    for _ in range(2):
        done(usage(folder, "--rebuild"))
        holds(folder, kept(*which))
        assert total(folder) == Counts(*counts(which))


def test_file_with_only_erased_lines(folder: DataFolder) -> None:
    """A file that has only erased lines gives no tables, and is not read again."""
    add_tombstones(folder, USER, GONE, FLOOR)
    folder.drop("a.jsonl", [row for row in ROWS[:-1] if row["id"] not in kept(USER, GONE, FLOOR)])
    assert folder.run().duplicates == 4
    assert not list(folder.root.glob("events/*"))
    assert not list(folder.root.glob("manifests/*"))
    assert folder.run().files == 0


def test_forgotten_version_loses(folder: DataFolder) -> None:
    """A forgotten user's version of another user's event is never current, whenever it was recorded."""
    add_tombstones(folder, USER)
    late = {"recorded_at": "2026-11-24T11:00:00Z", "usage": {"credits": 5}}
    folder.drop(
        "a.jsonl", [record("x", user={"id": BOB, "name": ""}), record("x", user={"id": ADA, "name": ""}, **late)]
    )
    folder.run()
    assert folder.events()["user_id"].to_list() == [BOB]


def test_later_lines_of_a_forgotten_user(folder: DataFolder) -> None:
    """New files, growing files and retried lines after the tombstone bring nothing back."""
    add_tombstones(folder, USER, GONE, FLOOR)
    early = {"timestamp": "2026-11-25T13:00:00Z"}
    path = folder.drop(
        "a.jsonl", [*ROWS, record("early", user={"id": ADA, "name": ""}, **early), record("kept", **early)]
    )
    folder.run()
    assert [row["reason"] for row in folder.quarantine()] == ["timestamp_out_of_range"]
    with path.open("ab") as file:
        file.write(json.dumps(record("grown", user={"id": ADA, "name": "again"})).encode() + b"\n")
    folder.drop("b.jsonl", ROWS)
    folder.run()
    result = usage(folder, "quarantine", "--retry", now="2026-11-24T13:00:00Z")
    done(result)
    assert result.stdout.startswith("1 lines = 1 accepted + 0 duplicates + 0 rejected")
    assert set(folder.events()["id"]) == {*kept(USER, GONE, FLOOR), "kept"}
    assert total(folder).lines == 19


def test_lost_state(folder: DataFolder) -> None:
    """The loss of state.sqlite, or of all tables too, brings nothing back."""
    add_tombstones(folder, USER, GONE, FLOOR)
    folder.drop("a.jsonl", ROWS)
    folder.run()
    before = published(folder)
    for path in folder.root.glob("state.sqlite*"):
        path.unlink()
    folder.run()
    assert published(folder) == before
    for name in contents(folder):
        if name != TOMBSTONES:
            (folder.root / name).unlink()
    for path in folder.root.glob("state.sqlite*"):
        path.unlink()
    folder.run()
    assert published(folder) == before
    assert ledger(folder)["a.jsonl"].counts.duplicates == 5


BAD_LINES = {
    "as it is": f'{{"id": "bad", "user": {{"id": "{ADA}"}}}}',
    "in capitals": f'{{"id": "bad", "user": {{"id": "{ADA.upper()}"}}}}',
    "a workspace": f'{{"id": "bad", "workspace_id": "{OTHER}"}}',
    "no JSON": f"user={ADA}",
    "behind other digits": f"abc{ADA}def",
    "by numbers": f'{{"id": "\\u0063{ADA[1:]}"}}',
    "without hyphens": f'{{"id": "{ADA.replace("-", "").upper()}", "user": 1}}',
    "a workspace without hyphens": OTHER.replace("-", ""),
    "without hyphens behind other digits": f"abc{ADA.replace('-', '')}def",
}


@pytest.mark.parametrize("line", BAD_LINES)
def test_bad_lines(folder: DataFolder, line: str) -> None:
    """A bad line that contains a forgotten id in any form is not kept. A bad line with another id is."""
    add_tombstones(folder, USER, GONE)
    folder.drop("a.jsonl", f"{BAD_LINES[line]}\n{BAD_LINES['as it is'].replace(ADA, BOB)}\n".encode())
    report = folder.run()
    assert (report.lines, report.duplicates, report.rejected) == (2, 1, 1)
    assert [row["line_number"] for row in folder.quarantine()] == [2]
    assert total(folder) == Counts(2, 0, 1, 1)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
@pytest.mark.parametrize("id_", [ADA, ADA.replace("-", "").upper(), "\\u0063" + ADA[1:]])
def test_bad_lines_in_utf_16(folder: DataFolder, encoding: str, id_: str) -> None:
    """A file in UTF-16, of which every line is rejected, keeps none that names the forgotten."""
    add_tombstones(folder, USER)
    text = "".join(f'{{"id":"{number}","user":{{"id":"{who}"}}}}\n' for number, who in enumerate((BOB, id_, BOB)))
    folder.drop("a.jsonl", text.encode(encoding))
    report = folder.run()
    assert report.duplicates == 1
    assert len(folder.quarantine()) == report.rejected == report.lines - 1


def test_the_highest_floor(folder: DataFolder) -> None:
    """The highest of several floors counts, in whatever order they were added."""
    add_tombstones(folder, FLOOR, Tombstone("floor", NOW, day="2026-11-24"), Tombstone("floor", NOW, day="2026-10-01"))
    assert Tombstones.read(folder.root).floor == "2026-11-24"
    folder.drop("a.jsonl", ROWS)
    folder.run()
    holds(folder, {"ada", "bob", "nobody", "elsewhere"})


def test_tombstones_hold_no_ids() -> None:
    """A tombstone holds no id, only a hash."""
    assert ADA not in USER.sha256
    assert len(USER.sha256) == 64


GOOD = json.dumps({"kind": "user", "at": NOW, "sha256": hashed(ADA)}).encode()
INVALID: dict[str, bytes] = {
    "torn": GOOD + b"\n" + GOOD[:-10],
    "no JSON": b"forget Ada",
    "binary": b"\xff\xfe\x00",
    "half a character": GOOD[:-2] + b'\xc3"}',
    "an array": b"[]",
    "another kind": GOOD.replace(b"user", b"team"),
    "no kind": b'{"at":"2026-11-24T12:00:00Z"}',
    "a number for a hash": GOOD.replace(b'"sha256": "', b'"sha256": 1, "x": "'),
    "an empty line": GOOD + b"\n\n" + GOOD,
    "no hash": b'{"kind":"user","at":"2026-11-24T12:00:00Z"}',
    "half a hash": GOOD.replace(hashed(ADA).encode(), hashed(ADA)[:20].encode()),
    "an id": GOOD.replace(hashed(ADA).encode(), ADA.encode()),
    "capitals": GOOD.replace(hashed(ADA).encode(), hashed(ADA).upper().encode()),
    "a floor without its day": b'{"kind":"floor","at":"2026-11-24T12:00:00Z"}',
    "a floor in another form": b'{"kind":"floor","at":"2026-11-24T12:00:00Z","day":"2026-7-01"}',
    "a floor on no day": b'{"kind":"floor","at":"2026-11-24T12:00:00Z","day":"2026-02-30"}',
}


@pytest.mark.parametrize("invalid", INVALID)
def test_invalid_file(folder: DataFolder, invalid: str) -> None:
    """A run stops at an invalid line of the tombstones, names the file and the line, and loads nothing."""
    folder.drop("a.jsonl", ROWS)
    (folder.root / TOMBSTONES).write_bytes(INVALID[invalid])
    number = 2 if invalid in {"torn", "an empty line"} else 1
    refused(usage(folder), f"{TOMBSTONES}, line {number}: ", "restore the file")
    assert set(contents(folder)) == {TOMBSTONES}
    assert ledger(folder) == {}
    assert not list(folder.root.glob("staging/*"))


@pytest.mark.parametrize("option", [(), ("--rebuild",), ("quarantine", "--retry")], ids=["run", "rebuild", "retry"])
def test_invalid_file_stops_every_run(folder: DataFolder, option: tuple[str, ...]) -> None:
    """An invalid file stops every kind of run without a change to the tables. Once restored, the next run succeeds."""
    folder.drop("a.jsonl", ROWS[2:])
    folder.run()
    folder.drop("b.jsonl", ROWS)
    (folder.root / TOMBSTONES).write_bytes(INVALID["torn"])
    before, entries = contents(folder), ledger(folder)
    refused(usage(folder, *option), TOMBSTONES)
    assert contents(folder) == before
    assert ledger(folder) == entries
    (folder.root / TOMBSTONES).write_bytes(GOOD + b"\n")
    done(usage(folder))
    assert set(folder.events()["id"]) == kept(USER)
