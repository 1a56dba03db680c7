"""`usage tz-diff`: which days move, and whose numbers, against brute force, over small releases of real zone files."""

import itertools
import json
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from pipeline.commands.app import app
from pipeline.contract.calendar import SECOND_US, day_start, rfc3339
from pipeline.contract.formats import instant
from pipeline.contract.zones import PINNED
from pipeline.storage.engine import Engine
from pipeline.tz_diff import effects as zone_effects
from tests.support.command import done
from tests.support.data_folder import NOW, WORKSPACE, DataFolder, record
from tests.support.zone_walk import FIRST, read_zone_file, walk_day_starts

OTHER = "a0000000-0000-4000-8000-000000000001"
LAST = date(2028, 11, 24)  # two years from now
HEAD = 'import something\n__version__ = "{}"\n'
ZONES = ("Africa/Cairo", "America/Havana", "Asia/Kathmandu", "Asia/Tokyo", "Europe/Berlin", "Pacific/Apia", "UTC")


def release(
    folder: Path, version: str, zones: Mapping[str, str | bytes], links: Mapping[str, str] | None = None
) -> Path:
    """Make a folder as a wheel of tzdata unpacks to, with zones that have the files of others, or of nobody."""
    package = folder / "tzdata"
    for name, content in zones.items():
        path = package.joinpath("zoneinfo", *name.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read_zone_file(content) if isinstance(content, str) else content)
    (package / "zones").write_text("\n".join(zones))
    (package / "__init__.py").write_text(HEAD.format(version))
    rules = "".join(f"L {target} {name}\n" for name, target in (links or {}).items())
    (package / "zoneinfo" / "tzdata.zi").write_text(f"# version x\n{rules}")
    return folder


def wheel(folder: Path, version: str) -> Path:
    """Pack a folder as a wheel."""
    path = folder.parent / f"tzdata-{version}-py2.py3-none-any.whl"
    with ZipFile(path, "w") as file:
        for part in sorted(folder.rglob("*")):
            file.write(part, part.relative_to(folder).as_posix())
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a small release with the zones as they are."""
    return release(tmp_path / "old", "2026.6", {name: name for name in ZONES})


def changed(tmp_path: Path, **files: str | bytes) -> Path:
    """Return the next one, in which zones (with `__` for `/`) have other files."""
    replaced = {name.replace("__", "/"): content for name, content in files.items()}
    return release(tmp_path / "new", "2026.7", {name: name for name in ZONES} | replaced)


def diff(folder: DataFolder, *arguments: object) -> Result:
    """Give the command."""
    command = ["tz-diff", *map(str, arguments), "--data-dir", str(folder.root), "--now", NOW]
    return CliRunner().invoke(app, command)


def lines(result: Result) -> list[dict[str, Any]]:
    """Return what it says to machines."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def walk(name: str) -> list[int]:
    """Return where every local day starts, in microseconds, by brute force."""
    starts = walk_day_starts(read_zone_file(name))[: (LAST - FIRST).days + 2]
    return [int(start) * SECOND_US for start in starts]


@pytest.mark.parametrize(
    ("zone", "like"),
    [
        ("Europe/Berlin", "Asia/Kathmandu"),
        ("Africa/Cairo", "Asia/Riyadh"),
        ("America/Havana", "America/New_York"),
        ("Asia/Tokyo", "Australia/Lord_Howe"),
        ("Pacific/Apia", "Pacific/Pago_Pago"),
    ],
)
def test_moved_days(folder: DataFolder, tmp_path: Path, old: Path, zone: str, like: str) -> None:
    """Every day that starts elsewhere is in one run of days, with its old and new start; no other day is."""
    result = diff(folder, old, changed(tmp_path, **{zone.replace("/", "__"): like}), "--json")
    done(result, 1)
    head, change = lines(result)
    assert (head["old"], head["new"], head["first_day"], head["last_day"]) == (
        "2026.6",
        "2026.7",
        str(FIRST),
        str(LAST),
    )
    assert change["zones"] == [zone]
    starts = zip(walk(zone)[:-1], walk(like)[:-1], strict=True)
    expected = {FIRST + timedelta(days=k): start for k, start in enumerate(starts) if start[0] != start[1]}
    found: dict[date, tuple[int, int]] = {}
    for run in change["runs"]:
        first, last = (date.fromisoformat(run[key]) for key in ("first_day", "last_day"))
        assert run["days"] == (last - first).days + 1
        assert run["first_start"] == {"old": rfc3339(expected[first][0]), "new": rfc3339(expected[first][1])}
        for day in (first + timedelta(days=k) for k in range(run["days"])):
            before = expected[day][0]
            found[day] = before, before + run["seconds_later"] * SECOND_US
    assert found == expected
    assert change["days"] == len(expected)
    shifts = [(run["seconds_later"], run["first_day"], run["last_day"]) for run in change["runs"]]
    touching = [one for one, other in itertools.pairwise(shifts) if one[0] == other[0] and following(one[2], other[1])]
    assert touching == []


def following(one: str, other: str) -> bool:
    """Return whether a day follows the other."""
    return date.fromisoformat(other) - date.fromisoformat(one) == timedelta(days=1)


def spread(zone: str, like: str) -> Iterator[dict[str, Any]]:
    """Yield events of two workspaces around the starts of days, in the old and in the new way, and at other times."""
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
    """Return, by workspace, how many credits are counted on another day, and by how many each touched day differs."""
    before, after = walk(zone), walk(like)
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
@pytest.mark.parametrize("files_at_once", [1, 600])
def test_whose_numbers(
    folder: DataFolder,
    tmp_path: Path,
    old: Path,
    zone: str,
    like: str,
    files_at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of each workspace the days are named whose numbers differ, as if every event were given its local day anew."""
    monkeypatch.setattr(zone_effects, "_FILES", files_at_once)
    records = list(spread(zone, like))
    folder.drop("a.jsonl", records)
    folder.run()
    result = diff(folder, old, changed(tmp_path, **{zone.replace("/", "__"): like}), "--json")
    done(result, 1)
    _, _, *effects = lines(result)
    assert {effect["zone"] for effect in effects} == {zone}
    found = {effect["workspace_id"]: (effect["credits"], effect["days"]) for effect in effects}
    assert found == recount(records, zone, like)
    assert set(found) == {WORKSPACE, OTHER}


def test_words(folder: DataFolder, tmp_path: Path, old: Path) -> None:
    """People read the zones with their runs of days, then the workspaces, those with most credits first."""
    folder.drop(
        "a.jsonl",
        [
            record("e1", timestamp="2026-11-23T22:30:00Z", usage={"credits": 5}),
            record("e2", timestamp="2026-11-23T23:30:00Z", usage={"credits": 7, "languages": []}),
            record("e3", timestamp="2026-11-22T23:59:00Z", workspace_id=OTHER, usage={"credits": 1_000}),
        ],
    )
    folder.run()
    result = diff(folder, old, changed(tmp_path, Europe__Berlin="Europe/London"), "--since", "2026-11-01")
    done(result, 1)
    assert result.stdout.splitlines() == [
        "tzdata 2026.6 and 2026.7, local days 2026-11-01 to 2028-11-24",
        "",
        "Europe/Berlin: 755 days move",
        "  from        to          days  start      the first: before     now",
        "  2026-11-01  2028-11-24   755  1 h later  2026-10-31T23:00:00Z  2026-11-01T00:00:00Z",
        "  workspaces with numbers there: 2; credits that pass to another day: 1,007",
        "  workspace                             credits  days  first       last",
        f"  {OTHER}    1,000     2  2026-11-22  2026-11-23",
        f"  {WORKSPACE}        7     2  2026-11-23  2026-11-24",
    ]


def test_nothing_moves(folder: DataFolder, old: Path, tmp_path: Path) -> None:
    """The same days are no difference, whatever the files: exit 0, and nothing is read of the workspaces."""
    same = release(
        tmp_path / "same", "2026.8", {name: name for name in ZONES} | {"UTC": "Etc/UTC", "Asia/Tokyo": "Japan"}
    )
    result = diff(folder, old, same)
    done(result)
    assert result.stdout.splitlines()[1:] == ["no day moves"]
    done(diff(folder, "installed", PINNED.version))


def test_days_that_are_looked_at(folder: DataFolder, tmp_path: Path, old: Path) -> None:
    """Days before `--since` are not looked at, nor zones that `--zone` does not name."""
    new = changed(tmp_path, Pacific__Apia="Pacific/Tongatapu", UTC="Africa/Lagos")  # Apia: other days until 2021 only
    assert {tuple(line["zones"]) for line in lines(diff(folder, old, new, "--json"))[1:]} == {
        ("Pacific/Apia",),
        ("UTC",),
    }
    done(diff(folder, old, new, "--zone", "Asia/Tokyo", "--zone", "Europe/Berlin"))
    done(diff(folder, old, new, "--zone", "Pacific/Apia"), 1)
    done(diff(folder, old, new, "--zone", "Pacific/Apia", "--since", "2021-04-04"), 1)
    done(diff(folder, old, new, "--zone", "Pacific/Apia", "--since", "2021-04-05"))


def test_zones_that_move_alike(folder: DataFolder, tmp_path: Path) -> None:
    """Names whose days move alike are one change; names that come, go or become links are told."""
    zones = {"Europe/Berlin": "Europe/Berlin", "Arctic/Longyearbyen": "Europe/Berlin", "Asia/Rangoon": "Asia/Yangon"}
    before = release(
        tmp_path / "before", "2026.6", zones | {"Asia/Tokyo": "Asia/Tokyo"}, {"Asia/Rangoon": "Asia/Yangon"}
    )
    zones = dict.fromkeys(zones, "Europe/London") | {"Asia/Rangoon": "Asia/Yangon", "Japan": "Asia/Tokyo"}
    after = release(tmp_path / "after", "2026.7", zones, {"Arctic/Longyearbyen": "Europe/Berlin"})
    head, change = lines(diff(folder, before, after, "--json"))
    assert (head["added"], head["removed"]) == (["Japan"], ["Asia/Tokyo"])
    assert head["relinked"] == {
        "Arctic/Longyearbyen": {"old": None, "new": "Europe/Berlin"},
        "Asia/Rangoon": {"old": "Asia/Yangon", "new": None},
    }
    assert change["zones"] == ["Arctic/Longyearbyen", "Europe/Berlin"]
    said = diff(folder, before, after, "--zone", "Asia/Tokyo")
    done(said, 1)
    assert said.stdout.splitlines()[1:] == ["removed: Asia/Tokyo", "no day moves"]
    said = diff(folder, before, after, "--zone", "Asia/Rangoon")
    done(said)
    assert said.stdout.splitlines()[1:] == [
        "Asia/Rangoon: a link to Asia/Yangon, now a zone of its own",
        "no day moves",
    ]


def test_where_releases_are_found(
    folder: DataFolder, tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release is a wheel, what one unpacks to, or the version of a wheel in the current folder."""
    packed = wheel(changed(tmp_path, Asia__Tokyo="Asia/Seoul", UTC="Asia/Kathmandu"), "2026.7")
    monkeypatch.chdir(tmp_path)
    expected = diff(folder, old, tmp_path / "new", "--json")
    done(expected, 1)
    for new in (packed, tmp_path / "new" / "tzdata", "2026.7"):
        result = diff(folder, old, new, "--json")
        done(result, 1)
        assert result.stdout == expected.stdout


def test_wrong_releases(folder: DataFolder, tmp_path: Path, old: Path) -> None:
    """What is no release is refused with a reason, and a version that is not here with how to get it."""
    (tmp_path / "text.whl").write_text("no archive")
    release(tmp_path / "broken", "2026.7", {name: name for name in ZONES})
    (tmp_path / "broken/tzdata/zoneinfo/UTC").unlink()
    damaged = changed(tmp_path, UTC=b"TZif2" + bytes(40))
    empty = tmp_path / "empty.whl"
    ZipFile(empty, "w").close()
    for new, words in (
        ("1999.1", "`pip download tzdata==1999.1 --no-deps`"),
        ("newest", "newest: no such wheel or folder"),
        (tmp_path / "text.whl", "is no wheel"),
        (empty, "it lacks tzdata/zones"),
        (tmp_path, "holds no release of tzdata"),
        (tmp_path / "broken", "zoneinfo/UTC cannot be read"),
        (damaged, "the zone file of UTC is damaged"),
    ):
        result = diff(folder, old, new)
        done(result, 2)
        assert words in result.stderr
        assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [("--zone", "Mars/Olympus"), ("--since", "2010-12-31"), ("--since", "2040-01-01"), ("--since", "2026-11")],
)
def test_wrong_arguments(folder: DataFolder, old: Path, arguments: tuple[str, str]) -> None:
    """An unknown zone and a day that is none are refused by name."""
    result = diff(folder, old, "installed", *arguments)
    done(result, 2)
    assert arguments[1] in result.stderr


def test_days_off_the_grid(folder: DataFolder, tmp_path: Path, old: Path) -> None:
    """A release with a day that starts between two quarter-hours is refused: no cube has its numbers."""
    counts = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4)
    block = counts + struct.pack(">l?B4s", 1200, False, 0, b"ODD\0")
    result = diff(folder, old, changed(tmp_path, UTC=block + block + b"\n<ODD>-0:20\n"))
    done(result, 2)
    assert "2011-01-01 in UTC" in result.stderr


def test_a_run_meanwhile(folder: DataFolder, tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a run replaces a file that was about to be read, the new one is read instead."""
    early = record("e1", timestamp="2026-11-22T23:30:00Z", usage={"credits": 5})
    folder.drop("a.jsonl", [early])
    folder.run()
    fetch, runs = Engine.fetch, iter([folder.run])

    def overtaken(engine: Engine, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        folder.drop("b.jsonl", [early | {"id": "e2"}])
        for run in runs:
            run(folder.now + SECOND_US)
        return fetch(engine, name, **parameters)

    new = changed(tmp_path, Europe__Berlin="Europe/London")
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "fetch", overtaken)
        result = diff(folder, old, new, "--json")
    done(result, 1)
    assert [effect["credits"] for effect in lines(result)[2:]] == [10]


def test_damaged_tables(folder: DataFolder, tmp_path: Path, old: Path) -> None:
    """A file that cannot be read is an error; one of a month in which no day moves is not looked at."""
    folder.drop("a.jsonl", [record("e1", timestamp="2026-07-22T23:30:00Z"), record("e2")])
    folder.run()
    (july,) = folder.root.glob("cube/*/month=2026-07/*.parquet")
    july.write_bytes(b"damaged")
    new = changed(tmp_path, Europe__Berlin="Africa/Lagos")  # the same in winter
    result = diff(folder, old, new)
    done(result, 2)
    assert "not all workspaces could be looked at" in result.stderr
    done(diff(folder, old, new, "--since", "2026-10-26"), 1)
    (manifest,) = folder.root.glob("manifests/*.json")
    manifest.write_bytes(b"{")
    done(diff(folder, old, new), 2)
