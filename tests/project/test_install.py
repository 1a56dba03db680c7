"""docs/install.md: its commands are run in its order, as far as they need no network and do not change the system."""

import json
import os
import re
import shlex
import shutil
import site
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Final

import pytest
from packaging.tags import platform_tags

from hatch_build import TARGETS
from tests.support.project import ROOT

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PAGE: Final = (ROOT / "docs/install.md").read_text("utf-8")
OWN: Final = next((tag for tag in platform_tags() if tag in TARGETS), None)  # the release's wheel for this machine
NAMED: Final = "manylinux_2_28_x86_64"  # the one that the page's commands name
ONCE: Final = (ROOT / "deploy/systemd/usage-run.service", ROOT / "deploy/crontab")  # they say what is done once
VERSION: Final[str] = PROJECT["version"]
NEXT: Final = "0.2.0"  # the release that the page upgrades to


def commands(heading: str) -> list[list[str]]:
    """Return the words of each command in a section of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```console\n([^`]+)```", section)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


class Machine:
    """A folder with `opt/` and `dist/`, in which the commands run.

    There is no network, so pip installs the package alone, and the environment borrows all others from the one in which
    the tests run. It borrows its pip too, because installing one takes longer than everything else here.
    """

    def __init__(self, folder: Path, release: Path) -> None:
        self.folder, self.environment = folder, folder / "opt/usage"
        shutil.copytree(release, folder / "dist")
        with tarfile.open(next(release.glob("*.tar.gz"))) as archive:
            archive.extractall(folder / "next", filter="data")
        (source,) = (folder / "next").iterdir()
        project = (source / "pyproject.toml").read_text("utf-8")
        (source / "pyproject.toml").write_text(re.sub(r'(?m)^version = ".+"$', f'version = "{NEXT}"', project))
        program = "import sys, release; from pathlib import Path; release.wheel(Path.cwd(), 'any', Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", program, folder / "dist"], cwd=source, check=True)

    def run(self, words: list[str]) -> str:
        """Run a command of the page, and return what it prints."""
        text = shlex.join(words).replace("/opt/usage", str(self.environment))
        # The upgrade is to the wheel without the library, so that both kinds are installed and run.
        text = text.replace(f"{NEXT}-py3-none-{NAMED}", f"{NEXT}-py3-none-any").replace(NAMED, str(OWN))
        program, *arguments = shlex.split(text)
        assert all(word.startswith(str(self.folder)) for word in arguments if word.startswith("/")), words
        if Path(program).name == "pip":
            program, *arguments = sys.executable, "-m", "pip", "--python", f"{self.environment}/bin/python", *arguments
        elif program == "python3":
            program = sys.executable
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_", "USAGE_"))}
        done = subprocess.run(
            [program, *arguments],
            cwd=self.folder,
            env={**outer, "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_COMPILE": "1", "USAGE_WORKERS": "1"},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def borrow(self) -> None:
        """Let the environment import the packages of the tests' environment, except this one."""
        borrowed = self.folder / "borrowed"
        borrowed.mkdir()
        for packages in map(Path, site.getsitepackages()):
            for path in packages.iterdir():
                if "workspace_usage" not in path.name:
                    (borrowed / path.name).symlink_to(path)
        (packages,) = self.environment.glob("lib/python*/site-packages")
        (packages / "borrowed.pth").write_text(str(borrowed))


@pytest.mark.skipif(OWN is None, reason="no wheel of a release with the compiled library is for this platform")
def test_installing_upgrading_uninstalling(release: Path, tmp_path: Path) -> None:
    """The wheel for this platform installs and runs compiled; the next release goes on where this one stopped."""
    machine = Machine(tmp_path, release)
    venv, install, version, sample, run, status, extras = commands("In an environment of its own")
    download, offline = commands("Without a network")
    _, upgrade, _ = commands("Upgrade")
    machine.run([*venv, "--without-pip"])
    machine.borrow()
    machine.run(download)
    assert [path.name for path in (tmp_path / "wheelhouse").iterdir()] == [
        f"workspace_usage-{VERSION}-py3-none-{OWN}.whl"
    ]
    shutil.copy(tmp_path / f"dist/workspace_usage-{VERSION}-py3-none-any.whl", tmp_path / "wheelhouse")
    assert f"workspace-usage-{VERSION}" in machine.run(offline)
    assert machine.run(version).startswith(f"workspace-usage {VERSION} ")
    machine.run(sample)
    machine.run(run)
    assert "validation: compiled\n" in machine.run(status), "where both wheels fit, pip takes the compiled one"

    assert install == [word.replace(NEXT, VERSION) for word in upgrade]
    assert extras == [*install[:-1], f"{install[-1]}[s3,dask]"]
    assert f"workspace-usage-{NEXT}" in machine.run(upgrade)
    assert machine.run(version).startswith(f"workspace-usage {NEXT} ")
    machine.run(run)
    found = json.loads(machine.run([*status, "--json"]))
    assert found["runs"][0]["lines"] == 0, "the ledger stays, so nothing is read again"
    assert not found["validation"]["compiled"]
    assert str(machine.environment) in found["validation"]["reason"]

    *_, remove = commands("Uninstall")
    machine.run(remove)
    assert [*(tmp_path / "opt").iterdir()] == []
    assert (tmp_path / "trial/published.json").exists()


def test_commands_that_are_not_run() -> None:
    """What would change the system names files, extras, units and users that exist, as the files in deploy/ do."""
    extras = PROJECT["optional-dependencies"]
    assert {name for found in re.findall(r"whl\[([a-z0-9,]+)\]", PAGE) for name in found.split(",")} <= extras.keys()
    assert {*re.findall(r"none-([a-z0-9_]+)\.whl", PAGE)} == {*TARGETS, "any"}

    once = {path: re.findall(r"(?m)^# Once: (\w+ --.+)$", path.read_text("utf-8")) for path in ONCE}
    add, make, copy, _, enable = [shlex.join(words) for words in commands("With systemd")]
    assert [*once.values()] == [[add, make]] * len(ONCE)
    copied = {path for path in shlex.split(copy)[1:-1] if (ROOT / path).is_file()}
    assert copied == {f"deploy/systemd/{path.name}" for path in (ROOT / "deploy/systemd").iterdir()}
    assert enable in ONCE[0].read_text("utf-8")

    stop, _, start = commands("Upgrade")
    assert {*start[2:]} == {*shlex.split(enable)[3:]}
    assert {*stop[2:]} == {Path(path).name for path in copied}
    for words in commands("In a container"):
        assert (ROOT / words[words.index("--file") + 1]).is_file()
    assert "workspace-usage[dask,s3]" in (ROOT / "deploy/Dockerfile").read_text("utf-8")

    pipx, uv = commands("As a tool of one user")
    (install,) = [
        words for words in commands("In an environment of its own") if "--constraint" in words and "[" not in words[-1]
    ]
    assert pipx == ["pipx", "install", f"--pip-args={shlex.join(install[2:4])}", install[-1]]
    assert uv == ["uv", "tool", "install", "--constraints", *install[3:]]
