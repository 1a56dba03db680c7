"""`usage run --rebuild` makes the same tables from the raw files alone, whatever state the tables were in."""

import gzip
import json
from pathlib import Path

import pytest

from pipeline.load.rebuild import RawGoneError, Rebuild
from pipeline.load.results import RunReport
from pipeline.run import run
from tests.support.data_folder import WORKSPACE, DataFolder, Once, record
from tests.support.invoked import invoke

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"


def load_both(folder: DataFolder) -> None:
    """Load two workspaces, three months, versions and a bad line."""
    folder.drop(
        "a.jsonl",
        [
            record("a", usage={"credits": 5}),
            record("b", timestamp="2026-10-05T00:00:00Z", usage={"credits": 7}),
            record("c", timestamp="2026-09-05T00:00:00Z", usage={"credits": 11}),
            record("d", workspace_id=OTHER, usage={"credits": 13}),
            {"id": "bad"},
        ],
    )
    folder.run()
    folder.drop("b.jsonl", [record("a", recorded_at="2026-11-24T11:00:00Z", usage={"credits": 50})])
    folder.run()


@pytest.fixture
def loaded(once: Once) -> DataFolder:
    """Return a folder with two workspaces, three months, versions and a bad line."""
    return once(load_both)


def rebuild(
    folder: DataFolder, *workspaces: str, since: str = "", until: str = "", accept_loss: bool = False
) -> RunReport:
    """Rebuild a folder."""
    return run(folder.settings, folder.now, rebuild=Rebuild(frozenset(workspaces), since, accept_loss, until))


def test_full_rebuild(loaded: DataFolder) -> None:
    """A rebuild gives the same tables and quarantine, and counts all lines again."""
    tables, quarantine = loaded.tables(), loaded.quarantine()
    report = rebuild(loaded)
    assert loaded.tables() == tables
    assert loaded.quarantine() == quarantine
    assert (report.lines, report.accepted, report.duplicates, report.rejected) == (6, 4, 1, 1)
    assert loaded.run().files == 0


def test_damage_is_repaired(loaded: DataFolder) -> None:
    """A rebuild replaces corrupt files, restores missing files and removes foreign files."""
    tables = loaded.tables()
    events = sorted(loaded.root.glob("events/*/*/events.parquet"))
    events[0].write_bytes(b"PAR1 torn")
    events[1].unlink()
    next(loaded.root.glob("cube/*/*/*.parquet")).write_bytes(b"")
    foreign = loaded.root / f"events/workspace_id={WORKSPACE}/day=2026-08-01/events.parquet"
    foreign.parent.mkdir()
    foreign.write_bytes(events[2].read_bytes())
    rebuild(loaded)
    assert loaded.tables() == tables


@pytest.mark.parametrize(
    ("workspaces", "since", "until", "rebuilt"),
    [
        ((WORKSPACE,), "", "", {"a", "b", "c"}),
        ((OTHER,), "", "", {"d"}),
        ((), "2026-10", "", {"a", "b", "d"}),
        ((WORKSPACE,), "2026-11", "", {"a"}),
        ((), "", "2026-10", {"b", "c"}),
        ((WORKSPACE,), "2026-10", "2026-10", {"b"}),
    ],
)
def test_partial_rebuild(
    loaded: DataFolder, workspaces: tuple[str, ...], since: str, until: str, rebuilt: set[str]
) -> None:
    """A partial rebuild makes only the tables of the given workspaces and months."""
    for path in loaded.root.glob("events/*/*/events.parquet"):
        path.unlink()
    rebuild(loaded, *workspaces, since=since, until=until)
    assert set(loaded.events()["id"]) == rebuilt
    assert loaded.cube()["credits"].sum() == 81


def test_lost_raw_files(loaded: DataFolder) -> None:
    """A rebuild is refused if a raw file in the ledger no longer exists, unless the loss is accepted."""
    tables = loaded.tables()
    (loaded.root / "raw/a.jsonl").unlink()
    with pytest.raises(RawGoneError) as refusal:
        rebuild(loaded)
    assert refusal.value.files == ["a.jsonl"]
    assert loaded.tables() == tables
    rebuild(loaded, accept_loss=True)
    assert loaded.events()["id"].to_list() == ["a"]
    assert loaded.cube()["credits"].sum() == 50


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--rebuild"], 0),
        (["--rebuild", "--workspace", WORKSPACE.upper(), "--since", "2026-10"], 0),
        (["--rebuild", "--workspace", "x"], 2),
        (["--rebuild", "--since", "2026-10", "--until", "2026-10"], 0),
        (["--rebuild", "--since", "2026-13"], 2),
        (["--rebuild", "--until", "2026-00"], 2),
        (["--rebuild", "--since", "2026-11", "--until", "2026-10"], 2),
        (["--until", "2026-10"], 2),
        (["--rebuild", "somewhere"], 2),
        (["--since", "2026-10"], 2),
    ],
)
def test_command(loaded: DataFolder, arguments: list[str], code: int) -> None:
    """The options of a rebuild work together, and wrong values and combinations are refused."""
    tables = loaded.tables()
    found = invoke(["run", *arguments, "--data-dir", str(loaded.root), "--now", "2026-11-24T12:00:00Z"])
    assert found.exit_code == code, found.output
    assert loaded.tables() == tables


def test_command_refuses_loss(loaded: DataFolder, tmp_path: Path) -> None:
    """The refusal names the missing file and the option that accepts its loss."""
    (loaded.root / "raw/b.jsonl").rename(tmp_path / "b.jsonl")
    found = invoke(["run", "--rebuild", "--data-dir", str(loaded.root)])
    assert found.exit_code == 2
    assert "b.jsonl" in found.output
    assert "--accept-loss" in found.output


def test_files_from_elsewhere(loaded: DataFolder, tmp_path: Path) -> None:
    """A rebuild also reads raw files that were loaded by path, and is refused if one of them no longer exists."""
    outside = tmp_path / "outside.jsonl"
    outside.write_bytes(json.dumps(record("outside")).encode() + b"\n")
    loaded.run(paths=[outside])
    tables = loaded.tables()
    rebuild(loaded)
    assert loaded.tables() == tables
    outside.unlink()
    with pytest.raises(RawGoneError):
        rebuild(loaded)
    assert loaded.tables() == tables


def test_unreadable_raw_files(loaded: DataFolder) -> None:
    """A rebuild is refused if a loaded raw file has become unreadable.

    With the loss accepted, the file counts as unread, and a later run loads it.
    """
    tables = loaded.tables()
    path = loaded.root / "raw/b.jsonl"
    content = path.read_bytes()
    path.unlink()
    path.symlink_to("nowhere.jsonl")
    with pytest.raises(RawGoneError) as refusal:
        rebuild(loaded)
    assert refusal.value.files == ["b.jsonl"]
    assert loaded.tables() == tables
    rebuild(loaded, accept_loss=True)
    assert loaded.cube()["credits"].sum() == 36
    path.unlink()
    path.write_bytes(content)
    loaded.run()
    assert loaded.tables() == tables


def test_cut_off_raw_file(folder: DataFolder) -> None:
    """A rebuild is refused if less of a compressed file is readable than before."""
    whole = gzip.compress(b"".join(json.dumps(record(f"e{k}", kind=str(k**9))).encode() + b"\n" for k in range(3000)))
    folder.drop("a.jsonl.gz", whole)
    folder.run()
    folder.drop("a.jsonl.gz", whole[: len(whole) // 2])
    with pytest.raises(RawGoneError):
        rebuild(folder)
    assert folder.events().height == 3000
