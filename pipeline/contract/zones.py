"""Releases of the `tzdata` package: the names of the IANA zones, and their files.

Reads the pinned package, or another release in a wheel or a folder, never the operating system's zone files. Only
`pipeline.contract.calendar` computes where the local days of a zone start.
"""

import io
import re
import struct
import zlib
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final
from zipfile import BadZipFile
from zoneinfo import ZoneInfo

_DECLARED: Final = re.compile(r'(?m)^__version__ = "([0-9.]+)"$')


class UnknownZoneError(ValueError):
    """Raised when a name is not one of the IANA names that `tzdata` lists."""


class ReleaseError(ValueError):
    """Raised when something is not a complete release of the `tzdata` package; the message is for the user."""


class _Whole(io.BytesIO):
    """A zone file that must not end early: for the last newline of a file that was cut off, `zoneinfo` reads forever.

    Raises:
        EOFError: from `read`, if fewer bytes are left than it asks for.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        if size is not None and len(content) < size:
            raise EOFError("it ends too early")
        return content


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
        """Return the names that are links, each with the zone it points to."""
        lines = map(str.split, self._read("zoneinfo", "tzdata.zi").decode().splitlines())
        return {line[2]: line[1] for line in lines if line[:1] == ["L"]}

    @cached_property
    def cities(self) -> frozenset[str]:
        """Return the names under which people look for their zone: those of `zone.tab`, one for each place."""
        lines = self._read("zoneinfo", "zone.tab").decode().splitlines()
        return frozenset(line.split("\t")[2] for line in lines if line[:1] != "#")

    def content(self, name: str) -> bytes:
        """Return the zone file of a name.

        Raises:
            UnknownZoneError: the release has no zone of that name.
        """
        if name not in self.names:  # checked before the name becomes a path
            raise UnknownZoneError(name)
        return self._read("zoneinfo", *name.split("/"))

    def zone(self, name: str) -> ZoneInfo:
        """Return a zone of this release.

        `ZoneInfo(name)` would prefer the operating system's files, which differ from machine to machine.

        Raises:
            UnknownZoneError: the release has no zone of that name.
            ReleaseError: the zone file is damaged.
        """
        content = self.content(name)
        try:
            return ZoneInfo.from_file(_Whole(content), key=name)
        except (ValueError, EOFError, struct.error) as error:
            raise ReleaseError(f"tzdata {self.version}: the zone file of {name} is damaged: {error}") from None

    def _read(self, *parts: str) -> bytes:
        """Return the content of a file.

        Raises:
            ReleaseError: the file cannot be read.
        """
        file = self._package.joinpath(*parts)
        try:
            return file.read_bytes()
        except (OSError, KeyError, BadZipFile, zlib.error) as error:
            raise ReleaseError(f"{file} cannot be read: {error}") from None


PINNED: Final = Release(files("tzdata"))
