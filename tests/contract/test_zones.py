"""A release of the zone data alone: its names, its links, and what is not a complete release."""

import struct
import zoneinfo
from importlib.metadata import version
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile
from zipfile import Path as PathInZip

import pytest

from pipeline.contract.zones import PINNED, Release, ReleaseError, UnknownZoneError

RULES = b"""# version 2026z
R A 2000 o - Mar 1 0 1 S
Z Asia/Tokyo 9:18:59 - LMT 1887
9 J J%sT
L Asia/Tokyo Japan
L Asia/Tokyo Asia/Kyoto
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a small release in a folder."""
    for name in ("Asia/Tokyo", "Japan", "Asia/Kyoto"):
        path = tmp_path.joinpath("zoneinfo", *name.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PINNED.content("Asia/Tokyo"))
    (tmp_path / "zones").write_text("Asia/Tokyo\nJapan\nAsia/Kyoto\n")
    (tmp_path / "zoneinfo/tzdata.zi").write_bytes(RULES)
    (tmp_path / "__init__.py").write_text('IANA_VERSION = "2026z"\n__version__ = "2026.26"\n')
    return tmp_path


def test_pinned_release() -> None:
    """The pinned release is the installed package. Its links lead to zones, and share their files."""
    assert PINNED.version == version("tzdata")
    assert PINNED.links["Europe/Kiev"] == "Europe/Kyiv"
    assert PINNED.links["US/Pacific"] == "America/Los_Angeles"
    assert "Europe/Kyiv" not in PINNED.links
    assert {*PINNED.links, *PINNED.links.values()} <= PINNED.names
    for link, zone in PINNED.links.items():
        assert PINNED.content(link) == PINNED.content(zone), link


def test_release_in_a_folder_or_a_wheel(folder: Path, tmp_path: Path) -> None:
    """A release is read alike from a folder and from a wheel."""
    with ZipFile(tmp_path / "wheel", "w") as file:
        for path in folder.rglob("*"):
            if path.is_file() and path.name != "wheel":
                file.write(path, f"tzdata/{path.relative_to(folder).as_posix()}")
    for release in (Release(folder), Release(PathInZip(tmp_path / "wheel", "tzdata/"))):
        assert release.names == {"Asia/Tokyo", "Japan", "Asia/Kyoto"}
        assert release.version == "2026.26"
        assert release.links == {"Japan": "Asia/Tokyo", "Asia/Kyoto": "Asia/Tokyo"}
        assert release.zone("Japan").key == "Japan"
        assert isinstance(release.zone("Asia/Kyoto"), zoneinfo.ZoneInfo)
        with pytest.raises(UnknownZoneError):
            release.zone("Europe/Berlin")


def test_release_is_read_once(folder: Path) -> None:
    """What a release says is read once: a run sees one release, even if the package is replaced meanwhile."""
    release = Release(folder)
    before = (release.names, release.version, release.links)
    for name in ("zones", "__init__.py", "zoneinfo/tzdata.zi"):
        (folder / name).write_text("")
    assert (release.names, release.version, release.links) == before


def test_incomplete_release(folder: Path) -> None:
    """A release without a version, without a file or with a damaged file says so."""
    (folder / "__init__.py").write_text("__version__ = None\n")
    assert Release(folder).version == "of no version"
    (folder / "zoneinfo/Japan").unlink()
    with pytest.raises(ReleaseError, match="Japan cannot be read"):
        Release(folder).zone("Japan")
    negative = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, -1, 1, 1) + bytes(99)
    for content in (b"", b"no zone", negative, b"TZif2" + bytes(40), PINNED.content("Asia/Tokyo")[:50]):
        (folder / "zoneinfo/Japan").write_bytes(content)
        with pytest.raises(ReleaseError, match="tzdata of no version: the zone file of Japan is damaged"):
            Release(folder).zone("Japan")
    (folder / "zones").unlink()
    with pytest.raises(ReleaseError, match="zones cannot be read"):
        Release(folder).names  # noqa: B018 - a property


def test_zone_file_that_was_cut_off(folder: Path) -> None:
    """A zone file that was cut off anywhere is damaged; no length of it makes the reader wait for the rest."""
    whole = PINNED.content("Asia/Tokyo")
    for length in range(len(whole)):
        (folder / "zoneinfo/Japan").write_bytes(whole[:length])
        with pytest.raises(ReleaseError, match="the zone file of Japan is damaged"):
            Release(folder).zone("Japan")


@pytest.mark.parametrize("compression", [ZIP_STORED, ZIP_DEFLATED])
def test_damaged_wheel(tmp_path: Path, compression: int) -> None:
    """A file that is damaged in a wheel, or lacks there, is an error that names it."""
    name = "tzdata/zones"
    with ZipFile(tmp_path / "wheel", "w", compression) as file:
        file.writestr(name, "Japan\n" * 1000)
    content = bytearray((tmp_path / "wheel").read_bytes())
    content[content.index(name.encode()) + len(name)] = 0xFF
    (tmp_path / "wheel").write_bytes(content)
    release = Release(PathInZip(tmp_path / "wheel", "tzdata/"))
    with pytest.raises(ReleaseError, match="zones cannot be read"):
        release.names  # noqa: B018 - a property
    with pytest.raises(ReleaseError, match=r"__init__\.py cannot be read"):
        release.version  # noqa: B018 - a property
