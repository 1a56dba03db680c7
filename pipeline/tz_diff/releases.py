"""Find a release of the `tzdata` package by what its user called it.

Reads the current folder for wheels, and the wheel or folder that is named; writes nothing.
"""

import re
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final
from zipfile import BadZipFile
from zipfile import Path as ZipPath

from pipeline.contract.zones import PINNED, Release, ReleaseError

_INSTALLED: Final = "installed"

_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+")


def find_release(text: str) -> Release:
    """Find a release of the zone data.

    Args:
        text: a wheel, a folder that a wheel was unpacked to, the version of a wheel in the current folder, or
            `installed` (or its version) for the pinned package.

    Raises:
        ReleaseError: there is no such release; the message says what was looked for.
    """
    if text in {_INSTALLED, PINNED.version}:
        return PINNED
    is_version = bool(_VERSION.fullmatch(text))
    wheels = sorted(Path().glob(f"tzdata-{text}-*.whl")) if is_version else []
    path = wheels[0] if wheels else Path(text)
    if path.is_file():
        return Release(_package_in(path))
    for package in (path, path / "tzdata"):
        if package.joinpath("zones").is_file():
            return Release(package)
    if path.is_dir():
        raise ReleaseError(f"{text} holds no release of tzdata: there is no {path / 'tzdata' / 'zones'}")
    if is_version:
        raise ReleaseError(
            f"tzdata {text} was not found: {PINNED.version} is installed, and this folder has no wheel of {text};"
            f" download it with `pip download tzdata=={text} --no-deps`"
        )
    raise ReleaseError(f"{text}: not a wheel, a folder, or a version such as {PINNED.version}")


def _package_in(wheel: Path) -> Traversable:
    """Return the `tzdata` package inside a wheel.

    Raises:
        ReleaseError: the file is not a wheel, or not one of tzdata.
    """
    try:
        package = ZipPath(wheel, "tzdata/")
    except BadZipFile:
        raise ReleaseError(f"{wheel} is not a wheel") from None
    if not package.joinpath("zones").is_file():
        raise ReleaseError(f"{wheel} is not a wheel of tzdata: it lacks tzdata/zones")
    return package
