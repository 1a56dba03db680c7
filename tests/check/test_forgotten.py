"""`usage check` finds what is stored although it is forgotten or expired, and says what erases it."""

import pytest

from pipeline.storage.tombstones import TOMBSTONES, Tombstone, append, hashed
from tests.support.checked import ADA as ADA_AND_NAME
from tests.support.checked import OTHER, checked, partition, rewrite, wrong
from tests.support.command import done, usage
from tests.support.data_folder import NOW, WORKSPACE, DataFolder, record

ADA = ADA_AND_NAME["id"]
STONES = {
    "user": Tombstone("user", NOW, sha256=hashed(ADA)),
    "workspace": Tombstone("workspace", NOW, sha256=hashed(OTHER)),
    "floor": Tombstone("floor", NOW, day="2026-10-06"),
}


@pytest.mark.parametrize(("which", "files"), [("user", 3), ("workspace", 1), ("floor", 2)])
def test_not_carried_out(good: DataFolder, which: str, files: int) -> None:
    """Tombstones that no run has carried out, as after a restore, leave files that are named; the next run erases."""
    good.drop("c.jsonl", [record("names", timestamp="2026-11-01T00:00:00Z", metadata={"a": ADA.upper()})])
    good.run()
    append(good.root, STONES[which])
    report = checked(good)
    assert wrong(report) == {"events": files}
    assert all("`usage run` erases it" in text for text in report.events.first)
    assert sum("that name forgotten users: 1" in text for text in report.events.first) == (which == "user")
    good.run()
    assert wrong(checked(good)) == {}


def test_put_back(good: DataFolder) -> None:
    """What was put back after its tombstones were carried out, no run would notice; the check does."""
    done(usage(good, "forget", "--user", ADA, "--apply"))
    names = {"resource_id": ADA, "metadata": f'{{"a":"{ADA}"}}'}
    rewrite(partition(good, "2026-11-23"), lambda rows: [row | names for row in rows])
    report = checked(good)
    assert wrong(report) == {"events": 1}
    assert "places that name forgotten users: 2; `usage run --rebuild` erases it" in report.events.first[0]
    done(usage(good, "--rebuild"))
    assert wrong(checked(good)) == {}


def test_rejected_lines(good: DataFolder) -> None:
    """Rejected lines that name the forgotten are counted by raw file."""
    good.drop("c.jsonl", b"".join(text.encode() + b"\n" for text in (ADA.replace("-", ""), WORKSPACE, ADA)))
    good.run()
    append(good.root, STONES["user"])
    report = checked(good)
    assert wrong(report).keys() == {"events", "quarantine"}
    assert report.quarantine.first == ["c.jsonl: forgotten or expired lines: 2; `usage run` erases it"]


def test_unreadable_tombstones(good: DataFolder) -> None:
    """Tombstones that cannot be read are a fault, for then nobody knows who is forgotten."""
    (good.root / TOMBSTONES).write_text("{")
    report = checked(good)
    assert wrong(report) == {"ledger": 1}
    assert report.ledger.first[0].startswith(f"{TOMBSTONES}, line 1: ")
