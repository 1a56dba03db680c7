"""Commits on real stores: what readers find, races for the flip, lost answers of the flip, and the sweep afterwards."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Final

import pytest

from pipeline.contract.layout import RECENT, IndexShard, LayoutError, StoredFile, encode_root
from pipeline.contract.object_client import TRIES, Client
from pipeline.contract.object_errors import OvertakenError, UnavailableError
from pipeline.contract.object_names import (
    CARRIED_OUT,
    LEASE,
    ROOT,
    TOMBSTONES,
    object_key,
    object_name,
    shard_of,
)
from pipeline.contract.tables import Published, actors_path, cube_path, events_path, quarantine_path, runs_path
from pipeline.storage.entries import Counts, Entry
from pipeline.storage.objects.commit import RootChanges, commit, new_token
from pipeline.storage.objects.ledger import RawObject
from pipeline.storage.objects.snapshot import Snapshot
from pipeline.storage.objects.sweep import GRACE, ORPHANS, store_time, sweep, sweep_orphans
from pipeline.storage.unread import Unread
from tests.support.fault_proxy import Fault, FaultProxy

RACES, WRITERS = 4, 16
WORKSPACE: Final = "11111111-1111-4111-8111-111111111111"
EVENTS: Final = events_path(WORKSPACE, "2026-11-24")
DELAYS: Final[list[Fault]] = ["delay" for _ in range(TRIES)]
OUTAGE: Final[list[Fault]] = ["503" for _ in range(TRIES)]
_numbers = count(1)


def changes(client: Client, *paths: str, run: str = "", removed: tuple[str, ...] = (), **more: object) -> RootChanges:
    """Put new objects for some logical paths, and return the changes of a run."""
    run = run or f"run{next(_numbers)}"
    attempt = new_token()
    files: dict[str, StoredFile | None] = dict.fromkeys(removed)
    for path in paths:
        content = f"{path} of {run}".encode()
        file = StoredFile.of(object_name(path, run, attempt), content)
        client.create(object_key(path, file.name), content, file)
        files[path] = file
    published = Published(1, run, None, 1, "2026.6")
    return RootChanges(run=run, attempt=attempt, published=published, files=files, **more)  # type: ignore[arg-type]


def keys(client: Client) -> set[str]:
    """Return the keys of all objects."""
    return {found.key for found in client.list()}


def recent(client: Client) -> tuple[str, ...]:
    """Return the runs that the root remembers."""
    root = Snapshot.read(client).root
    return () if root is None else root.recent


def test_readers_find_what_was_committed(client: Client) -> None:
    """Files of all tables, the ledger and the root's own files are found; what was replaced or removed is not."""
    nothing = Snapshot.read(client)
    assert nothing.root is None
    assert [nothing.file(path) for path in (EVENTS, TOMBSTONES)] == [None, None]
    assert nothing.read_file(EVENTS) is None
    assert (list(nothing.files()), nothing.raw_objects(), nothing.superseded()) == ([], {}, [])
    entry = Entry("a.jsonl", 0, 1, 2, "run", Counts(), Counts())
    unread = Unread("b.jsonl", "why")
    records = {"a.jsonl": RawObject("e1", entry), "b.jsonl": RawObject("e2", None, unread)}
    month = [cube_path(WORKSPACE, "2026-11", "one"), actors_path(WORKSPACE, "2026-11", "one")]
    others = [quarantine_path("a.jsonl"), runs_path("2026-11-24"), TOMBSTONES, CARRIED_OUT]
    first = changes(client, EVENTS, *month, *others, run="one", raw_objects=records, is_complete=True)
    commit(nothing, first)
    snapshot = Snapshot.read(client)
    assert snapshot.root is not None
    assert (snapshot.root.recent, snapshot.root.is_complete) == (("one",), True)
    assert {path for path, _ in snapshot.files()} == {EVENTS, *month, *others}
    assert all(snapshot.read_file(path) == f"{path} of one".encode() for path in [EVENTS, *month, *others])
    assert snapshot.raw_objects() == records
    assert snapshot.raw_object("a.jsonl") == records["a.jsonl"]
    assert snapshot.raw_object("c.jsonl") is None
    assert list(snapshot.ledger(shard_of("a.jsonl")).entries()) == [entry]
    assert snapshot.superseded() == []

    new = cube_path(WORKSPACE, "2026-11", "two")
    removed = (month[0], others[0], CARRIED_OUT)
    commit(snapshot, changes(client, new, run="two", removed=removed, raw_objects={"a.jsonl": None}))
    after = Snapshot.read(client)
    assert {path for path, _ in after.files()} == {EVENTS, new, month[1], others[1], TOMBSTONES}
    assert set(after.raw_objects()) == {"b.jsonl"}
    assert after.root is not None
    assert after.root.is_complete
    assert {path for path, _ in snapshot.files()} == {EVENTS, *month, *others}  # as of the earlier root
    commit(after, changes(client, run="three", rebuilt=True, raw_objects={"c.jsonl": RawObject("e3")}))
    assert set(Snapshot.read(client).raw_objects()) == {"c.jsonl"}


def test_sequential_runs(client: Client) -> None:
    """A root remembers the last runs, and no shard that holds nothing."""
    for number in range(3):
        commit(Snapshot.read(client), changes(client, EVENTS, run=f"r{number}"))
    assert recent(client) == ("r0", "r1", "r2")
    commit(Snapshot.read(client), changes(client, removed=(EVENTS,)))
    root = Snapshot.read(client).root
    assert root is not None
    assert root.index == root.ledger == {}
    assert RECENT == 50


def test_races(client: Client) -> None:
    """Of many writers that begin with the same root, one commits; all others are told."""
    for race in range(RACES):
        before = Snapshot.read(client)
        barrier = threading.Barrier(WRITERS)

        def write(
            number: int, race: int = race, before: Snapshot = before, barrier: threading.Barrier = barrier
        ) -> str | None:
            mine = changes(client, run=f"{race}x{number}")
            barrier.wait()
            try:
                commit(Snapshot(client, before.root, before.etag, before.stored), mine)
            except OvertakenError:
                return None
            return mine.run

        with ThreadPoolExecutor(WRITERS) as pool:
            winners = [run for run in pool.map(write, range(WRITERS)) if run]
        assert winners == [recent(client)[-1]]


@pytest.mark.parametrize("fault", ["lose answer", "duplicate", "lose request", "409", "503"])
def test_lost_answers_of_the_flip(faulty: Client, client: Client, proxy: FaultProxy, fault: Fault) -> None:
    """Whatever happens to the flip, the run is committed once, and is told so."""
    commit(Snapshot.read(client), changes(client, EVENTS, run="one"))
    proxy.plan("PUT", ROOT, fault)
    commit(Snapshot.read(faulty), changes(faulty, EVENTS, run="two"))
    assert proxy.is_used_up()
    assert recent(client) == ("one", "two")


def test_a_late_flip(faulty: Client, client: Client, proxy: FaultProxy) -> None:
    """A flip that arrives late, after the same was sent again or another run has committed, changes nothing."""
    proxy.plan("PUT", ROOT, "delay")
    commit(Snapshot.read(faulty), changes(faulty, EVENTS, run="one"))
    assert proxy.deliver_late() == [412]
    before = Snapshot.read(faulty)
    proxy.plan("PUT", ROOT, *DELAYS)
    with pytest.raises(UnavailableError, match="does not say whether"):
        commit(before, changes(faulty, EVENTS, run="two"))
    commit(Snapshot.read(client), changes(client, EVENTS, run="three"))
    assert proxy.deliver_late() == [412] * TRIES
    assert recent(client) == ("one", "three")


def test_a_flip_whose_fate_was_unknown(faulty: Client, client: Client, proxy: FaultProxy) -> None:
    """A flip that arrives after its run was given up is committed; the next run finds it, and cannot repeat it."""
    before = Snapshot.read(faulty)
    proxy.plan("PUT", ROOT, *DELAYS)
    lost = changes(faulty, EVENTS, run="one")
    with pytest.raises(UnavailableError):
        commit(before, lost)
    late = Snapshot.read(client)
    statuses = sorted(proxy.deliver_late())
    assert statuses == [200, *[412] * (TRIES - 1)]
    with pytest.raises(OvertakenError, match="committed first"):
        commit(late, changes(client, EVENTS, run="two"))
    with pytest.raises(OvertakenError, match="run one is committed already"):
        commit(Snapshot.read(client), lost)
    assert recent(client) == ("one",)


def test_a_stalled_coordinator(client: Client) -> None:
    """A run that wakes after others have committed is refused, and nothing of it shows."""
    commit(Snapshot.read(client), changes(client, EVENTS, run="one"))
    stalled, mine = Snapshot.read(client), changes(client, EVENTS, run="two")
    commit(Snapshot.read(client), changes(client, EVENTS, run="three"))
    with pytest.raises(OvertakenError, match=r"another run on s3://.* committed first$"):
        commit(stalled, mine)
    assert Snapshot.read(client).read_file(EVENTS) == f"{EVENTS} of three".encode()


def test_nothing_is_named_before_the_flip(faulty: Client, client: Client, proxy: FaultProxy) -> None:
    """A run that ends before the flip leaves the root as it was, and orphans."""
    commit(Snapshot.read(client), changes(client, EVENTS, run="one"))
    there = keys(client)
    proxy.plan("PUT", "index/", *OUTAGE)
    with pytest.raises(UnavailableError):
        commit(Snapshot.read(faulty), changes(faulty, EVENTS, run="two"))
    assert recent(client) == ("one",)
    assert len(keys(client) - there) == 2  # its events, and its list of superseded objects


def test_the_sweep(client: Client) -> None:
    """Superseded objects stay for the grace and go after it, or at once if they have to. Their list goes later."""
    commit(Snapshot.read(client), changes(client, EVENTS, run="one"))
    first = keys(client)
    commit(Snapshot.read(client), changes(client, EVENTS, run="two"))
    snapshot = Snapshot.read(client)
    assert sweep(snapshot, snapshot.stored + GRACE) == set()
    assert first <= keys(client)
    swept = sweep(snapshot, snapshot.stored + GRACE + 1)
    assert len(swept) == 1
    assert keys(client) & first == {ROOT}
    assert sweep(snapshot, snapshot.stored + GRACE + 1) == swept  # nothing is there any more
    commit(snapshot, changes(client, EVENTS, run="three", swept=swept))
    last = Snapshot.read(client)
    assert last.root is not None
    assert [one.at for one in last.root.superseded] == [None]
    listed = {key for file, _ in last.superseded() for key in last.superseded_keys(file)}
    assert {f"superseded/{name}" for name in swept} <= listed
    sweep(last, 0, grace=0)
    file = last.file(EVENTS)
    assert file is not None
    named = {ROOT, object_key(EVENTS, file.name), *last.root.keys()}
    assert {key for key in keys(client) | named if not key.startswith("superseded/")} <= keys(client)
    assert {key for key in keys(client) - named if not key.startswith("superseded/")} == set()


def test_the_grace_counts_from_the_flip(client: Client) -> None:
    """A later root records when the earlier one was stored, rounded up: not when it was composed."""
    commit(Snapshot.read(client), changes(client, EVENTS))
    commit(Snapshot.read(client), changes(client, EVENTS))
    second = Snapshot.read(client)
    commit(second, changes(client, EVENTS))
    third = Snapshot.read(client)
    assert third.root is not None
    assert [one.at for one in third.root.superseded] == [second.stored + 1_000_000, None]
    assert [at for _, at in third.superseded()] == [second.stored + 1_000_000, third.stored]


def test_orphans(client: Client) -> None:
    """What no root names goes once it is older than a root and a day; raw logs, directory and lease stay."""
    commit(Snapshot.read(client), changes(client, EVENTS, run="one"))
    commit(Snapshot.read(client), changes(client, EVENTS, run="two"))  # superseded objects are no orphans
    kept = keys(client)
    changes(client, EVENTS, runs_path("2026-11-24"), TOMBSTONES)
    orphans = keys(client) - kept
    for key in ("staging/run/a.arrow", "probe/x", "index/00/a-b.json.zst"):
        client.replace(key, b"1", None)
        orphans.add(key)
    for key in ("raw/events/a.jsonl", "directory/members.jsonl", "other", LEASE):
        client.replace(key, b"1", None)
        kept.add(key)
    now = store_time(client)
    snapshot = Snapshot.read(client)
    assert sweep_orphans(snapshot, now + ORPHANS * 2) == 0  # they are newer than the root
    later = Snapshot(client, snapshot.root, snapshot.etag, snapshot.stored + ORPHANS)
    assert sweep_orphans(later, now) == 0  # they are younger than a day
    assert sweep_orphans(later, now + 2_000_000 + ORPHANS) == len(orphans)
    assert keys(client) == kept


def test_damage(client: Client) -> None:
    """A shard that is missing or changed stops a run by name; a damaged root does, too."""
    commit(Snapshot.read(client), changes(client, EVENTS))
    root = Snapshot.read(client).root
    assert root is not None
    (shard,) = root.index
    key = f"index/{shard}/{root.index[shard].name}"
    client.delete([key])
    with pytest.raises(LayoutError, match=f"{key} is damaged: it does not exist"):
        Snapshot.read(client).file(EVENTS)
    client.replace(key, b"other", None)
    with pytest.raises(LayoutError, match=f"{key} is damaged: its bytes are not those that were written"):
        Snapshot.read(client).file(EVENTS)
    etag = Snapshot.read(client).etag
    client.replace(ROOT, b"{}", etag)
    with pytest.raises(LayoutError, match=r"published\.json is damaged"):
        Snapshot.read(client)


def test_no_two_roots_are_equal(client: Client) -> None:
    """Roots with the same content otherwise differ: ETags are hashes, so equal roots could both replace one."""
    written = set()
    for _ in range(2):
        commit(Snapshot(client), RootChanges(run="one", attempt="a", published=Published(1, "one", None, 1, "z")))
        root = Snapshot.read(client).root
        assert root is not None
        written.add(encode_root(root))
        client.delete([ROOT])
    assert len(written) == 2
    etag = client.replace("equal", b"content", None)
    for _ in range(2):  # without the nonce, this would be two runs that begin with one root, and both would commit
        client.replace("equal", b"content", etag)
    assert Snapshot(client).index("00") == IndexShard()
