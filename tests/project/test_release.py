"""`make dist`: names, contents and libraries of what it writes, whatever platform they are for."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.tags import compatible_tags, mac_platforms
from packaging.utils import parse_wheel_filename

from hatch_build import TARGETS
from tests.support.project import ROOT

LIBRARY: Final = "pipeline/validation/libbulk.so"
EXPORTED: Final = {"approve", "gather", "facts", "objects"}
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
VERSION: Final[str] = PROJECT["version"]
PLATFORMS: Final = (*TARGETS, "any")


def wheel_of(release: Path, platform: str) -> Path:
    """Return the path of a platform's wheel."""
    return release / f"workspace_usage-{VERSION}-py3-none-{platform}.whl"


def read(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel by path."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sources() -> Iterator[Path]:
    """Yield the files that belong into every wheel."""
    for package in ("pipeline", "service"):
        for path in (ROOT / package).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and path.suffix not in {".pyc", ".so"} and not name.startswith("service/demo/"):
                yield path


def test_files(release: Path) -> None:
    """A release is an sdist, a wheel for each platform, a pure one, and the versions of the lock without hashes."""
    wheels = {platform: wheel_of(release, platform) for platform in PLATFORMS}
    sdist, constraints = release / f"workspace_usage-{VERSION}.tar.gz", release / "constraints.txt"
    assert {*release.iterdir()} == {*wheels.values(), sdist, constraints}
    page = (ROOT / "docs/install.md").read_text("utf-8")
    assert {*re.findall(r"(?m)^\| `([^`]+)` \|", page)} == {path.name for path in release.iterdir()}

    expected = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in sources()}
    for name in ("pipeline/load/sql/current.sql", "pipeline/validation/bulk.c", "service/page/static/page.css"):
        assert name in expected
    descriptions = set()
    for platform, wheel in wheels.items():
        files = read(wheel)
        described = {name.partition("/")[2]: files.pop(name) for name in [*files] if ".dist-info/" in name}
        assert (files.pop(LIBRARY, None) is None) is (platform == "any"), platform
        assert files == expected, platform
        assert described.keys() == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
        assert f"Tag: py3-none-{platform}\n" in described["WHEEL"].decode()
        assert f"Root-Is-Purelib: {str(platform == 'any').lower()}\n" in described["WHEEL"].decode()
        assert described["licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
        assert "usage = service.commands:main" in described["entry_points.txt"].decode()
        descriptions.add(described["METADATA"])
    (description,) = descriptions
    assert f"\nVersion: {VERSION}\n" in description.decode()
    needed = re.findall(r"(?m)^Requires-Dist: ([^;\n]+)$", description.decode())
    assert {*map(Requirement, needed)} == {*map(Requirement, PROJECT["dependencies"])}

    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {*expected, "hatch_build.py", "requirements.lock", "docs/install.md", "deploy/crontab"} <= packed
    assert not [name for name in packed if name.endswith((".so", ".pyc")) or name.startswith((".venv", "dist"))]

    lock = (ROOT / "requirements.lock").read_text("utf-8")
    lines = constraints.read_text("utf-8").splitlines()
    assert lines == [line.removesuffix(" \\") for line in lock.splitlines() if "==" in line]
    assert all(Requirement(line).specifier for line in lines)


def test_the_oldest_glibc_is_that_of_the_packages() -> None:
    """Wheels for Linux promise the glibc that DuckDB's and pyarrow's own wheels need: no older, no newer one."""
    needed = []
    for package in ("duckdb", "pyarrow"):
        tags = re.findall(r"manylinux_2_(\d+)_", distribution(package).read_text("WHEEL") or "")
        if not tags:
            pytest.skip("these packages were not installed from wheels for glibc")
        needed.append(min(int(tag) for tag in tags))
    promised = {int(found[1]) for tag in TARGETS if (found := re.match(r"manylinux_2_(\d+)_", tag))}
    assert promised == {max(needed)}


@pytest.mark.parametrize(
    ("platforms", "chosen"),
    [
        (["manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "linux_x86_64"], "manylinux_2_28_x86_64"),
        (["manylinux_2_34_aarch64", "manylinux_2_28_aarch64", "linux_aarch64"], "manylinux_2_28_aarch64"),
        ([*mac_platforms((14, 0), "arm64")], "macosx_12_0_arm64"),
        ([*mac_platforms((14, 0), "x86_64")], "macosx_12_0_x86_64"),
        ([*mac_platforms((11, 0), "arm64")], "any"),
        (["manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "linux_x86_64"], "any"),
        (["musllinux_1_2_x86_64", "linux_x86_64"], "any"),
        (["win_amd64"], "any"),
    ],
)
def test_which_wheel_an_installer_takes(release: Path, platforms: list[str], chosen: str) -> None:
    """Where a compiled wheel fits, installers prefer it to the pure one, by the order of the tags that they accept."""
    order = {tag: place for place, tag in enumerate(compatible_tags((3, 11), "cp311", platforms))}
    fitting = {
        min(order[tag] for tag in tags): wheel
        for wheel in release.glob("*.whl")
        if (tags := parse_wheel_filename(wheel.name)[3] & order.keys())
    }
    assert fitting[min(fitting)] == wheel_of(release, chosen)


@pytest.mark.skipif(not shutil.which("llvm-readobj"), reason="there is no llvm-readobj to look into libraries with")
@pytest.mark.parametrize("platform", TARGETS)
def test_libraries(release: Path, tmp_path: Path, platform: str) -> None:
    """Each library is for its processor, exports what Python loads, and needs only what its oldest system has."""
    library = tmp_path / "libbulk.so"
    library.write_bytes(read(wheel_of(release, platform))[LIBRARY])

    def shown(program: str, *options: str) -> str:
        return subprocess.run([program, *options, library], check=True, capture_output=True, text=True).stdout

    architecture, _, system = TARGETS[platform].partition("-")
    system, _, oldest = system.partition(".")
    assert f"_{oldest.replace('.', '_')}_" in platform
    header = shown("llvm-readobj", "--file-headers", "--needed-libs", "--version-info", "--macho-version-min")
    assert f"\nArch: {architecture}\n" in header
    (needed,) = re.findall(r"NeededLibraries \[\n([^]]*)\]", header)
    if system == "linux-gnu":
        names = shown("llvm-nm", "--dynamic", "--defined-only")
        exported = {line.split()[-1] for line in names.splitlines()}
        assert needed.split() == ["libc.so.6"]
        versions = [tuple(map(int, found.split("."))) for found in re.findall(r"@GLIBC_([0-9.]+)", header)]
        assert versions
        assert max(versions) <= tuple(map(int, oldest.split(".")))
    else:
        names = shown("llvm-nm", "--extern-only", "--defined-only")
        exported = {line.split()[-1].removeprefix("_") for line in names.splitlines() if line}
        assert {*needed.split()} == {"/usr/lib/libSystem.B.dylib", library.name}, "its own name has no folder"
        assert f"Platform: macos\n  Version: {oldest}\n" in header
        # Apple's processors run nothing that is not signed.
        signed = "LC_CODE_SIGNATURE" in shown("llvm-objdump", "--macho", "--private-headers")
        assert signed or architecture == "x86_64"
    assert exported >= EXPORTED


def test_the_same_bytes(release: Path, tmp_path: Path) -> None:
    """A wheel that is built again from the sdist, in another folder, has the same bytes."""
    with tarfile.open(release / f"workspace_usage-{VERSION}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    platform = "macosx_12_0_arm64"
    program = "import sys, release; from pathlib import Path; release.wheel(Path.cwd(), sys.argv[1], Path.cwd())"
    subprocess.run([sys.executable, "-c", program, platform], cwd=source, check=True)
    assert wheel_of(source, platform).read_bytes() == wheel_of(release, platform).read_bytes()
