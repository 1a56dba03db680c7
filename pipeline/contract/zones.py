"""Releases of the `tzdata` package: the names of the IANA zones, and their files.

Reads the pinned package, or another release from a wheel or a folder; the operating system's own files are never
consulted. Where the local days of a zone start is computed in `pipeline.contract.calendar` alone.
"""

import io
import re
import struct
import zlib
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final
from zipfile import BadZipFile
from zipfile import Path as ZipPath
from zoneinfo import ZoneInfo

INSTALLED: Final = "installed"

_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+")
_DECLARED: Final = re.compile(r'(?m)^__version__ = "([0-9.]+)"$')


class UnknownZoneError(ValueError):
    """Raised when a name is not one of the IANA names that `tzdata` lists."""


class ReleaseError(ValueError):
    """Raised when something is no whole release of the `tzdata` package; the text is for whoever named it."""


class Release:
    """One release of the `tzdata` package.

    Args:
        package: the folder that holds `zones` and `zoneinfo/`, on disk or in a wheel.
    """

    def __init__(self, package: Traversable) -> None:
        self._package = package

    @cached_property
    def names(self) -> frozenset[str]:
        """Return the IANA names, links included."""
        return frozenset(self._read("zones").decode("ascii").split())

    @cached_property
    def version(self) -> str:
        """Return the version, e.g. `2026.6`."""
        found = _DECLARED.search(self._read("__init__.py").decode())
        return found[1] if found else "of no version"

    @cached_property
    def links(self) -> dict[str, str]:
        """Return the names that are links, with the zone that each leads to."""
        lines = map(str.split, self._read("zoneinfo", "tzdata.zi").decode().splitlines())
        return {line[2]: line[1] for line in lines if line[:1] == ["L"]}

    def content(self, name: str) -> bytes:
        """Return the zone file of a name.

        Raises:
            UnknownZoneError: the release has no zone of that name.
        """
        if name not in self.names:  # before any path is made of it
            raise UnknownZoneError(name)
        return self._read("zoneinfo", *name.split("/"))

    def zone(self, name: str) -> ZoneInfo:
        """Return a zone, where `ZoneInfo(name)` would prefer the operating system's files: others on each machine.

        Raises:
            UnknownZoneError: the release has no zone of that name.
        """
        content = self.content(name)
        try:
            return ZoneInfo.from_file(io.BytesIO(content), key=name)
        except (ValueError, struct.error) as error:
            raise ReleaseError(f"tzdata {self.version}: the zone file of {name} is damaged: {error}") from None

    def _read(self, *parts: str) -> bytes:
        """Return a file's content.

        Raises:
            ReleaseError: it cannot be read.
        """
        file = self._package.joinpath(*parts)
        try:
            return file.read_bytes()
        except (OSError, KeyError, BadZipFile, zlib.error) as error:
            raise ReleaseError(f"{file} cannot be read: {error}") from None


PINNED: Final = Release(files("tzdata"))


def find_release(text: str) -> Release:
    """Return a release.

    Args:
        text: a wheel, a folder that a wheel was unpacked to, the version of a wheel in the current folder, or
            `installed` for the pinned package, whose version will do as well.

    Raises:
        ReleaseError: there is none.
    """
    if text in {INSTALLED, PINNED.version}:
        return PINNED
    is_version = bool(_VERSION.fullmatch(text))
    wheels = sorted(Path().glob(f"tzdata-{text}-*.whl")) if is_version else []
    path = wheels[0] if wheels else Path(text)
    if path.is_file():
        return Release(_unpacked(path))
    for package in (path, path / "tzdata"):
        if package.joinpath("zones").is_file():
            return Release(package)
    if path.is_dir():
        raise ReleaseError(f"{text} holds no release of tzdata: there is no {path / 'tzdata' / 'zones'}")
    if is_version:
        raise ReleaseError(
            f"tzdata {text} is not here: {PINNED.version} is installed, and no wheel in this folder is of that version;"
            f" `pip download tzdata=={text} --no-deps` brings one"
        )
    raise ReleaseError(f"{text}: no such wheel or folder, and no version such as {PINNED.version}")


def _unpacked(wheel: Path) -> Traversable:
    """Return the package in a wheel."""
    try:
        package = ZipPath(wheel, "tzdata/")
    except BadZipFile:
        raise ReleaseError(f"{wheel} is no wheel") from None
    if not package.joinpath("zones").is_file():
        raise ReleaseError(f"{wheel} is no wheel of tzdata: it lacks tzdata/zones")
    return package
