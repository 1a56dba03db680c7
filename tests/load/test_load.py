"""The load, through the real pipeline: versions, accounting, growing files, the same tables whatever the order."""

import gzip
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.load.results import RunReport
from pipeline.load.session import BusyError
from pipeline.storage.state import State
from tests.support.command import break_off
from tests.support.data_folder import WORKSPACE, DataFolder, record

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"


def numbers(report: RunReport) -> tuple[int, int, int, int, int]:
    """Return a run's accounting: lines, accepted, duplicates, rejected, blank; every line is one of the last four."""
    assert report.lines == report.accepted + report.duplicates + report.rejected + report.blank
    return report.lines, report.accepted, report.duplicates, report.rejected, report.blank


def lines(*records: dict[str, Any]) -> bytes:
    """Return a raw file's bytes."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in records)


def test_columns_of_events(folder: DataFolder) -> None:
    """Every field of a record is found in the column of its name, in one partition per workspace and UTC day."""
    folder.drop(
        "a.jsonl",
        [
            record(
                workspace_id=WORKSPACE.upper(),
                timestamp="2026-11-24T01:30:00.1234567+05:45",
                recorded_at="2026-11-24T02:00:00Z",
                action="workflow_run",
                user={"id": OTHER.upper(), "name": "채원"},
                metadata={"b": 1.5, "a": [None]},
                ip="2001:db8::1",
                run={"id": "r1", "status": "completed"},
                usage={"credits": 7, "audio_ms": 9, "languages": [{"locale": "ko_KR", "characters": 5, "lines": 2}]},
            )
        ],
    )
    folder.run()
    assert (folder.root / f"events/workspace_id={WORKSPACE}/day=2026-11-23/events.parquet").exists()
    (found,) = folder.events().to_dicts()
    assert found.pop("timestamp").isoformat() == "2026-11-23T19:45:00.123456"
    assert found.pop("recorded_at").isoformat() == "2026-11-24T02:00:00"
    assert found == {
        "id": "e1",
        "action": "workflow_run",
        "kind": "text_to_speech",
        "resource_type": "voice",
        "resource_id": "v1",
        "resource_name": "Nova",
        "user_id": OTHER,
        "user_name": "채원",
        "metadata": '{"b":1.5,"a":[null]}',
        "ip": "2001:db8::1",
        "run_id": "r1",
        "run_status": "completed",
        "credits": 7,
        "audio_ms": 9,
        "languages": [{"locale": "ko-kr", "characters": 5, "lines": 2, "corrected": 0}],
        "workspace_id": WORKSPACE,
        "day": "2026-11-23",
    }


VERSIONS: list[dict[str, Any]] = [
    # Each stands against all before it.
    {"recorded_at": "2026-11-24T10:00:00Z", "usage": {"credits": 99}},
    {"recorded_at": "2026-11-24T10:00:01.000000Z"},
    {"recorded_at": "2026-11-24T10:00:01.0000009Z", "run": {"id": "r", "status": "pending"}},
    {"recorded_at": "2026-11-24T10:00:01Z", "run": {"id": "r", "status": "running"}},
    {"recorded_at": "2026-11-24T10:00:01Z", "run": {"id": "r", "status": "paused"}},
    {"recorded_at": "2026-11-24T10:00:01Z", "run": {"id": "r", "status": "completed"}},
    {"recorded_at": "2026-11-24T10:00:01Z", "run": {"id": "r", "status": "failed"}},
    {"recorded_at": "2026-11-24T10:00:01Z", "run": {"id": "r", "status": "cancelled"}},
    {"recorded_at": "2026-11-24T10:00:01Z", "run": {"id": "r", "status": "cancelled"}, "usage": {"credits": 1}},
    {
        "recorded_at": "2026-11-24T10:00:01Z",
        "run": {"id": "r", "status": "cancelled"},
        "usage": {"credits": 1},
        "kind": "z",
    },
]


@pytest.mark.parametrize("count", range(1, len(VERSIONS) + 1))
def test_the_standing_version(folder: DataFolder, count: int) -> None:
    """The latest recorded_at stands; then the later status, the greater credits, the greater canonical JSON."""
    versions = [record(**fields) for fields in VERSIONS[:count]]
    folder.drop("a.jsonl", random.Random(count).sample(versions, count))
    report = folder.run()
    (found,) = folder.events().to_dicts()
    expected = versions[-1]
    assert found["run_status"] == expected.get("run", {}).get("status")
    assert found["credits"] == expected.get("usage", {}).get("credits", 0)
    assert found["kind"] == expected["kind"]
    assert numbers(report) == (count, 1, count - 1, 0, 0)


def test_same_id_elsewhere_is_another_event(folder: DataFolder) -> None:
    """An id names an event within its workspace and UTC day."""
    folder.drop("a.jsonl", [record(), record(workspace_id=OTHER), record(timestamp="2026-11-23T23:59:59.999999Z")])
    assert numbers(folder.run()) == (3, 3, 0, 0, 0)
    assert folder.events().height == 3


def test_late_records_and_newer_versions(folder: DataFolder) -> None:
    """A later run merges what belongs to days that are already there."""
    folder.drop("a.jsonl", [record("e1", usage={"credits": 5}), record("e2", usage={"credits": 7})])
    folder.run()
    folder.drop(
        "b.jsonl",
        [
            record("e1", recorded_at="2026-11-24T11:00:00Z", usage={"credits": 50}),
            record("e2", recorded_at="2026-11-24T09:00:00Z", usage={"credits": 70}),
            record("e3", timestamp="2026-10-01T00:00:00Z", usage={"credits": 900}),
            record("e4", timestamp="2026-11-24T00:00:00Z", usage={"credits": 1000}),
        ],
    )
    assert numbers(folder.run()) == (4, 3, 1, 0, 0)
    assert dict(folder.events().select("id", "credits").iter_rows()) == {"e1": 50, "e2": 7, "e3": 900, "e4": 1000}
    assert folder.cube()["credits"].sum() == 1957
    assert folder.actors()["events"].sum() == 4


def test_redelivery_changes_nothing(folder: DataFolder) -> None:
    """What stands already is a duplicate, and its partitions are not rewritten."""
    folder.drop("a.jsonl", [record()])
    folder.run()
    (before,) = folder.root.glob("events/*/*/events.parquet")
    inode = before.stat().st_ino
    folder.drop("b.jsonl", [record(), record()])
    report = folder.run()
    assert numbers(report) == (2, 0, 2, 0, 0)
    assert report.partitions == 0
    assert before.stat().st_ino == inode


def test_accounting_of_odd_files(folder: DataFolder) -> None:
    """Every line is accounted for: BOM, CR, blank lines, no newline at the end, empty files."""
    folder.drop("bom.jsonl", b"\xef\xbb\xbf" + lines(record("a")).replace(b"\n", b"\r\n") + b"\n \t\r\n" + b"{")
    folder.drop("empty.jsonl", b"")
    folder.drop("only-bom.jsonl", b"\xef\xbb\xbf")
    folder.drop("binary.jsonl", bytes(range(256)))
    report = folder.run()
    assert numbers(report) == (6, 1, 0, 3, 2)
    assert [(row["source_file"], row["line_number"], row["reason"], row["line"]) for row in folder.quarantine()] == [
        ("binary.jsonl", 1, "invalid_json", bytes(range(10))),
        ("binary.jsonl", 2, "truncated_line", bytes(range(11, 256))),
        ("bom.jsonl", 4, "truncated_line", b"{"),
    ]


def test_which_files_are_read(folder: DataFolder) -> None:
    """Folders are searched; dot files, `*.tmp` and other names are left alone."""
    for name in ("deep/er/a.jsonl", ".hidden.jsonl", "b.jsonl.tmp", "c.json", "x.jsonl/d.jsonl", ".dot/e.jsonl"):
        folder.drop(name, [record(name)])
    folder.run()
    assert set(folder.events()["id"]) == {"deep/er/a.jsonl", "x.jsonl/d.jsonl"}


def test_compressed_files(folder: DataFolder) -> None:
    """Compressed files are read, also of several members; line numbers count through them."""
    content = lines(record("a")) + b"bad\n"
    folder.drop("a.jsonl.gz", gzip.compress(content) + gzip.compress(lines(record("b")) + b"bad\n"))
    with pa.CompressedOutputStream(str(folder.root / "raw/b.jsonl.zst"), "zstd") as file:
        file.write(lines(record("c")))
    assert numbers(folder.run()) == (5, 3, 0, 2, 0)
    assert [row["line_number"] for row in folder.quarantine()] == [2, 4]


def test_corrupt_compressed_file(folder: DataFolder) -> None:
    """Of a stream that breaks off the good prefix is kept, the file reported, and read again when it changes."""
    content = lines(*(record(f"e{k}", kind=random.Random(k).randbytes(200).hex()) for k in range(2000)))
    whole = gzip.compress(content)
    folder.drop("a.jsonl.gz", whole[: len(whole) // 2])
    report = folder.run()
    assert 500 < report.accepted < 1500
    assert report.rejected == 0
    assert [failure.file for failure in report.errors] == ["a.jsonl.gz"]
    assert folder.run().files == 0
    folder.drop("a.jsonl.gz", whole)
    again = folder.run()
    assert again.accepted + report.accepted == 2000
    assert again.errors == []


def test_growing_file(folder: DataFolder) -> None:
    """A file that grew is read on from its last whole line; the torn one leaves the quarantine when it is whole."""
    content = lines(record("a"), record("b")) + b"bad\n" + lines(record("c"), record("d"))
    path = folder.drop("a.jsonl", content[:250])
    first = folder.run()
    assert numbers(first)[3] == 1
    assert folder.quarantine()[0]["reason"] == "truncated_line"
    for size in (400, 600, len(content)):
        with path.open("ab") as file:
            file.write(content[path.stat().st_size : size])
        assert folder.run().bytes < len(content)
    assert set(folder.events()["id"]) == {"a", "b", "c", "d"}
    assert [(row["line_number"], row["reason"]) for row in folder.quarantine()] == [(3, "invalid_json")]
    state = State(folder.root / "state.sqlite")
    entry = state.entries()["a.jsonl"]
    state.close()
    assert (entry.counts.lines, entry.counts.accepted, entry.counts.rejected) == (5, 4, 1)


def test_last_line_without_newline_then_more(folder: DataFolder) -> None:
    """A good last line without newline counts at once, and once only when its newline follows."""
    path = folder.drop("a.jsonl", lines(record("a"), record("b"))[:-1])
    assert numbers(folder.run()) == (2, 2, 0, 0, 0)
    with path.open("ab") as file:
        file.write(b"\n" + lines(record("c")))
    assert numbers(folder.run()) == (2, 1, 1, 0, 0)
    assert folder.events().height == 3


def test_replaced_file(folder: DataFolder) -> None:
    """A file with another beginning is read anew and its quarantine replaced; raw files are never changed."""
    path = folder.drop("a.jsonl", b"bad\n" + lines(record("a")))
    folder.run()
    content = lines(record("a"), record("b"), record("c"))
    path.write_bytes(content)
    assert numbers(folder.run()) == (3, 2, 1, 0, 0)
    assert folder.quarantine() == []
    assert path.read_bytes() == content


def test_unreadable_file(folder: DataFolder) -> None:
    """A raw file that cannot be opened is reported and tried again; the others are loaded."""
    folder.drop("a.jsonl", [record("a")])
    (folder.root / "raw/b.jsonl").symlink_to(folder.root / "raw/nowhere")
    report = folder.run()
    assert (report.accepted, [failure.file for failure in report.errors]) == (1, ["b.jsonl"])
    folder.drop("nowhere", lines(record("b")))
    assert folder.run().accepted == 1


def test_paths(folder: DataFolder, tmp_path: Path) -> None:
    """Given paths are read instead of raw/, and such a run does not say that everything is in."""
    first = folder.run(folder.now - 5)
    outside = tmp_path / "other.jsonl"
    outside.write_bytes(lines(record("a")))
    folder.drop("b.jsonl", [record("b")])
    report = folder.run(paths=[outside])
    assert set(folder.events()["id"]) == {"a"}
    assert report.data_as_of == first.data_as_of != folder.run().data_as_of
    with pytest.raises(FileNotFoundError):
        folder.run(paths=[tmp_path / "missing.jsonl"])


def test_events_ahead_of_the_run(folder: DataFolder) -> None:
    """A timestamp more than 24 h after the run's start waits in quarantine."""
    folder.drop("a.jsonl", [record(timestamp="2026-11-25T12:00:00.000001Z"), record(timestamp="2026-11-25T12:00:00Z")])
    assert numbers(folder.run()) == (2, 1, 0, 1, 0)
    assert folder.quarantine()[0]["reason"] == "timestamp_out_of_range"


def test_one_run_at_a_time(folder: DataFolder) -> None:
    """A second run on the same folder is refused."""
    from filelock import FileLock  # noqa: PLC0415

    folder.root.mkdir()
    with FileLock(folder.root / "run.lock"), pytest.raises(BusyError):
        folder.run()
    folder.run()


def test_unfinished_commit(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that stopped anywhere between two renames is finished by the next run, to the same tables."""
    content = lines(*(record(f"e{k}", timestamp=f"2026-1{k % 2}-01T00:00:00Z") for k in range(4)))
    clean = DataFolder(folder.root.parent / "clean")
    clean.drop("a.jsonl", content)
    clean.run()
    for step in range(9):
        broken = DataFolder(folder.root.parent / f"stopped-{step}")
        broken.drop("a.jsonl", content)
        break_off(broken, monkeypatch, step)
        assert (broken.root / "published.json").exists() is False
        assert broken.run().files == 0
        assert broken.tables() == clean.tables()


def test_lost_staging(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """When staged files of an unfinished commit are lost, their sources are loaded again, to the same tables."""
    from pipeline.storage.store import Operation, Store  # noqa: PLC0415

    folder.drop("a.jsonl", [record("a"), record("b", timestamp="2026-10-01T00:00:00Z", usage={"credits": 3})])
    apply = Store.apply

    def once(store: Store, operation: Operation) -> None:
        apply(store, operation)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "apply", once)
        with pytest.raises(KeyboardInterrupt):
            folder.run()
    Store(folder.root).clear("staging")
    assert numbers(folder.run()) == (2, 1, 1, 0, 0)
    assert folder.cube()["credits"].sum() == 3
    assert folder.actors()["events"].sum() == 2


# Each workspace has about as many records as one case needs, and a run tries as many cases as there are workspaces.
MORE = [f"{number:08x}-0000-4000-8000-000000000002" for number in range(5)]
EVENT = st.fixed_dictionaries(
    {
        "id": st.sampled_from("abc"),
        "workspace_id": st.sampled_from([WORKSPACE, WORKSPACE.upper(), OTHER, *MORE]),
        "timestamp": st.sampled_from(
            ["2026-10-31T23:59:59.999999Z", "2026-11-01T00:00:00Z", "2026-11-01T05:45:00+05:45", "2026-11-01T00:07:00Z"]
        ),
        "recorded_at": st.sampled_from([None, "2026-11-02T00:00:00Z"]),
        "action": st.sampled_from(["voice_generated", "workflow_run"]),
        "kind": st.sampled_from(["k", "l"]),
        "resource": st.just({"type": "voice"}),
        "metadata": st.sampled_from([None, {}, {"a": 1}, {"a": [1, 2]}]),
        "run": st.fixed_dictionaries({"id": st.just("r"), "status": st.sampled_from(["pending", "failed"])}),
        "usage": st.fixed_dictionaries(
            {
                "credits": st.integers(0, 3),
                "languages": st.lists(
                    st.fixed_dictionaries(
                        {"locale": st.sampled_from(["de", "fr", None]), "characters": st.integers(0, 2)}
                    ),
                    max_size=3,
                ),
            }
        ),
    }
)


@settings(max_examples=8)
@given(
    st.lists(EVENT, min_size=1, max_size=12) | st.lists(EVENT, min_size=30, max_size=60),
    st.randoms(use_true_random=False),
    st.integers(1, 3),
)
def test_tables_depend_on_the_set_of_records_alone(
    records: list[dict[str, Any]], shuffle: random.Random, batches: int
) -> None:
    """Any order, any split into files and batches, and any repetition gives the same tables."""
    with tempfile.TemporaryDirectory() as folder:
        once, often = DataFolder(Path(folder, "once")), DataFolder(Path(folder, "often"))
        once.drop("all.jsonl", records)
        once.run()
        again = records + shuffle.choices(records, k=len(records))
        shuffle.shuffle(again)
        for batch in range(batches):
            for part in range(2):
                often.drop(f"{batch}-{part}.jsonl", again[batch * 2 + part :: batches * 2])
            often.run()
        assert often.tables() == once.tables()
