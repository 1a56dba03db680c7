"""The wheel: compiled by the system's compiler, or by ziglang's, or pure Python with the same results."""

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.bulk_corpus import SHORT
from tests.support.data_folder import NOW, DataFolder
from tests.support.project import ROOT

# A fake compiler: it writes its name into the file that follows `-o`.
WORKING = '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho "of {name}" > "$2"\n'
BROKEN = '#!/bin/sh\necho "{name}: no such header" >&2\nexit 1\n'
LIBRARY = "pipeline/validation/libbulk.so"


class Build:
    """Builds the package in a copy of the project, where all compilers are the test's fakes."""

    def __init__(self, folder: Path) -> None:
        self.source, self.bin, self.modules = folder / "source", folder / "bin", folder / "modules"
        ignored = shutil.ignore_patterns("__pycache__", "*.so")
        for name in ("pipeline", "service"):
            shutil.copytree(ROOT / name, self.source / name, ignore=ignored)
        for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, self.source)
        for path in self.source.rglob("*"):  # the project may be read-only
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
        self.bin.mkdir()
        self.ziglang(BROKEN)

    def compiler(self, name: str, script: str) -> None:
        """Put a compiler on the path."""
        path = self.bin / name
        path.write_text(script.format(name=name))
        path.chmod(0o755)

    def ziglang(self, script: str) -> None:
        """Replace the compiler of the package `ziglang`."""
        self.compiler("zig", script)
        package = self.modules / "ziglang"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(f"import os, sys\nos.execv({str(self.bin / 'zig')!r}, sys.argv)\n")

    def required(self, **environment: str) -> list[str]:
        """Return the requirements that the build adds to `[build-system] requires`."""
        program = "import json, hatchling.build as build; print(json.dumps(build.get_requires_for_build_wheel()))"
        found: list[str] = json.loads(self._run(environment, "-c", program).stdout)
        return found

    def wheel(self, **environment: str) -> tuple[Path, str]:
        """Build a wheel; return its path and the build's output."""
        done = self._run(environment, "-m", "hatchling", "build", "--target", "wheel", "--directory", "wheels")
        (wheel,) = (self.source / "wheels").iterdir()
        return wheel, done.stdout + done.stderr

    def _run(self, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        known = {name: value for name, value in os.environ.items() if name != "CC"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.source,
            env={**known, "PATH": str(self.bin), "PYTHONPATH": str(self.modules), **environment},
            check=True,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return a build without a working compiler."""
    return Build(tmp_path)


def library_in(wheel: Path) -> str | None:
    """Return the content of a wheel's library, or None if it has none."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(LIBRARY).decode() if LIBRARY in archive.namelist() else None


def test_the_systems_compiler_first(build: Build) -> None:
    """If `cc` works, nothing more is required, and the wheel is for this platform, with every file of the page."""
    build.compiler("cc", WORKING)
    build.ziglang(WORKING)
    assert build.required() == []
    wheel, output = build.wheel()
    assert library_in(wheel) == "of cc\n"
    assert not wheel.name.endswith("-any.whl")
    assert wheel.name.startswith("workspace_usage-0.1.0-py3-none-")
    assert "no C compiler" not in output
    with zipfile.ZipFile(wheel) as archive:  # the files of the page are in it, as they are
        folder = "service/page/static/"
        packed = {name.removeprefix(folder): archive.read(name) for name in archive.namelist() if folder in name}
    assert packed == {path.name: path.read_bytes() for path in (ROOT / folder).iterdir()}
    assert {"index.html", "page.js", "page.css", "icon.svg"} <= packed.keys()


def test_the_named_compiler(build: Build) -> None:
    """`CC` names another compiler, with options if necessary."""
    build.compiler("cc", BROKEN)
    build.compiler("mycc", WORKING)
    assert build.required(CC="mycc -m64") == []
    assert library_in(build.wheel(CC="mycc -m64")[0]) == "of mycc\n"


@pytest.mark.parametrize("has_cc", [False, True])
def test_the_packaged_compiler(build: Build, has_cc: bool) -> None:
    """If `cc` is missing or does not work, the build requires ziglang and compiles with it."""
    if has_cc:
        build.compiler("cc", BROKEN)
    build.ziglang(WORKING)
    (required,) = build.required()
    assert required.startswith("ziglang")
    assert required in (ROOT / "pyproject.toml").read_text("utf-8"), "the same version as for developers"
    assert library_in(build.wheel()[0]) == "of zig\n"


def test_without_any_compiler(build: Build, folder: DataFolder, tmp_path: Path) -> None:
    """Without a compiler the wheel is pure Python, the build warns, status says why, and tables are the same."""
    (build.source / LIBRARY).write_text("of an earlier build")
    build.compiler("cc", BROKEN)
    wheel, output = build.wheel()
    assert wheel.name == "workspace_usage-0.1.0-py3-none-any.whl"
    assert library_in(wheel) is None
    assert "no C compiler works" in output
    assert "cc: no such header" in output
    assert "zig: no such header" in output

    installed, plain = tmp_path / "installed", DataFolder(tmp_path / "plain")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    lines = [text for text in SHORT if b"9999-12-31" not in text]  # beyond Python's last instant, so not comparable
    for data in (folder, plain):
        data.drop("a.jsonl", b"\n".join(lines))
    folder.run()

    def usage(*arguments: str) -> str:
        program = "from service.commands import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments, "--data-dir", str(plain.root), "--now", NOW],
            cwd=installed,
            env={**os.environ, "PYTHONPATH": str(installed)},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    usage("run")
    assert plain.tables() == folder.tables()
    assert plain.quarantine() == folder.quarantine()
    validation = json.loads(usage("status", "--json"))["validation"]
    assert validation["compiled"] is False
    assert str(installed / LIBRARY) in validation["reason"]


def test_no_pure_wheel_in_the_place_of_a_compiled_one(build: Build) -> None:
    """For a platform of a release, only ziglang is asked, and if it fails, so does the build."""
    build.compiler("cc", WORKING)
    (required,) = build.required(WHEEL_PLATFORM="macosx_12_0_arm64")
    assert required.startswith("ziglang")
    assert build.required(WHEEL_PLATFORM="any") == []
    with pytest.raises(subprocess.CalledProcessError) as failed:
        build.wheel(WHEEL_PLATFORM="macosx_12_0_arm64")
    assert "zig: no such header" in failed.value.stderr
