"""`usage check` on an object store: its report is that of a folder to which the same has happened."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.check.check import check
from pipeline.check.report import CheckReport
from pipeline.contract.object_client import Client
from pipeline.contract.object_names import index_key, ledger_key, object_key, shard_of, superseded_key
from pipeline.contract.tables import quarantine_path
from pipeline.load.progress import Progress
from pipeline.load.rebuild import Rebuild
from pipeline.run import run
from pipeline.storage.objects import snapshot as snapshots
from pipeline.storage.objects.snapshot import Snapshot
from pipeline.storage.objects.sweep import sweep
from pipeline.storage.opened import open_checked
from pipeline.storage.tombstones import Tombstone, hashed
from tests.support.both import Both
from tests.support.data_folder import USER, WORKSPACE, DataFolder, record
from tests.support.object_commands import usage
from tests.support.object_servers import GETTER_KEYS, READER_KEYS

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
RAW = "a.jsonl"


@pytest.fixture
def both(folder: DataFolder, client: Client) -> Both:
    """Return both after a load."""
    both = Both(folder, client)
    usage_ = {"credits": 7, "languages": [{"locale": "de", "characters": 5}]}
    days = [f"2026-{month}-{day:02}T05:00:00Z" for month in ("10", "11") for day in (1, 2)]
    first = [record(f"a{k}", timestamp=day, usage=usage_) for k, day in enumerate(days)]
    theirs = record("theirs", user={"id": USER, "name": "Ada"}, workspace_id=OTHER)
    both.drop(RAW, [*first, theirs, record("other", workspace_id=OTHER, usage=usage_)], bad=2)
    both.drop("b.jsonl", [record("a0", timestamp=days[0], recorded_at="2026-11-24T11:00:00Z")])
    both.run()
    return both


def reports(both: Both, **what: Any) -> list[CheckReport]:
    """Check both."""
    found = [check(settings, both.now, **what) for settings in both.settings]
    for report in found:
        assert len(report.problems) == 1  # there is no directory, of which each has another name
        report.problems = []
    return found


def wrong(report: CheckReport) -> dict[str, int]:
    """Return the number of faults of each table that has any."""
    return {name: result.wrong for name, result in report.results().items() if result.wrong}


def content(client: Client, key: str, change: Callable[[bytes], bytes] | None) -> bytes:
    """Change or delete an object that nobody ever replaces, as a fault of the store would; return what it was."""
    found = client.get(key)
    assert found is not None
    client.delete([key])
    if change is not None:
        client.replace(key, change(found.bytes), None)
    return found.bytes


def flipped(content: bytes) -> bytes:
    """Flip a bit in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def test_whole(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole tables are found to be so, with credentials that may only read; if they may not list, that is said."""
    both.erase(Tombstone("user", "2026-11-24T12:00:00Z", hashed(USER)))
    before = {found.key: found.etag for found in both.client.list()}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER_KEYS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", READER_KEYS[1])
    folder, objects = reports(both)
    assert folder == objects
    assert (wrong(objects), objects.notes, objects.waiting.files) == ({}, [], 0)
    assert (objects.events.files, objects.events.rows, objects.ledger.rows) == (5, 5, 9)
    assert reports(both, workspaces=[WORKSPACE], days=60)[0] == reports(both, workspaces=[WORKSPACE], days=60)[1]
    assert usage(both.client, "check").exit_code == 0
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", GETTER_KEYS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", GETTER_KEYS[1])
    (_, objects) = reports(both)
    assert wrong(objects) == {}
    assert "cannot be listed: access to" in objects.notes[0]
    assert objects.notes[1].startswith("it is unknown whether objects are left that nothing names: access to")
    monkeypatch.undo()
    assert {found.key: found.etag for found in both.client.list()} == before


def test_damaged_files(both: Both) -> None:
    """A flipped bit in a file of any table, and a file that is gone, are the faults that they are in a folder."""
    files = {path: object_key(path, file.name) for path, file in Snapshot.read(both.client).files()}
    faults = [
        (f"events/workspace_id={WORKSPACE}/day=2026-10-01/", flipped),
        (f"events/workspace_id={WORKSPACE}/day=2026-10-02/", None),
        (f"cube/workspace_id={WORKSPACE}/month=2026-11/", None),
        (quarantine_path(RAW), flipped),
        ("runs/", flipped),
    ]
    for start, change in faults:
        ((uri, key),) = ((path, key) for path, key in files.items() if path.startswith(start))
        (path,) = _inside(both.folder.root / start)
        kept, kept_there = path.read_bytes(), content(both.client, key, change)
        if change is None:
            path.unlink()
        else:
            path.write_bytes(change(kept))
        folder, objects = reports(both)
        assert wrong(folder) == wrong(objects) == {start.partition("/")[0].replace("cube", "manifests"): 1}
        (text,) = (result.first[0] for result in objects.results().values() if result.wrong)
        assert uri in text
        assert "--rebuild" in text
        path.write_bytes(kept)
        both.client.delete([key])
        both.client.replace(key, kept_there, None)
    assert [wrong(report) for report in reports(both)] == [{}, {}]


def _inside(path: Path) -> Iterator[Path]:
    yield from [path] if path.is_file() else path.iterdir()


def test_raw_objects(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replaced raw object waits for a run, a deleted one is no fault; bytes that changed unseen are one."""
    both.drop("b.jsonl", [record("new")])
    folder, objects = reports(both)
    assert folder == objects
    assert (wrong(objects), objects.waiting.files) == ({}, 1)
    path = both.folder.root / "raw/b.jsonl"
    both.run()
    status, kept = path.stat(), path.read_bytes()
    path.write_bytes(flipped(kept))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    stream = Client.stream

    def rotten(client: Client, key: str, **what: Any) -> Iterator[bytes]:
        for portion in stream(client, key, **what):
            yield flipped(portion) if key == "b.jsonl" else portion

    with monkeypatch.context() as patch:
        patch.setattr(Client, "stream", rotten)
        folder, objects = reports(both)
    assert folder.ledger == objects.ledger
    assert objects.ledger.first == [f"b.jsonl: its first {len(kept)} bytes are not those that were read any more"]
    path.unlink()
    both.client.delete(["raw/b.jsonl"])
    assert [wrong(report) for report in reports(both)] == [{}, {}]


def test_damaged_shards(both: Both) -> None:
    """A shard that is damaged or missing is named, the rest is checked, and a rebuild mends it."""
    for kind, change, rows in (("index", flipped, 2), ("ledger", None, 6)):
        root = Snapshot.read(both.client).root
        assert root is not None
        key = index_key(shard_of(WORKSPACE), root.index[shard_of(WORKSPACE)].name)
        if kind == "ledger":
            key = ledger_key(shard_of(RAW), root.ledger[shard_of(RAW)].name)
        content(both.client, key, change)
        report = check(both.settings[1], both.now)
        result = report.ledger if kind == "ledger" else report.manifests
        assert result.first[0].startswith(f"{key} is damaged: ")
        assert result.first[0].endswith("`usage run --rebuild` rebuilds it")
        assert report.events.rows == rows
        both.run(rebuild=Rebuild())
        both.compare()
        assert wrong(check(both.settings[1], both.now)) == {}


class _During(Progress):
    """Does something when the tables are about to be compared."""

    def __init__(self, what: Callable[[], object]) -> None:
        self._what = what

    def begin(self, name: str, *_: object, **__: object) -> None:  # type: ignore[override]  # of all stages alike
        """Do it."""
        if name == "compare":
            self._what()


def test_a_run_meanwhile(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit during the check is not seen; what is replaced and deleted during it is said, and is no fault."""
    both.drop("c.jsonl", [record("c", timestamp="2026-10-01T07:00:00Z")])

    def commit() -> None:
        run(both.settings[1], both.now)

    def commit_and_sweep() -> None:
        commit()
        sweep(Snapshot.read(both.client), 0, grace=0)

    report = check(both.settings[1], both.now, progress=_During(commit))
    assert (wrong(report), report.replaced, report.events.rows) == ({}, 0, 6)
    both.drop("d.jsonl", [record("d", timestamp="2026-10-01T08:00:00Z")])
    report = check(both.settings[1], both.now, progress=_During(commit_and_sweep))
    assert (wrong(report), report.replaced) == ({}, 3)  # the day, and the cube and actors of its month
    monkeypatch.setattr("pipeline.check.check.check", lambda *_, **__: report)
    result = usage(both.client, "check")
    assert result.exit_code == 75
    assert "replaced: 3 files, by runs, before they were checked\n" in result.stdout
    assert "not everything could be checked" in result.stderr


def test_shards_that_were_swept(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a run replaces and sweeps the index before the check has read it, the check begins again with the new root."""
    both.drop("c.jsonl", [record("c")])
    at_once = snapshots.at_once
    done: list[bool] = []

    def late(function: Callable[[str], object], names: Any) -> None:
        if not done:
            done.append(True)
            run(both.settings[1], both.now)
            sweep(Snapshot.read(both.client), 0, grace=0)
        at_once(function, names)

    monkeypatch.setattr(snapshots, "at_once", late)
    report = check(both.settings[1], both.now)
    assert (wrong(report), report.replaced, report.events.rows) == ({}, 0, 7)


def test_lists_of_superseded_objects_that_are_gone(both: Both) -> None:
    """If a run deletes what the check's root has superseded, that is no fault; a damaged list is noted."""
    both.drop(RAW, [record("later")])
    both.run()
    with open_checked(both.settings[1]) as tables:
        assert tables.leftovers() == []
        both.erase(Tombstone("user", "2026-11-24T12:00:00Z", hashed(USER)))
        assert tables.leftovers() == [
            "it is unknown whether objects are left that nothing names: runs have replaced the root"
        ]
    both.drop(RAW, [record("last")])
    both.run()
    root = Snapshot.read(both.client).root
    assert root is not None
    content(both.client, superseded_key(root.superseded[-1].keys.name), flipped)
    report = check(both.settings[1], both.now)
    assert wrong(report) == {}
    assert len(report.notes) == 1
    assert "is damaged: its bytes are not those that were written" in report.notes[0]
