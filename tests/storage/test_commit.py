"""A commit alone: whatever interrupts it, manifests name whole files, and the next run finishes it or discards it."""

import json
import random
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.storage.commit import commit, recover
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import Counts, Entry, State
from pipeline.storage.store import Operation
from pipeline.storage.tombstones import Tombstones
from pipeline.storage.unread import Unread
from tests.support.disk import Disk, possible_trees, write_folder

FIRST, SECOND, OTHER = (f"01KB{digit * 22}" for digit in "ABC")  # ids of runs
FOLDER = "workspace_id=w/month=2026-11"
MANIFEST = "manifests/w.json"


def entry(path: str, run: str) -> Entry:
    """Return the ledger's record of a raw file."""
    return Entry(path, 1, 2, 3, run, Counts(lines=1, accepted=1), Counts())


def write_parquet(store: FolderStore, uri: str, run: str | None) -> None:
    """Write a Parquet file that names a run, or none."""
    store.path(uri).parent.mkdir(parents=True, exist_ok=True)
    rows = pa.table({"n": [1]})
    pq.write_table(rows.replace_schema_metadata({"run": run}) if run else rows, store.path(uri))


def stage(store: FolderStore, run: str, replaced: str = "") -> list[Operation]:
    """Stage a table of one workspace and its manifest, and return the operations that publish them."""
    operations = []
    for number, final in enumerate((f"events/{FOLDER}/{run}.parquet", f"cube/{FOLDER}/{run}.parquet")):
        write_parquet(store, f"staging/{run}/{number}", run)
        operations.append(store.staged(f"staging/{run}/{number}", final))
    manifest = json.dumps({"run": run, "files": [operation.final for operation in operations]}).encode()
    operations += [Operation("sync"), store.stage(f"staging/{run}/manifest", MANIFEST, manifest), Operation("sync")]
    if replaced:
        operations += [Operation("delete", f"{table}/{FOLDER}/{replaced}.parquet") for table in ("events", "cube")]
    return operations


def readable(root: Path) -> str | None:
    """Return the run of the manifest, after asserting that every file that it names is whole and of that run."""
    if not (root / MANIFEST).exists():
        return None
    manifest = json.loads((root / MANIFEST).read_text())
    for uri in manifest["files"]:
        assert pq.read_metadata(root / uri).metadata[b"run"].decode() == manifest["run"]
        assert pq.read_table(root / uri, partitioning=None).num_rows == 1
    return str(manifest["run"])


def files_of(root: Path) -> set[str]:
    """Return the runs whose files are in the tables, and where."""
    paths = [path.relative_to(root).as_posix() for path in root.rglob("*.parquet")]
    return {f"{path.split('/')[0]} {Path(path).stem}" for path in paths if not path.startswith("staging/")}


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Return an empty data folder."""
    (tmp_path / "data/raw").mkdir(parents=True)
    return FolderStore(tmp_path / "data")


@pytest.fixture
def state(store: FolderStore) -> Iterator[State]:
    """Return the state of the data folder."""
    state = State(store.path("state.sqlite"))
    yield state
    state.close()


@pytest.fixture
def committed(store: FolderStore, state: State) -> FolderStore:
    """Return a data folder with one commit."""
    commit(store, state, FIRST, stage(store, FIRST), [entry("a.jsonl", FIRST)])
    return store


def begin(store: FolderStore, state: State, operations: list[Operation] | None = None) -> list[Operation]:
    """Begin the second commit, as far as the transaction."""
    operations = operations or stage(store, SECOND, replaced=FIRST)
    state.begin(SECOND, operations, [entry("b.jsonl", SECOND)], rebuilt=False, complete=False)
    return operations


def test_a_commit(committed: FolderStore, state: State) -> None:
    """A commit publishes its files, records the raw files and leaves only its deletes in the journal."""
    assert readable(committed.root) == FIRST
    assert state.journal() is None
    operations = stage(committed, SECOND, replaced=FIRST)
    commit(committed, state, SECOND, operations, [entry("b.jsonl", SECOND)])
    assert readable(committed.root) == SECOND
    assert files_of(committed.root) == {f"events {SECOND}", f"cube {SECOND}"}
    assert not any(path.is_file() for path in committed.path("staging").rglob("*"))
    assert set(state.entries()) == {"a.jsonl", "b.jsonl"}
    assert state.journal() == (SECOND, operations[-2:])


def test_what_a_commit_records(committed: FolderStore, state: State) -> None:
    """A commit says whether its raw files are all that count, whether all were read, what was erased and is unread."""
    assert not state.is_trusted()
    erased, unread = Tombstones(floor="2026-10-15"), {"c.jsonl": Unread("c.jsonl", "gone")}
    commit(committed, state, SECOND, [], [entry("b.jsonl", SECOND)], carried_out=erased, unread=unread)
    assert set(state.entries()) == {"a.jsonl", "b.jsonl"}
    assert not state.is_trusted()
    assert (state.carried_out(), state.unread()) == (erased, unread)
    commit(committed, state, OTHER, [], [entry("c.jsonl", OTHER)], rebuilt=True, complete=True)
    assert set(state.entries()) == {"c.jsonl"}
    assert state.is_trusted()
    assert (state.carried_out(), state.unread()) == (erased, unread)


def test_power_cut_at_any_moment(
    committed: FolderStore, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a power cut leaves, the manifest names whole files, and recovery leaves one commit whole."""
    operations = stage(committed, SECOND, replaced=FIRST)
    disk = Disk(committed.root)
    with monkeypatch.context() as patch:
        disk.watch(patch)
        disk.durable = {path: content for path, content in disk.durable.items() if not path.startswith("staging/")}
        commit(committed, state, SECOND, operations, [entry("b.jsonl", SECOND)])
        disk.end()
    rng, seen, numbers = random.Random(1), set(), count()
    for moment in disk.moments:
        draws = 20 if moment.unsynced else 1  # each may be there in part, or not at all
        for tree in chain.from_iterable(possible_trees(moment, rng) for _ in range(draws)):
            cut = FolderStore(tmp_path / f"cut-{next(numbers)}")
            cut.root.mkdir()
            write_folder(tree, committed.path("raw"), cut.root)
            before = readable(cut.root)
            recovering = State(cut.path("state.sqlite"))
            recover(cut, recovering)
            after = SECOND if "b.jsonl" in recovering.entries() else FIRST
            assert readable(cut.root) == after, moment.before
            assert before in {FIRST, after}
            assert files_of(cut.root) == {f"events {after}", f"cube {after}"}
            assert not recovering.is_committing()
            recovering.close()
            seen.add((before, after))
    assert seen == {(FIRST, FIRST), (FIRST, SECOND), (SECOND, SECOND)}


@pytest.mark.parametrize("done", range(8))
def test_interrupted_after(committed: FolderStore, state: State, done: int) -> None:
    """Recovery finishes a commit of which any number of operations are done, and can itself be repeated."""
    operations = begin(committed, state)
    committed.make_folders(operations)
    for operation in operations[:done]:
        committed.apply(operation)
    for _ in range(2):
        recover(committed, state)
        assert readable(committed.root) == SECOND
        assert files_of(committed.root) == {f"events {SECOND}", f"cube {SECOND}"}
        assert set(state.entries()) == {"a.jsonl", "b.jsonl"}
        assert not state.is_committing()


def test_folders_lost(committed: FolderStore, state: State) -> None:
    """Recovery creates the folders of the files that it publishes: a power cut may have lost them."""
    begin(committed, state)
    committed.clear("events")
    recover(committed, state)
    assert readable(committed.root) == SECOND


def test_nothing_to_recover(store: FolderStore, state: State) -> None:
    """Without a commit, recovery changes nothing."""
    recover(store, state)
    assert state.journal() is None
    assert state.discarded_files() == set()


@pytest.mark.parametrize("table", ["events/", "cube/", "actors/", "manifests/", "quarantine/"])
@pytest.mark.parametrize("format_", [".parquet", ".json"])
def test_staging_lost(committed: FolderStore, state: State, table: str, format_: str) -> None:
    """If the staged files are lost, nothing is changed and the next run reads the raw files again.

    If the commit changed tables, and read no raw file itself, all raw files are read again.
    """
    final, old = f"{table}x{format_}", f"{table}old{format_}"
    committed.stage(old, "", b"old")
    operations = [committed.stage("staging/x", final, SECOND.encode()), Operation("delete", old)]
    state.begin(SECOND, operations, [], rebuilt=False, complete=False)
    committed.clear("staging")
    recover(committed, state)
    assert readable(committed.root) == FIRST
    assert (committed.exists(final), committed.read(old)) == (False, b"old")
    assert state.journal() is None
    assert state.discarded_files() == (set() if table == "quarantine/" else {"a.jsonl"})
    assert set(state.entries()) == ({"a.jsonl"} if table == "quarantine/" else set())


def test_staging_lost_by_a_load(committed: FolderStore, state: State) -> None:
    """If the staged files of a load are lost, its own raw files are read again and no others."""
    begin(committed, state)
    committed.clear("staging")
    recover(committed, state)
    assert readable(committed.root) == FIRST
    assert files_of(committed.root) == {f"events {FIRST}", f"cube {FIRST}"}
    assert set(state.entries()) == {"a.jsonl"}
    assert state.discarded_files() == {"b.jsonl"}


def test_one_file_lost(committed: FolderStore, state: State) -> None:
    """If one staged file of several is lost, none of the others is published, and no folder is made for it."""
    elsewhere = committed.stage("staging/x", "cube/workspace_id=x/x", b"x")
    operations = begin(committed, state, [elsewhere, *stage(committed, SECOND, replaced=FIRST)])
    committed.path(operations[1].staged).unlink()
    recover(committed, state)
    assert readable(committed.root) == FIRST
    assert files_of(committed.root) == {f"events {FIRST}", f"cube {FIRST}"}
    assert not committed.exists("cube/workspace_id=x")


@pytest.mark.parametrize("done", range(7))
def test_interrupted_recovery(committed: FolderStore, state: State, monkeypatch: pytest.MonkeyPatch, done: int) -> None:
    """A recovery that is interrupted after any number of operations is finished by the next one."""
    begin(committed, state)
    apply, numbers = FolderStore.apply, count()

    def interrupted(store: FolderStore, operation: Operation) -> None:
        if next(numbers) == done:
            raise KeyboardInterrupt
        apply(store, operation)

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "apply", interrupted)
        with pytest.raises(KeyboardInterrupt):
            recover(committed, state)
    assert state.is_committing()
    recover(committed, state)
    assert readable(committed.root) == SECOND
    assert files_of(committed.root) == {f"events {SECOND}", f"cube {SECOND}"}
    assert not state.is_committing()


@pytest.mark.parametrize(
    ("final", "content", "is_done"),
    [
        ("cube/x.parquet", SECOND, True),
        ("cube/x.parquet", OTHER, False),
        ("cube/x.parquet", None, False),
        ("cube/x.parquet", b"PAR1 no Parquet PAR1", False),
        ("cube/x.parquet", b"", False),
        ("cube/x.parquet", b"PAR1" + b"\xff" * 8 + b"\x08\0\0\0PAR1", False),
        ("cube/x.parquet", SECOND.encode(), False),
        ("manifests/x.json", b'{"run":"%s"}' % SECOND.encode(), True),
        ("manifests/x.json", b'{"run":"%s"}' % OTHER.encode(), False),
        ("manifests/x.json", b"", False),
    ],
)
def test_who_wrote_a_file(
    store: FolderStore, state: State, final: str, content: str | bytes | None, is_done: bool
) -> None:
    """A file counts as published if it names the run that began the commit, not if it is older or damaged."""
    operation = store.stage("staging/x", final, b"x")
    begin(store, state, [operation])
    store.clear("staging")
    store.path(final).parent.mkdir()
    if isinstance(content, bytes):
        store.path(final).write_bytes(content)
    else:
        write_parquet(store, final, content)
    recover(store, state)
    assert set(state.entries()) == ({"b.jsonl"} if is_done else set())
    assert state.discarded_files() == (set() if is_done else {"b.jsonl"})
    assert state.journal() is None
