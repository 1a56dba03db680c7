"""Digests alone: a commit records those of its files, and one that is discarded forgets those that are in doubt."""

import pickle
import sqlite3
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.storage import digests
from pipeline.storage.commit import commit, recover
from pipeline.storage.digests import EMPTY, Digest, DigestingFile
from pipeline.storage.folder import FolderStore
from pipeline.storage.state import Counts, Entry, State
from pipeline.storage.store import DamagedError, Operation

FIRST, SECOND = (f"01KB{digit * 22}" for digit in "AB")  # ids of runs
MANIFEST, RUNS = "manifests/w.json", "runs/2026-11-24.jsonl"
CUBE = "cube/workspace_id=w/month=2026-11/x.parquet"


def digest(content: bytes) -> Digest:
    """Return the digest of bytes, computed at once."""
    return Digest(len(content), zlib.crc32(content))


def entry(run: str) -> Entry:
    """Return the ledger's record of a raw file."""
    return Entry("a.jsonl", 1, 2, 3, run, Counts(), Counts())


def put(store: FolderStore, uri: str, content: bytes) -> None:
    """Write a file without a commit."""
    store.folder(str(Path(uri).parent))
    store.path(uri).write_bytes(content)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Return an empty data folder."""
    return FolderStore(tmp_path)


@pytest.fixture
def state(store: FolderStore) -> Iterator[State]:
    """Return the state of the data folder."""
    state = State(store.path("state.sqlite"))
    yield state
    state.close()


def test_portions(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A digest is of all bytes, whether they are known at once, written in pieces or read in portions."""
    content = bytes(range(256)) * 5
    with closing(DigestingFile(store.path("x"))) as file:
        assert [file.write(content[:700]), file.write(content[700:])] == [700, 580]
        file.flush()
        assert store.read("x") == content
        assert not file.closed
    assert file.closed
    monkeypatch.setattr(digests, "_PORTION_BYTES", 100)
    assert EMPTY.followed_by(content) == file.digest == digests.of_file(store.path("x")) == digest(content)
    assert digest(b"") == EMPTY
    assert len({digest(b""), EMPTY}) == 1
    with store.path("x").open("rb") as stream:
        stream.seek(1000)
        assert digests.of_stream(stream) == digest(content[1000:])


def test_a_commit(store: FolderStore, state: State) -> None:
    """A commit records the digests of the files that it publishes, and forgets those that it deletes."""
    commit(store, state, FIRST, [store.stage("s", MANIFEST, b"1"), store.stage("t", CUBE, b"2")], [])
    assert state.digests() == {MANIFEST: digest(b"1"), CUBE: digest(b"2")}
    operations = [store.stage("s", MANIFEST, b"3"), Operation("sync"), Operation("delete", CUBE)]
    commit(store, state, SECOND, operations, [])
    assert state.digests() == {MANIFEST: digest(b"3")}


def test_a_file_of_which_no_digest_is_kept(store: FolderStore, state: State) -> None:
    """If a file is replaced by one without a digest, the one of the former file is forgotten."""
    commit(store, state, FIRST, [store.stage("s", RUNS, b"1")], [])
    put(store, "s", b"22")
    commit(store, state, SECOND, [store.staged("s", RUNS)], [])
    assert store.read(RUNS) == b"22"
    assert state.digests() == {}


def test_files_of_an_older_release(store: FolderStore, state: State) -> None:
    """The first commit records all files that have no digest, and leaves a known one alone; later ones do neither."""
    put(store, CUBE, b"old")
    put(store, MANIFEST, b"damaged since")
    state.note_digest(MANIFEST, digest(b"written"))
    assert state.has_all_digests() is False
    commit(store, state, FIRST, [store.stage("s", RUNS, b"1")], [])
    recorded = {CUBE: digest(b"old"), MANIFEST: digest(b"written"), RUNS: digest(b"1")}
    assert state.digests() == recorded
    assert state.has_all_digests() is True
    put(store, "manifests/foreign.json", b"{}")
    commit(store, state, SECOND, [], [])
    assert state.digests() == recorded


def test_files_without_a_digest(store: FolderStore, state: State) -> None:
    """What cannot be read, or has a name that is not UTF-8, gets no digest and hinders no commit."""
    store.folder(CUBE)
    put(store, "manifests/\udcff.json", b"{}")
    put(store, MANIFEST, b"{}")
    commit(store, state, FIRST, [], [])
    assert state.digests() == {MANIFEST: digest(b"{}")}
    assert state.has_all_digests()


def test_one_transaction(store: FolderStore, state: State) -> None:
    """If a commit cannot be recorded to its end, or the digests of older files cannot, none is recorded."""
    commit(store, state, FIRST, [store.stage("s", MANIFEST, b"1")], [])

    def broken() -> Iterator[Entry]:
        yield entry(SECOND)
        raise OSError

    operations = [store.stage("s", RUNS, b"2"), Operation("delete", MANIFEST)]
    with pytest.raises(OSError):  # noqa: PT011 - raised above
        state.begin(SECOND, operations, broken(), rebuilt=False, complete=False)
    assert state.digests() == {MANIFEST: digest(b"1")}
    state.discard_commit(FIRST, tables=False)
    with pytest.raises(UnicodeEncodeError):
        state.add_digests({RUNS: EMPTY, "\udcff": EMPTY})
    assert state.digests() == {MANIFEST: digest(b"1")}
    assert state.has_all_digests() is False
    state.add_digests({RUNS: EMPTY})
    assert state.has_all_digests() is True


def test_a_discarded_commit(store: FolderStore, state: State) -> None:
    """A discarded commit forgets the digests of the files that it did not publish; the next commit records them."""
    commit(store, state, FIRST, [store.stage("s", MANIFEST, b"1"), store.stage("t", RUNS, b"2")], [])
    old = CUBE.replace("x", "old")
    put(store, old, b"3")
    contents = {MANIFEST: SECOND.encode(), RUNS: f"{SECOND} lost".encode()}
    operations = [store.stage(f"staging/{uri}", uri, content) for uri, content in contents.items()]
    operations += [Operation("sync"), Operation("delete", old)]
    state.begin(SECOND, operations, [entry(SECOND)], rebuilt=False, complete=False)
    store.apply(operations[0])
    store.clear("staging")
    recover(store, state)
    assert state.digests() == {MANIFEST: digest(contents[MANIFEST])}
    assert state.has_all_digests() is False
    commit(store, state, SECOND, [], [])
    assert state.digests() == {MANIFEST: digest(contents[MANIFEST]), RUNS: digest(b"2"), old: digest(b"3")}


def test_a_finished_commit(store: FolderStore, state: State) -> None:
    """A commit that a crash interrupts and recovery finishes has its digests already."""
    operation = store.stage("s", MANIFEST, b"1")
    state.begin(FIRST, [operation], [entry(FIRST)], rebuilt=False, complete=False)
    assert state.digests() == {MANIFEST: digest(b"1")}
    recover(store, state)
    assert store.read(MANIFEST) == b"1"
    assert state.digests() == {MANIFEST: digest(b"1")}


def test_reader(state: State) -> None:
    """Digests of some files can be looked up in another thread or process; unknown ones are left out."""
    state.add_digests({name: digest(name.encode()) for name in ("a", "b", "c'")})
    reader = state.digest_reader()
    copied = pickle.loads(pickle.dumps(reader))
    for found in (reader, copied):
        assert found.of(["c'", "x", "a"]) == {"a": digest(b"a"), "c'": digest(b"c'")}
        assert found.of([]) == {}
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(reader.of, ["a"]).result() == {"a": digest(b"a")}
    state.close()
    assert copied.of({"b"}) == {"b": digest(b"b")}
    with pytest.raises(sqlite3.ProgrammingError):
        reader.of(["b"])


def test_a_state_of_an_older_release(store: FolderStore, state: State) -> None:
    """A database that an older release made has no digests."""
    with closing(sqlite3.connect(store.path("older.sqlite"))) as database:
        database.execute("create table files (path text)")
        assert digests.read(database) == {}
    state.note_digest("a", EMPTY)
    state.note_digest("a", digest(b"a"))
    assert state.digests() == {"a": digest(b"a")}


def test_comparison(store: FolderStore) -> None:
    """A file that differs from its digest, or is gone, is damaged; one whose digest is unknown is not looked at."""
    put(store, "x", b"{}")
    store.refuse_damage("x", digest(b"{}"))
    store.refuse_damage("absent", None)
    for uri, why in (("x", digests.WHY), ("absent", "No such file or directory"), ("", "Is a directory")):
        with pytest.raises(DamagedError) as caught:
            store.refuse_damage(uri, digest(b"[]"))
        assert (caught.value.uri, caught.value.cause) == (uri, why)


def test_small_files(store: FolderStore) -> None:
    """A small file is decoded if it has the digest of what was written, or that is unknown."""
    put(store, "x", b'{"size":5}')
    for known in (digest(b'{"size":5}'), None):
        assert store.load("x", Digest, known) == Digest(5)
    assert store.load("absent", Digest, EMPTY) is None
    with pytest.raises(DamagedError) as caught:
        store.load("x", Digest, digest(b'{"size":6}'))
    assert (caught.value.uri, caught.value.cause) == ("x", digests.WHY)


def test_staged(store: FolderStore) -> None:
    """The operation that publishes a file has the digest of what was written, not of what is there."""
    put(store, "s", b"damaged")
    operation = store.staged("s", "x", digest(b"written"))
    assert operation == Operation("replace", "x", "s", 7, zlib.crc32(b"written"))
    assert operation.digest == digest(b"written")
    assert store.staged("s", "x", Digest(0, 0)).digest == EMPTY
    assert store.staged("s", "x").digest is None
