"""`usage check` of some workspaces or days, or in small groups; and its report of ids on several days."""

from pipeline.check.check import check
from pipeline.check.report import Limits
from pipeline.contract.tables import manifest_path
from tests.support.checked import OTHER, THIRD, checked, monthly, partition, rewrite, wrong
from tests.support.data_folder import WORKSPACE, DataFolder, record


def test_groups(good: DataFolder) -> None:
    """The report does not depend on the size of the groups that are checked at once."""
    good.drop("c.jsonl", [record("late", timestamp="2026-11-01T00:00:00Z")])
    good.run()
    rewrite(monthly(good, "cube"), lambda rows: rows[1:])
    rewrite(partition(good, "2026-11-24"), lambda rows: rows[::-1])
    at_once = checked(good)
    assert check(good.settings, good.now, limits=Limits(group_bytes=1)) == at_once
    assert wrong(at_once).keys() == {"cube", "events"}
    assert at_once.moved.ids == 1


def test_moved_ids(good: DataFolder) -> None:
    """Ids on several UTC days of one workspace are reported, but are not a fault."""
    good.drop(
        "c.jsonl",
        [
            record("late", timestamp="2026-10-06T00:00:00Z"),
            record("late", timestamp="2026-11-01T00:00:00Z"),
            *(record(f"m{k}", timestamp=f"2026-11-0{day}T00:00:00Z") for k in range(9) for day in (1, 2)),
        ],
    )
    good.run()
    report = checked(good)
    assert wrong(report) == {}
    assert (report.moved.ids, len(report.moved.first)) == (10, 5)
    first = report.moved.first[0]
    assert (first.workspace_id, first.id, first.rows) == (WORKSPACE, "late", 3)
    assert (first.first_day, first.last_day) == ("2026-10-05", "2026-11-01")


def test_named_workspaces(good: DataFolder) -> None:
    """Only the named workspaces are checked."""
    rewrite(monthly(good, "cube"), lambda rows: rows[1:])
    partition(good, "2026-10-31").write_bytes(b"")
    (good.root / manifest_path(THIRD)).unlink()
    report = checked(good, OTHER)
    assert wrong(report) == {}
    assert (report.cube.workspaces, report.events.files, report.manifests.workspaces) == (1, 1, 1)
    assert wrong(checked(good, WORKSPACE)).keys() == {"cube", "events"}
    assert wrong(checked(good, OTHER, THIRD)) == {"manifests": 1}
    stranger = "12345678-0000-4000-8000-000000000000"
    assert checked(good, stranger).notes == [f"nothing is stored for workspace {stranger}"]


def test_last_days(good: DataFolder) -> None:
    """Only the last days, including today, are checked; earlier days of the same month are ignored."""
    assert checked(good, days=1).events.files == 2
    assert checked(good, days=2).events.files == 3
    rewrite(monthly(good, "cube"), lambda rows: [row for row in rows if row["quarter"].day == 24])
    assert wrong(checked(good, days=1)) == {}
    assert wrong(checked(good, days=2)).keys() == {"cube"}
    good.now -= 86_400_000_000
    report = checked(good, days=1)
    assert report.events.files == 1
    assert wrong(report).keys() == {"cube"}
    monthly(good, "actors", "2026-10").unlink()
    assert wrong(checked(good, days=23)).keys() == {"cube"}
    assert wrong(checked(good, days=24)).keys() == {"cube", "manifests"}
