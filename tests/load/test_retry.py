"""`usage quarantine --retry` loads lines once their timestamp is no longer too far ahead, without their raw file."""

import json
from collections import Counter
from typing import Any

import pytest

from pipeline.contract.calendar import DAY_US, rfc3339
from pipeline.storage.state import Counts
from tests.support.command import contents, done, ledger, published, refused, total, usage
from tests.support.data_folder import DataFolder, Once, record

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
# Two days ahead of the run that reads the lines first.
AHEAD = "2026-11-26T12:00:00.000001Z"
LATER = "2026-11-25T12:00:00.000001Z"


def ahead(id_: str, **fields: Any) -> dict[str, Any]:
    """Return a record whose timestamp is too far ahead."""
    return record(id_, timestamp=AHEAD, **fields)


def rows(*records: dict[str, Any]) -> bytes:
    """Return records as lines."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in records)


def retry(folder: DataFolder, *options: str, now: str = LATER) -> str:
    """Retry at a later time, and return the command's stdout."""
    result = usage(folder, "quarantine", "--retry", *options, now=now)
    done(result)
    return result.stdout


def waiting(folder: DataFolder) -> list[tuple[str, int, str]]:
    """Return the file, line number and reason of every line in quarantine."""
    return [(row["source_file"], row["line_number"], row["reason"]) for row in folder.quarantine()]


def unchanged(folder: DataFolder) -> dict[str, Any]:
    """Return everything that a retry without effect must not change: partitions, tables, quarantine and counts."""
    events = {name: content for name, content in contents(folder).items() if name.startswith("events/")}
    tables = published(folder)
    for row in tables["quarantine"]:
        del row["message"]  # it may name the latest timestamp that the run accepts
    counts = {name: entry.counts for name, entry in ledger(folder).items()}
    return {**events, **tables, "counts": counts}


def load_early(folder: DataFolder) -> None:
    """Load good lines, bad lines and lines that are too far ahead, in two files."""
    folder.drop(
        "a.jsonl",
        rows(
            record("a1", usage={"credits": 1}),
            ahead("a2", usage={"credits": 10}),
            {"id": "bad"},
            ahead("a3", workspace_id=OTHER, usage={"credits": 100}),
            record("too early", timestamp="2010-01-01T00:00:00Z"),
        )
        + b"\n",
    )
    folder.drop("b.jsonl", rows(ahead("b1", usage={"credits": 1000}), record("b2", action="walk"), record("b3")))
    folder.run()


@pytest.fixture
def early(once: Once) -> DataFolder:
    """Return a folder with good lines, bad lines and lines that are too far ahead, in two files."""
    return once(load_early)


def test_waits_for_its_timestamp(early: DataFolder) -> None:
    """A line stays in quarantine while its timestamp is more than 24 hours ahead, to the microsecond."""
    before = unchanged(early)
    said = retry(early, now="2026-11-25T12:00:00Z")
    assert said.startswith("6 lines = 0 accepted + 0 duplicates + 6 rejected + 0 blank, from 2 files")
    assert unchanged(early) == before
    said = retry(early, now=LATER)
    assert said.startswith("6 lines = 3 accepted + 0 duplicates + 3 rejected + 0 blank, from 2 files")
    assert set(early.events()["id"]) == {"a1", "a2", "a3", "b1", "b3"}
    assert early.cube()["credits"].sum() == early.actors()["credits"].sum() == 1111


def test_without_the_raw_file(early: DataFolder) -> None:
    """A retry needs no raw file, and gives the same tables as reading the raw file at that time."""
    fresh = DataFolder(early.root.parent / "fresh")
    for path in (early.root / "raw").iterdir():
        fresh.drop(path.name, path.read_bytes())
        path.unlink()
    fresh.run(fresh.now + DAY_US + 1)
    retry(early)
    assert published(early) == published(fresh)
    # The ledger counts the lines as if both files had been read at that time.
    assert {name: entry.counts for name, entry in ledger(early).items()} == {
        name: entry.counts for name, entry in ledger(fresh).items()
    }


def test_still_bad_lines_stay(early: DataFolder) -> None:
    """Lines that are still bad keep their line number and their order."""
    retry(early)
    assert waiting(early) == [
        ("a.jsonl", 3, "missing_field"),
        ("a.jsonl", 5, "timestamp_out_of_range"),
        ("b.jsonl", 2, "invalid_value"),
    ]
    assert total(early) == Counts(9, 5, 0, 3, 1)


def test_by_reason(early: DataFolder) -> None:
    """`--reason` retries only lines with that reason, even if other lines have become good."""
    before = published(early)
    early.drop("c.jsonl", rows(ahead("c1")))
    early.run()
    assert retry(early, "--reason", "invalid_value").startswith("1 lines = 0 accepted + 0 duplicates + 1 rejected")
    assert published(early)["events"] == before["events"]
    assert len(waiting(early)) == 7
    assert retry(early, "--reason", "timestamp_out_of_range").startswith("5 lines = 4 accepted + 0 duplicates + 1 rej")
    assert Counter(reason for _, _, reason in waiting(early)) == {
        "missing_field": 1,
        "timestamp_out_of_range": 1,
        "invalid_value": 1,
    }
    ledger(early)


def test_by_file(early: DataFolder) -> None:
    """`--file` retries only lines of that file."""
    assert retry(early, "--file", "b.jsonl").startswith("2 lines = 1 accepted + 0 duplicates + 1 rejected")
    assert set(early.events()["id"]) == {"a1", "b1", "b3"}
    assert [place for place in waiting(early) if place[0] == "b.jsonl"] == [("b.jsonl", 2, "invalid_value")]
    assert len(waiting(early)) == 5
    assert retry(early, "--file", "c.jsonl").startswith("0 lines = ")
    said = retry(early, "--file", "a.jsonl", "--reason", "timestamp_out_of_range")
    assert said.startswith("3 lines = 2 accepted + 0 duplicates + 1 rejected")
    assert total(early) == Counts(9, 5, 0, 3, 1)


def test_empty_quarantine_file_is_deleted(folder: DataFolder) -> None:
    """A quarantine file is deleted once all its lines are good."""
    folder.drop("a.jsonl", rows(ahead("a"), ahead("b")))
    folder.run()
    retry(folder)
    assert not list(folder.root.glob("quarantine/*"))
    assert total(folder) == Counts(2, 2)


def test_a_second_retry_changes_nothing(early: DataFolder) -> None:
    """Further retries change neither the tables nor the quarantine nor the counts."""
    retry(early)
    before = unchanged(early)
    for _ in range(2):
        assert retry(early).startswith("3 lines = 0 accepted + 0 duplicates + 3 rejected")
        assert unchanged(early) == before


def test_versions(folder: DataFolder) -> None:
    """A retried line is a version like any other: it becomes current, loses to a newer one, or is a duplicate."""
    folder.drop(
        "a.jsonl",
        rows(
            ahead("wins", recorded_at="2026-11-24T11:00:00Z", usage={"credits": 1}),
            ahead("loses", recorded_at="2026-11-24T09:00:00Z", usage={"credits": 2}),
            ahead("stored"),
        ),
    )
    folder.run()
    later = folder.now + DAY_US + 1
    newer = [ahead(name, recorded_at="2026-11-24T10:00:00Z", usage={"credits": 4}) for name in ("wins", "loses")]
    folder.drop("b.jsonl", rows(*newer, ahead("stored")))
    folder.run(later)
    assert retry(folder).startswith("3 lines = 1 accepted + 2 duplicates + 0 rejected")
    assert dict(folder.events().select("id", "credits").iter_rows()) == {"wins": 1, "loses": 4, "stored": 0}
    assert ledger(folder)["a.jsonl"].counts == Counts(3, 1, 2)


@pytest.mark.parametrize("tail", ["torn", "early", "good"])
def test_files_that_grow_afterwards(folder: DataFolder, tail: str) -> None:
    """Every line counts once if the file grows after the retry, even if its last line had no newline at first."""
    whole = rows(record("a1"), ahead("a2"), {"id": "bad"}, ahead("a4"), record("a5"))
    last = {"torn": rows(record("last"))[:-1], "early": rows(ahead("last"))[:-1], "good": rows(record("last"))[:-1]}[
        tail
    ]
    cut = last[:-20] if tail == "torn" else last
    path = folder.drop("a.jsonl", whole + cut)
    folder.run()
    assert total(folder).lines == 6
    retry(folder)
    # A last line without a newline is not retried, because its rest may follow.
    expected = {"torn": (4, 2), "early": (4, 2), "good": (5, 1)}[tail]
    assert (total(folder).accepted, total(folder).rejected) == expected
    assert ("a.jsonl", 6) in {place[:2] for place in waiting(folder)} or tail == "good"
    with path.open("ab") as file:
        file.write(last[len(cut) :] + b"\n" + rows(record("a7"), {"id": "bad too"}, ahead("a9")))
    done(usage(folder, now=LATER))
    assert set(folder.events()["id"]) == {"a1", "a2", "a4", "a5", "last", "a7", "a9"}
    assert waiting(folder) == [("a.jsonl", 3, "missing_field"), ("a.jsonl", 8, "missing_field")]
    counts = ledger(folder)["a.jsonl"].counts
    assert (counts.lines, counts.rejected, counts.accepted + counts.duplicates) == (9, 2, 7)
    before = unchanged(folder)
    retry(folder)
    assert unchanged(folder) == before


def test_data_as_of_does_not_move(early: DataFolder) -> None:
    """A retry does not move data_as_of, because it reads no raw files."""
    early.drop("new.jsonl", rows(record("new")))
    before = json.loads((early.root / "published.json").read_bytes())
    retry(early)
    after = json.loads((early.root / "published.json").read_bytes())
    assert after["data_as_of"] == before["data_as_of"] == early.now
    assert after["sequence"] == before["sequence"] + 1
    assert "new" not in set(early.events()["id"])
    done(usage(early, now=LATER))
    assert "new" in set(early.events()["id"])


def test_a_lost_ledger(early: DataFolder) -> None:
    """Without the ledger, a retry gives the same tables, and so does the next run, which reads all raw files again."""
    expected = DataFolder(early.root.parent / "expected")
    for path in (early.root / "raw").iterdir():
        expected.drop(path.name, path.read_bytes())
    expected.run(early.now + DAY_US + 1)
    for path in early.root.glob("state.sqlite*"):
        path.unlink()
    retry(early)
    assert ledger(early) == {}
    assert published(early) == published(expected)
    done(usage(early, now=LATER))
    assert published(early) == published(expected)
    assert total(early) == Counts(9, 0, 5, 3, 1)


def test_a_raw_file_that_was_replaced(early: DataFolder) -> None:
    """If a raw file is replaced before a retry, the next run still reads the new file correctly."""
    early.drop("a.jsonl", rows(ahead("other"), {"id": "bad"}, record("a1", usage={"credits": 1})))
    retry(early)
    done(usage(early, now=LATER))
    assert set(early.events()["id"]) == {"a1", "a2", "a3", "b1", "b3", "other"}
    assert [place for place in waiting(early) if place[0] == "a.jsonl"] == [("a.jsonl", 2, "missing_field")]
    assert ledger(early)["a.jsonl"].counts == Counts(3, 1, 1, 1)


def test_retry_of_a_cut_line(folder: DataFolder) -> None:
    """A line that the quarantine keeps only in part stays there."""
    folder.drop("a.jsonl", b'{"id":"' + b"x" * (17 << 20) + b"\n" + rows(ahead("a")))
    folder.run()
    assert retry(folder).startswith("1 lines = 1 accepted")
    assert waiting(folder) == [("a.jsonl", 1, "line_too_long")]
    assert total(folder) == Counts(2, 1, 0, 1)


def test_a_damaged_quarantine_file(early: DataFolder) -> None:
    """A retry stops at a damaged quarantine file before it changes anything."""
    path = sorted(early.root.glob("quarantine/*"))[1]
    path.write_bytes(b"PAR1 torn")
    before = contents(early)
    refused(usage(early, "quarantine", "--retry", now=LATER), f"quarantine/{path.name} is damaged")
    assert contents(early) == before


def test_rebuild_after_a_retry(early: DataFolder) -> None:
    """A rebuild after a retry gives the same tables as the retry."""
    retry(early)
    before = published(early)
    done(usage(early, "--rebuild", now=rfc3339(early.now + DAY_US + 1)))
    assert published(early) == before
    assert total(early) == Counts(9, 5, 0, 3, 1)
