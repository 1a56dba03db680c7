"""`usage tz-diff` lists the workspaces whose numbers change, as a recount of every event finds them."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.contract.calendar import SECOND_US, day_start, rfc3339
from pipeline.contract.formats import instant
from pipeline.storage.engine import Engine
from pipeline.storage.folder import FolderStore
from pipeline.tz_diff.changes import compare
from pipeline.tz_diff.effects import effects
from pipeline.tz_diff.releases import find_release
from tests.support.command import done
from tests.support.data_folder import WORKSPACE, DataFolder, record
from tests.support.tz_diff import json_lines, local_day_starts, tz_diff, write_changed
from tests.support.zone_walk import FIRST

OTHER = "a0000000-0000-4000-8000-000000000001"
LAST = date(2028, 11, 24)  # two years from now
DAYS = (LAST - FIRST).days + 1


def events_near_day_starts(zone: str, like: str) -> Iterator[dict[str, Any]]:
    """Yield events of two workspaces around the old and the new starts of days, and far from them."""
    number = 0
    for day in (date(2026, 10, 24) + timedelta(days=k) for k in range(30)):
        for start in {day_start(zone, day), day_start(like, day)}:
            for minutes in (-16, -1, 0, 14, 700):
                number += 1
                yield record(
                    f"e{number}",
                    workspace_id=(WORKSPACE, OTHER)[number % 3 == 0],
                    timestamp=rfc3339(start + minutes * 60 * SECOND_US),
                    usage={"credits": number % 7, "languages": [{"locale": "de", "characters": number % 2}]},
                )


def recount(records: list[dict[str, Any]], zone: str, like: str) -> dict[str, tuple[int, dict[str, int]]]:
    """Return, by workspace, the credits that move to another day and the difference of each changed day."""
    before, after = local_day_starts(zone, DAYS), local_day_starts(like, DAYS)
    moved: dict[str, int] = defaultdict(int)
    days: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in records:
        places = [int(np.searchsorted(starts, instant(one["timestamp"]), "right")) - 1 for starts in (before, after)]
        if places[0] != places[1]:
            used = one["usage"]["credits"]
            moved[one["workspace_id"]] += used
            for place, sign in zip(places, (-1, 1), strict=True):
                days[one["workspace_id"]][str(FIRST + timedelta(days=place))] += sign * used
    return {name: (moved[name], dict(days[name])) for name in days}


@pytest.mark.parametrize(
    ("zone", "like"),
    [("Europe/Berlin", "Europe/London"), ("America/Havana", "America/New_York"), ("Asia/Kathmandu", "Asia/Kolkata")],
)
def test_whose_numbers(folder: DataFolder, tmp_path: Path, old: Path, zone: str, like: str) -> None:
    """Each workspace has the days and credits that differ when every event is assigned its local day again."""
    records = list(events_near_day_starts(zone, like))
    folder.drop("a.jsonl", records)
    folder.run()
    new = write_changed(tmp_path, **{zone.replace("/", "__"): like})
    result = tz_diff(folder, old, new, "--json")
    done(result, 1)
    _, _, *found = json_lines(result)
    assert {effect["zone"] for effect in found} == {zone}
    by_workspace = {effect["workspace_id"]: (effect["credits"], effect["days"]) for effect in found}
    assert by_workspace == recount(records, zone, like)
    assert set(by_workspace) == {WORKSPACE, OTHER}
    changes = compare(find_release(str(old)), find_release(str(new)), FIRST, LAST)
    one_by_one = effects(FolderStore(folder.root), changes.moved, files_at_once=1)
    assert {effect.workspace_id: (effect.credits, effect.days) for effect in one_by_one} == by_workspace


def test_text(folder: DataFolder, tmp_path: Path, old: Path) -> None:
    """The text lists the zones with their runs of days, then the workspaces, most credits first."""
    folder.drop(
        "a.jsonl",
        [
            record("e1", timestamp="2026-11-23T22:30:00Z", usage={"credits": 5}),
            record("e2", timestamp="2026-11-23T23:30:00Z", usage={"credits": 7, "languages": []}),
            record("e3", timestamp="2026-11-22T23:59:00Z", workspace_id=OTHER, usage={"credits": 1_000}),
        ],
    )
    folder.run()
    result = tz_diff(folder, old, write_changed(tmp_path, Europe__Berlin="Europe/London"), "--since", "2026-11-01")
    done(result, 1)
    assert result.stdout.splitlines() == [
        "tzdata 2026.6 and 2026.7, local days 2026-11-01 to 2028-11-24",
        "",
        "Europe/Berlin: 755 days move",
        "  from        to          days  starts     first start, old      new",
        "  2026-11-01  2028-11-24   755  1 h later  2026-10-31T23:00:00Z  2026-11-01T00:00:00Z",
        "  workspaces with numbers there: 2; credits that move to another day: 1,007",
        "  workspace                             credits  days  first       last",
        f"  {OTHER}    1,000     2  2026-11-22  2026-11-23",
        f"  {WORKSPACE}        7     2  2026-11-23  2026-11-24",
    ]


def test_a_run_meanwhile(folder: DataFolder, tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a run replaces a file just before it is read, the new file is read instead."""
    early = record("e1", timestamp="2026-11-22T23:30:00Z", usage={"credits": 5})
    folder.drop("a.jsonl", [early])
    folder.run()
    fetch, runs = Engine.fetch, iter([folder.run])

    def overtaken(engine: Engine, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        folder.drop("b.jsonl", [early | {"id": "e2"}])
        for run in runs:
            run(folder.now + SECOND_US)
        return fetch(engine, name, **parameters)

    new = write_changed(tmp_path, Europe__Berlin="Europe/London")
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "fetch", overtaken)
        result = tz_diff(folder, old, new, "--json")
    done(result, 1)
    assert [effect["credits"] for effect in json_lines(result)[2:]] == [10]


def test_damaged_tables(folder: DataFolder, tmp_path: Path, old: Path) -> None:
    """A damaged file is an error, unless it belongs to a month in which no day moves: such a file is never opened."""
    folder.drop("a.jsonl", [record("e1", timestamp="2026-07-22T23:30:00Z"), record("e2")])
    folder.run()
    (july,) = folder.root.glob("cube/*/month=2026-07/*.parquet")
    july.write_bytes(b"damaged")
    new = write_changed(tmp_path, Europe__Berlin="Africa/Lagos")  # the same in winter
    result = tz_diff(folder, old, new)
    done(result, 2)
    assert "not all workspaces could be examined" in result.stderr
    done(tz_diff(folder, old, new, "--since", "2026-10-26"), 1)
    (manifest,) = folder.root.glob("manifests/*.json")
    manifest.write_bytes(b"{")
    done(tz_diff(folder, old, new), 2)
