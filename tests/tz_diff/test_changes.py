"""`usage tz-diff` lists exactly the local days that move, as brute force finds them."""

import itertools
import struct
from datetime import date, timedelta
from pathlib import Path

import pytest

from pipeline.contract.calendar import SECOND_US, rfc3339
from pipeline.contract.zones import PINNED
from tests.support.command import done
from tests.support.data_folder import DataFolder
from tests.support.tz_diff import ZONES, json_lines, local_day_starts, tz_diff, write_changed, write_release
from tests.support.zone_walk import FIRST

LAST = date(2028, 11, 24)  # two years from now
DAYS = (LAST - FIRST).days + 1


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
    """Every day that moves is in one run of days, with its old and new start; no other day is listed."""
    result = tz_diff(folder, old, write_changed(tmp_path, **{zone.replace("/", "__"): like}), "--json")
    done(result, 1)
    head, change = json_lines(result)
    assert (head["old"], head["new"]) == ("2026.6", "2026.7")
    assert (head["first_day"], head["last_day"]) == (str(FIRST), str(LAST))
    assert change["zones"] == [zone]
    starts = zip(local_day_starts(zone, DAYS), local_day_starts(like, DAYS), strict=True)
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
    mergeable = [a for a, b in itertools.pairwise(shifts) if a[0] == b[0] and is_next_day(a[2], b[1])]
    assert mergeable == []


def is_next_day(one: str, other: str) -> bool:
    """Return whether the second day follows the first."""
    return date.fromisoformat(other) - date.fromisoformat(one) == timedelta(days=1)


def test_nothing_moves(folder: DataFolder, old: Path, tmp_path: Path) -> None:
    """Different files with the same days are not a difference: exit 0."""
    zones = {name: name for name in ZONES} | {"UTC": "Etc/UTC", "Asia/Tokyo": "Japan"}
    result = tz_diff(folder, old, write_release(tmp_path / "same", "2026.8", zones))
    done(result)
    assert result.stdout.splitlines()[1:] == ["no day moves"]
    done(tz_diff(folder, "installed", PINNED.version))


def test_compared_days(folder: DataFolder, tmp_path: Path, old: Path) -> None:
    """Days before `--since` are not compared, nor zones that `--zone` does not name."""
    # Apia's days differ only until 2021.
    new = write_changed(tmp_path, Pacific__Apia="Pacific/Tongatapu", UTC="Africa/Lagos")
    assert {tuple(line["zones"]) for line in json_lines(tz_diff(folder, old, new, "--json"))[1:]} == {
        ("Pacific/Apia",),
        ("UTC",),
    }
    done(tz_diff(folder, old, new, "--zone", "Asia/Tokyo", "--zone", "Europe/Berlin"))
    done(tz_diff(folder, old, new, "--zone", "Pacific/Apia"), 1)
    done(tz_diff(folder, old, new, "--zone", "Pacific/Apia", "--since", "2021-04-04"), 1)
    done(tz_diff(folder, old, new, "--zone", "Pacific/Apia", "--since", "2021-04-05"))


def test_zones_that_move_alike(folder: DataFolder, tmp_path: Path) -> None:
    """Zones whose days move alike are one change; names that are added, removed or become links are listed."""
    zones = {"Europe/Berlin": "Europe/Berlin", "Arctic/Longyearbyen": "Europe/Berlin", "Asia/Rangoon": "Asia/Yangon"}
    before = write_release(
        tmp_path / "before", "2026.6", zones | {"Asia/Tokyo": "Asia/Tokyo"}, {"Asia/Rangoon": "Asia/Yangon"}
    )
    zones = dict.fromkeys(zones, "Europe/London") | {"Asia/Rangoon": "Asia/Yangon", "Japan": "Asia/Tokyo"}
    after = write_release(tmp_path / "after", "2026.7", zones, {"Arctic/Longyearbyen": "Europe/Berlin"})
    head, change = json_lines(tz_diff(folder, before, after, "--json"))
    assert (head["added"], head["removed"]) == (["Japan"], ["Asia/Tokyo"])
    assert head["relinked"] == {
        "Arctic/Longyearbyen": {"old": None, "new": "Europe/Berlin"},
        "Asia/Rangoon": {"old": "Asia/Yangon", "new": None},
    }
    assert change["zones"] == ["Arctic/Longyearbyen", "Europe/Berlin"]
    result = tz_diff(folder, before, after, "--zone", "Asia/Tokyo")
    done(result, 1)
    assert result.stdout.splitlines()[1:] == ["removed: Asia/Tokyo", "no day moves"]
    result = tz_diff(folder, before, after, "--zone", "Asia/Rangoon")
    done(result)
    assert result.stdout.splitlines()[1:] == [
        "Asia/Rangoon: a link to Asia/Yangon, now a zone of its own",
        "no day moves",
    ]


@pytest.mark.parametrize(
    "arguments",
    [("--zone", "Mars/Olympus"), ("--since", "2010-12-31"), ("--since", "2040-01-01"), ("--since", "2026-11")],
)
def test_wrong_arguments(folder: DataFolder, old: Path, arguments: tuple[str, str]) -> None:
    """An unknown zone, an impossible day and a day out of range are refused, and the message quotes them."""
    result = tz_diff(folder, old, "installed", *arguments)
    done(result, 2)
    assert arguments[1] in result.stderr


def test_days_off_the_grid(folder: DataFolder, tmp_path: Path, old: Path) -> None:
    """A release in which a day starts between two quarter-hours is refused: the cube cannot be cut there."""
    counts = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4)
    block = counts + struct.pack(">l?B4s", 1200, False, 0, b"ODD\0")
    result = tz_diff(folder, old, write_changed(tmp_path, UTC=block + block + b"\n<ODD>-0:20\n"))
    done(result, 2)
    assert "2011-01-01 in UTC" in result.stderr
