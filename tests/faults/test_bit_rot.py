"""A flipped bit in any published file is found by `usage check`, named, and mended by the command that it prints."""

import random
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.check.check import check
from pipeline.contract.calendar import rfc3339
from pipeline.contract.tables import PUBLISHED, manifest_path, runs_path
from pipeline.storage import catalog, digests
from pipeline.storage.digests import Digest
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import State
from pipeline.storage.tombstones import TOMBSTONES, Tombstones, TombstonesError
from tests.faults.bit_rot import faults, flip, kinds, mend, tell
from tests.faults.histories import USERS, Missed, differences, grown
from tests.support.command import contents, done, published, refused, usage
from tests.support.data_folder import WORKSPACE, DataFolder, record
from tests.support.invoked import invoke
from tests.support.syncs import skip_syncs


@pytest.fixture(scope="module", autouse=True)
def unsynced() -> Iterator[None]:
    """Skip all syncs: no test cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        skip_syncs(patch)
        yield


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a folder with a history."""
    return grown(tmp_path_factory.mktemp("template") / "data", 1, steps=3)


@pytest.fixture
def aged(template: DataFolder, tmp_path: Path) -> DataFolder:
    """Return the test's own copy of the folder."""
    return template.copy(tmp_path / "data")


@pytest.mark.parametrize("seed", range(2))
def test_histories(tmp_path: Path, seed: int) -> None:
    """Whatever runs, erasures, retries and stopped commits leave, each file has its digest, and a flip shows."""
    tell(grown(tmp_path / "data", seed), random.Random(seed))


def test_every_place(aged: DataFolder) -> None:
    """One bit of every file, flipped at ends, in footers and elsewhere, is found and named, and nothing else is."""
    rng = random.Random(7)
    assert faults(aged) == []
    for _ in range(5):
        tell(aged, rng)


def test_every_bit_of_a_small_file(aged: DataFolder) -> None:
    """Each bit of a manifest counts, also where a reader would not notice."""
    uri = manifest_path(WORKSPACE)
    path = aged.root / uri
    with closing(State(aged.root / "state.sqlite")) as state:
        digest = state.digests()[uri]
    for byte in range(path.stat().st_size):
        for bit in range(8):
            flip(path, byte, bit)
            assert digests.of_file(path) != digest
            flip(path, byte, bit)
    assert digests.of_file(path) == digest


@pytest.mark.parametrize("number", range(7))
def test_mended(aged: DataFolder, number: int) -> None:
    """The command that the check prints mends a file of each kind; a month's, without touching another month."""
    mend(aged, kinds(aged, random.Random(number))[number], random.Random(number))


def test_the_command(aged: DataFolder) -> None:
    """The command exits with 1, names the file, and says what rebuilds its month."""
    flip(aged.root / _partition(aged), 3, 0)
    found = invoke(["check", "--data-dir", str(aged.root), "--now", rfc3339(aged.now)])
    assert found.exit_code == 1
    month = _partition(aged).split("day=")[1][:7]
    wanted = f"--rebuild --workspace {WORKSPACE} --since {month} --until {month}"
    assert f"{_partition(aged)} is damaged: {digests.WHY}; `usage run {wanted}` rebuilds it" in found.stdout


def _partition(folder: DataFolder) -> str:
    return next(uri for uri in catalog.files(FolderStore(folder.root), "events") if WORKSPACE in uri)


def test_a_missing_file(aged: DataFolder) -> None:
    """A partition that has a digest but no file is named, and no number that depends on it."""
    uri = _partition(aged)
    (aged.root / uri).unlink()
    (said,) = faults(aged)
    assert said.startswith(f"{uri} is missing; `usage run --rebuild --workspace {WORKSPACE} --since")


@pytest.fixture
def loaded(folder: DataFolder) -> DataFolder:
    """Return a folder whose next run reads every kind of file that is there already."""
    folder.drop("a.jsonl", [record("a"), {"id": "bad"}])
    folder.run()
    with (folder.root / "raw/a.jsonl").open("ab") as file:
        file.write(b'{"id": "bad too"}\n')
    folder.drop("b.jsonl", [record("b")])
    return folder


@pytest.mark.parametrize("table", ["events", "cube", "actors", "manifests", "quarantine", PUBLISHED])
def test_a_run_refuses_damage(loaded: DataFolder, table: str) -> None:
    """A run that would write rows of a damaged file again, and hide the damage, names it and changes nothing."""
    (uri,) = (uri for uri in catalog.published(FolderStore(loaded.root)) if uri.startswith(table))
    path = loaded.root / uri
    whole = path.read_bytes()
    for byte in {0, len(whole) // 2, len(whole) - 5}:
        flip(path, byte, 0)
        before = contents(loaded)
        refused(usage(loaded), f"{uri} is damaged: ")
        assert contents(loaded) == before
        flip(path, byte, 0)
    loaded.run()
    assert faults(loaded) == []


def test_runs_go_on_with_a_damaged_history(loaded: DataFolder) -> None:
    """A damaged record of earlier runs stops no run, and is still found after more records were added to its file."""
    uri = runs_path("2026-11-24")
    flip(loaded.root / uri, 30, 0)
    loaded.run()
    loaded.run()
    (said,) = faults(loaded)
    assert said.startswith(f"{uri} is damaged: ")
    flip(loaded.root / uri, 30, 0)
    assert faults(loaded) == []


def test_unknown_digests(loaded: DataFolder) -> None:
    """Without the state, the check says how many files it could not compare; the next run records all of them."""
    for path in loaded.root.glob("state.sqlite*"):
        path.unlink()
    report = check(loaded.settings, loaded.now)
    assert report.agrees
    assert "7 files have no digest to compare them with; the next run records them as they are" in report.notes
    shutil.rmtree(loaded.root / "raw")
    (loaded.root / "raw").mkdir()
    loaded.run()
    assert differences(loaded) == []
    assert not [note for note in check(loaded.settings, loaded.now).notes if "no digest" in note]


def test_an_older_state(loaded: DataFolder) -> None:
    """A state that an older release made knows no digests: check and run do without, and the run records them."""
    with closing(sqlite3.connect(loaded.root / "state.sqlite")) as database:
        database.executescript("drop table digests; pragma application_id = 0")
    assert faults(loaded) == []
    loaded.run()
    assert differences(loaded) == []


@pytest.mark.parametrize("table", ["events", "cube", "manifests", "runs"])
def test_a_planted_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    """The instrument notices a commit that records no digest for one of its files."""
    write = digests.write

    def forgetful(database: Any, found: Mapping[str, Digest]) -> None:
        write(database, {uri: digest for uri, digest in found.items() if not uri.startswith(table)})

    monkeypatch.setattr(digests, "write", forgetful)
    with pytest.raises(Missed, match=table):
        grown(tmp_path / "data", 1, steps=2)


def test_a_planted_stale_digest(aged: DataFolder) -> None:
    """The instrument notices a digest of other bytes: the check names a good file."""
    uri = _partition(aged)
    with closing(State(aged.root / "state.sqlite")) as state:
        state.add_digests({uri: Digest(1, 1)})
    assert differences(aged) == [uri]
    assert [text for text in faults(aged) if text.startswith(f"{uri} is damaged")]


def test_every_bit_of_the_tombstones(folder: DataFolder) -> None:
    """A flipped bit in the tombstones would forget somebody else: no run takes them, and the check names the file."""
    folder.drop("a.jsonl", [record("a", user={"id": USERS[0], "name": "Ada"}), record("b")])
    folder.run()
    done(usage(folder, "forget", "--apply", "--user", USERS[0]))
    done(usage(folder, "retention", "--apply", "--keep", "90d"))
    folder.run()
    path = folder.root / TOMBSTONES
    with closing(State(folder.root / "state.sqlite")) as state:
        digest = state.digests()[TOMBSTONES]
    assert digest == digests.of_file(path)
    for byte in range(digest.size):
        for bit in range(8):
            flip(path, byte, bit)
            with pytest.raises(TombstonesError):
                Tombstones.read(folder.root, digest)
            flip(path, byte, bit)
    flip(path, digest.size - 5, 0)
    before = contents(folder)
    refused(usage(folder), TOMBSTONES, "restore the file")
    assert contents(folder) == before
    (said,) = faults(folder)
    assert said.startswith(TOMBSTONES)
    path.unlink()
    refused(usage(folder, "--rebuild"), TOMBSTONES, "restore the file")


def test_every_byte_of_the_ledger(folder: DataFolder) -> None:
    """A flipped bit in an entry of the ledger is found; the remedy, without the state, gives the same tables."""
    folder.drop("a.jsonl", [record("a"), {"id": "bad"}])
    folder.run()
    before, path = published(folder), folder.root / "state.sqlite"
    with closing(sqlite3.connect(path)) as database:
        ((text,),) = database.execute("select entry from files").fetchall()
    content = path.read_bytes()
    rng = random.Random(3)
    starts = [found.start() for found in re.finditer(re.escape(text.encode()), content)]
    assert starts
    for offset in range(len(text)):
        bit = rng.randrange(8)
        for start in starts:
            flip(path, start + offset, bit)
        with pytest.raises((sqlite3.DatabaseError, UnicodeDecodeError)), closing(State(path)) as state:
            state.entries()
        for start in starts:
            flip(path, start + offset, bit)
    for start in starts:
        flip(path, start + text.index("accepted") + 11, 0)
    (said,) = faults(folder)
    assert said.startswith("state.sqlite cannot be read")
    refused(usage(folder), "state.sqlite is damaged: the entry of a.jsonl is not as it was written; remove it")
    path.unlink()
    done(usage(folder))
    assert published(folder) == before
    assert faults(folder) == []
