"""Backups as docs/operation.md describes them, taken while runs commit, and restored."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.load.rebuild import Rebuild
from pipeline.run import run
from pipeline.storage.tombstones import TOMBSTONES, Tombstone, append, hashed
from tests.support.command import contents, done, published
from tests.support.data_folder import DAY_US, NOW, DataFolder, record
from tests.support.invoked import invoke
from tests.support.project import ROOT

PAGE = (ROOT / "docs/operation.md").read_text("utf-8")
SOURCES, RESTORE, WHOLE = re.findall(
    r"```console\n([^`]+)```", PAGE.partition("## Backup")[2].partition("## Upgrades")[0]
)
ADA, BOB = "c0000000-0000-4000-8000-00000000000a", "d0000000-0000-4000-8000-00000000000b"


def batch(number: int) -> list[dict[str, Any]]:
    """Return newer versions of earlier batches' records, in several months and workspaces, and a bad line."""
    return [
        *(
            record(
                f"e{number // 2}-{k}",
                workspace_id=f"a0000000-0000-4000-8000-00000000000{k % 3}",
                timestamp=f"2026-{9 + k % 3}-1{k % 7}T10:00:00Z".replace("-9-", "-09-"),
                recorded_at=f"2026-11-20T10:00:{number:02}Z",
                user={"id": (ADA, BOB)[k % 2], "name": "Ada"},
                usage={"credits": number * 10 + k, "languages": [{"locale": "de", "characters": k}]},
            )
            for k in range(9)
        ),
        {"id": f"bad {number}"},
    ]


@pytest.fixture
def busy(folder: DataFolder) -> Callable[[], None]:
    """Return a function that adds a raw file, extends an old one and loads both."""
    grown = folder.drop("growing.jsonl", batch(0))
    (folder.root / "directory").mkdir()
    (folder.root / "directory/members.jsonl").write_text("")
    numbers = iter(range(1, 50))

    def deliver() -> None:
        number = next(numbers)
        folder.drop(f"{number:02}.jsonl", batch(number))
        with grown.open("ab") as file:
            file.write(b'{"id": "half a line of a log that is being written\n')
        folder.run(folder.now + number * 1_000_000)

    for _ in range(4):
        deliver()
    return deliver


def copy(source: Path, target: Path, between: Callable[[], None]) -> None:
    """Copy a file or a folder as `cp --archive` does, and call `between` after each file."""
    for path in sorted(path for path in [source, *source.rglob("*")] if path.is_file()):
        if path.exists():  # a run may have deleted it meanwhile
            into = target / path.relative_to(source.parent)
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, into)
            between()


def agrees(folder: DataFolder) -> None:
    """Assert that `usage check` finds no fault."""
    done(invoke(["check", "--data-dir", str(folder.root), "--now", NOW]))


def restored(folder: DataFolder) -> DataFolder:
    """Run the documented commands of a restore, and return the folder."""
    assert RESTORE == "usage run\nusage check\n"
    folder.run()
    agrees(folder)
    return folder


def test_sources(folder: DataFolder, busy: Callable[[], None], tmp_path: Path) -> None:
    """The sources, copied during commits and an erasure, give the same tables again."""
    busy()
    steps = [shlex.split(line)[2:] for line in SOURCES.splitlines()]
    names = [Path(source).relative_to("data").as_posix() for source, _ in steps]
    assert names == ["raw", "directory", TOMBSTONES]
    backup = DataFolder(tmp_path / "backup")
    for name in names:
        copy(folder.root / name, backup.root, busy)
        if name == "raw":  # the copy still has Ada's events
            append(folder.root, Tombstone("user", NOW, sha256=hashed(ADA)))
    run(folder.settings, folder.now + DAY_US // 2, rebuild=Rebuild())
    restored(backup)
    ids = backup.events()["user_id"].to_list()
    assert BOB in ids
    assert ADA not in ids
    shutil.copytree(folder.root / "raw", backup.root / "raw", dirs_exist_ok=True)  # the logs that came after the backup
    backup.run()
    agrees(backup)
    assert published(backup) == published(folder)


def test_full_copy(folder: DataFolder, busy: Callable[[], None], tmp_path: Path) -> None:
    """A full copy under the lock is complete, and a run on it changes nothing."""
    busy()
    before = published(folder)
    backup = DataFolder(tmp_path / "backup")
    backup.root.mkdir()
    command = WHOLE.replace("/backup/", f"{backup.root}/").replace("data/", f"{folder.root}/")
    subprocess.run(command, shell=True, check=True, timeout=60)
    agrees(backup)
    tables = {name: content for name, content in contents(backup).items() if not name.startswith("runs/")}
    assert published(backup) == before
    report = backup.run()
    assert report.accepted == 0
    agrees(backup)
    assert published(backup) == before
    partitions = {name for name in tables if name.startswith(("events/", "cube/", "actors/", "manifests/"))}
    assert partitions
    assert {name: contents(backup)[name] for name in partitions} == {name: tables[name] for name in partitions}


def test_lock_excludes_runs(folder: DataFolder, busy: Callable[[], None]) -> None:
    """A run exits with 75 while the documented command holds the lock."""
    busy()
    program = "import sys; from service.commands import main; sys.exit(main())"
    lock = WHOLE.split(" cp ")[0].replace("data/", f"{folder.root}/")
    command = [*shlex.split(lock), sys.executable, "-c", program, "run", "--data-dir", str(folder.root)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, "another run is at work" in result.stderr) == (75, True)


def test_copy_without_the_lock(folder: DataFolder, busy: Callable[[], None], tmp_path: Path) -> None:
    """A copy whose files do not match gives the right tables after a rebuild."""
    backup = DataFolder(tmp_path / "backup")
    for name in (
        "cube",
        "manifests",
        "events",
        "actors",
        "published.json",
        "state.sqlite",
        "quarantine",
        "runs",
        "raw",
    ):
        copy(folder.root / name, backup.root, busy if name in {"cube", "raw"} else lambda: None)
    broken = invoke(["check", "--data-dir", str(backup.root), "--now", NOW])
    assert broken.exit_code == 1, "the copy is whole, so that this would prove nothing"
    run(backup.settings, backup.now, rebuild=Rebuild())
    agrees(backup)
    shutil.copytree(folder.root / "raw", backup.root / "raw", dirs_exist_ok=True)
    backup.run()
    assert published(backup) == published(folder)
