"""What a coordinator and its workers must have in common, so that a piece of work means the same to all of them.

Reads the files of this package.
"""

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import msgspec

_SUFFIXES: Final = (".py", ".sql", ".c")
# What pieces pass each other, or compute with.
_LIBRARIES: Final = ("duckdb", "msgspec", "numpy", "pyarrow", "tzdata")


class Fingerprint(msgspec.Struct, frozen=True):
    """The release, the version of Python, a hash of the package, and the versions of the libraries it computes with."""

    release: str
    python: str
    package: str
    libraries: dict[str, str]

    def differences(self, other: "Fingerprint") -> list[str]:
        """Return in what another process differs from this one, in words; nothing if they agree."""
        found = [
            f"{name} {theirs}, not {ours}"
            for name, ours, theirs in (
                ("workspace-usage", self.release, other.release),
                ("Python", self.python, other.python),
                *((name, self.libraries[name], other.libraries.get(name, "missing")) for name in _LIBRARIES),
            )
            if ours != theirs
        ]
        if not found and self.package != other.package:
            found.append(f"other files of workspace-usage {other.release}, although the release is the same")
        return found


@cache
def fingerprint() -> Fingerprint:
    """Return the fingerprint of this process."""
    return Fingerprint(
        release=version("workspace-usage"),
        python=platform.python_version(),
        package=_package_hash(),
        libraries={name: version(name) for name in _LIBRARIES},
    )


def _package_hash() -> str:
    digest = hashlib.sha256()
    for path, file in sorted(_sources(files("pipeline"), "").items()):
        digest.update(f"{path}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _sources(folder: Traversable, path: str) -> dict[str, Traversable]:
    found: dict[str, Traversable] = {}
    for child in folder.iterdir():
        if child.is_dir():
            found |= _sources(child, f"{path}{child.name}/")
        elif child.name.endswith(_SUFFIXES):
            found[path + child.name] = child
    return found
