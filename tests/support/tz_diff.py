"""Small releases of `tzdata` with real zone files, and the command that compares them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

from pipeline.contract.calendar import SECOND_US
from tests.support.data_folder import NOW, DataFolder
from tests.support.invoked import Result, invoke
from tests.support.zone_walk import read_zone_file, walk_day_starts

ZONES: Final = (
    *("Africa/Cairo", "America/Havana", "Asia/Kathmandu", "Asia/Tokyo", "Europe/Berlin", "Pacific/Apia", "UTC"),
)
_INIT: Final = 'import something\n__version__ = "{}"\n'


def write_release(
    folder: Path, version: str, zones: Mapping[str, str | bytes], links: Mapping[str, str] | None = None
) -> Path:
    """Write a folder like an unpacked wheel of tzdata.

    Args:
        folder: the release's folder.
        version: its version, such as `2026.7`.
        zones: by name, the zone whose real file is copied, or the content of a made-up file.
        links: by name, the zone that it links to.
    """
    package = folder / "tzdata"
    for name, content in zones.items():
        path = package.joinpath("zoneinfo", *name.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read_zone_file(content) if isinstance(content, str) else content)
    (package / "zones").write_text("\n".join(zones))
    (package / "__init__.py").write_text(_INIT.format(version))
    rules = "".join(f"L {target} {name}\n" for name, target in (links or {}).items())
    (package / "zoneinfo" / "tzdata.zi").write_text(f"# version x\n{rules}")
    return folder


def write_changed(tmp_path: Path, **files: str | bytes) -> Path:
    """Write release 2026.7, in which some zones (names with `__` for `/`) have the files of other zones."""
    replaced = {name.replace("__", "/"): content for name, content in files.items()}
    return write_release(tmp_path / "new", "2026.7", {name: name for name in ZONES} | replaced)


def pack_wheel(folder: Path, version: str) -> Path:
    """Pack a release's folder as a wheel."""
    path = folder.parent / f"tzdata-{version}-py2.py3-none-any.whl"
    with ZipFile(path, "w") as file:
        for part in sorted(folder.rglob("*")):
            file.write(part, part.relative_to(folder).as_posix())
    return path


def tz_diff(folder: DataFolder, *arguments: object) -> Result:
    """Run `usage tz-diff` on a data folder."""
    command = ["tz-diff", *map(str, arguments), "--data-dir", str(folder.root), "--now", NOW]
    return invoke(command)


def json_lines(result: Result) -> list[dict[str, Any]]:
    """Return the objects in the output of `--json`."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def local_day_starts(name: str, count: int) -> list[int]:
    """Return the starts of the first `count` local days from 2011-01-01 on, in microseconds UTC, by brute force."""
    return [int(start) * SECOND_US for start in walk_day_starts(read_zone_file(name))[:count]]
