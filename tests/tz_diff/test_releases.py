"""`usage tz-diff` finds releases of the zone data by wheel, folder or version, and refuses everything else."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.command import done
from tests.support.data_folder import DataFolder
from tests.support.tz_diff import ZONES, pack_wheel, tz_diff, write_changed, write_release


def test_where_releases_are_found(
    folder: DataFolder, tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release is a wheel, the folder that a wheel unpacks to, or the version of a wheel in the current folder."""
    wheel = pack_wheel(write_changed(tmp_path, Asia__Tokyo="Asia/Seoul", UTC="Asia/Kathmandu"), "2026.7")
    monkeypatch.chdir(tmp_path)
    expected = tz_diff(folder, old, tmp_path / "new", "--json")
    done(expected, 1)
    for new in (wheel, tmp_path / "new" / "tzdata", "2026.7"):
        result = tz_diff(folder, old, new, "--json")
        done(result, 1)
        assert result.stdout == expected.stdout


def test_wrong_releases(folder: DataFolder, tmp_path: Path, old: Path) -> None:
    """Anything else is refused with the reason; for a version that is missing the message says how to download it."""
    (tmp_path / "text.whl").write_text("no archive")
    write_release(tmp_path / "broken", "2026.7", {name: name for name in ZONES})
    (tmp_path / "broken/tzdata/zoneinfo/UTC").unlink()
    damaged = write_changed(tmp_path, UTC=b"TZif2" + bytes(40))
    empty = tmp_path / "empty.whl"
    ZipFile(empty, "w").close()
    for new, words in (
        ("1999.1", "`pip download tzdata==1999.1 --no-deps`"),
        ("newest", "newest: not a wheel, a folder, or a version"),
        (tmp_path / "text.whl", "is not a wheel"),
        (empty, "it lacks tzdata/zones"),
        (tmp_path, "holds no release of tzdata"),
        (tmp_path / "broken", "zoneinfo/UTC cannot be read"),
        (damaged, "the zone file of UTC is damaged"),
    ):
        result = tz_diff(folder, old, new)
        done(result, 2)
        assert words in result.stderr
        assert result.stdout == ""
