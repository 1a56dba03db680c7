"""A data folder without `raw/`, or with one that cannot be listed: a run must not look as if it had read all logs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.load import listing
from tests.support.command import contents, done, refused, usage
from tests.support.data_folder import DAY_US, DataFolder, Once, record
from tests.support.permissions import permissions_obeyed
from tests.support.raw_files import ids, lines


def _remove(raw: Path) -> None:
    shutil.rmtree(raw)


def _replace_by_a_file(raw: Path) -> None:
    shutil.rmtree(raw)
    raw.write_bytes(lines("x"))


def _replace_by_a_link(raw: Path) -> None:
    shutil.rmtree(raw)
    raw.symlink_to("mount/that/is/away")


def _forbid(raw: Path) -> None:
    raw.chmod(0o300)


BREAKS = [_remove, _replace_by_a_file, _replace_by_a_link, _forbid]


def load_a_day_ago(folder: DataFolder) -> None:
    """Load a good line and a bad one."""
    folder.drop("a.jsonl", [record("a"), {"id": "bad"}])
    folder.run(folder.now - DAY_US)


@pytest.mark.parametrize("break_it", BREAKS)
@pytest.mark.parametrize(
    "options", [[], ["--rebuild"], ["--rebuild", "--accept-loss"], ["PATH"], ["quarantine", "--retry"]]
)
def test_no_raw_folder(once: Once, tmp_path: Path, break_it: Callable[[Path], None], options: list[str]) -> None:
    """Exit 2 with the path, whatever the run was to do; tables and `data_as_of` stay as they are."""
    folder = once(load_a_day_ago)
    other = tmp_path / "other.jsonl"
    other.write_bytes(lines("b"))
    before = contents(folder)
    break_it(folder.root / "raw")
    before |= {"raw": lines("x")} if break_it is _replace_by_a_file else {}
    with permissions_obeyed():
        result = usage(folder, *(str(other) if option == "PATH" else option for option in options))
    done(result, 2)
    assert result.stdout == ""
    assert f"{folder.root / 'raw'} cannot be listed: " in result.stderr
    assert contents(folder) == before


@pytest.mark.parametrize("break_it", BREAKS)
def test_nothing_is_created(folder: DataFolder, break_it: Callable[[Path], None]) -> None:
    """A mistyped path stays as it is: no state, no lock, no folder."""
    break_it(folder.root / "raw")
    before = sorted(folder.root.rglob("*"))
    with permissions_obeyed():
        done(usage(folder), 2)
    assert sorted(folder.root.rglob("*")) == before
    shutil.rmtree(folder.root)
    done(usage(folder), 2)
    assert not folder.root.exists()


def test_lost_while_a_run_begins(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that goes away after the run has begun is no empty one either."""
    folder.drop("a.jsonl", lines("a"))
    folder.run(folder.now - DAY_US)
    before = contents(folder)
    monkeypatch.setattr(listing, "require", shutil.rmtree)
    done(usage(folder), 2)
    assert contents(folder) == before


def test_a_link_to_a_folder(folder: DataFolder, tmp_path: Path) -> None:
    """`raw` may be a link to a folder elsewhere."""
    folder.drop("a.jsonl", lines("a"))
    (folder.root / "raw").rename(tmp_path / "logs")
    (folder.root / "raw").symlink_to(tmp_path / "logs")
    done(usage(folder))
    assert ids(folder) == {"a"}


def test_an_empty_folder(folder: DataFolder) -> None:
    """An empty `raw/` is all there is to read, before anything was read."""
    result = usage(folder)
    done(result)
    assert result.stdout.endswith("data as of 2026-11-24T12:00:00Z\n")
    assert "warning" not in result.stderr


def test_nothing_is_left(folder: DataFolder) -> None:
    """Where every file that was read is gone, each run says so, until one is back or another has come."""
    for name in ("a.jsonl", "deep/b.jsonl"):
        folder.drop(name, lines(name))
    folder.run()
    (folder.root / "raw").rename(folder.root / "away")
    (folder.root / "raw").mkdir()
    said = "warning: none of the 2 raw files that were read before is in raw/ any more\n"
    for _ in range(2):
        result = usage(folder)
        done(result)
        assert said in result.stderr
    folder.drop("c.jsonl", lines("c"))
    assert said in usage(folder).stderr
    assert "warning" not in usage(folder).stderr
    (folder.root / "raw/c.jsonl").unlink()
    (folder.root / "away/a.jsonl").rename(folder.root / "raw/a.jsonl")
    assert "warning" not in usage(folder).stderr


def test_erasing_goes_on(folder: DataFolder) -> None:
    """Users can be forgotten and days expire while `raw/` is away, since nothing of it is read; it is not made."""
    folder.drop("a.jsonl", [record("a", timestamp="2026-09-01T00:00:00Z"), record("b")])
    folder.run()
    _remove(folder.root / "raw")
    done(usage(folder, "retention", "--keep", "30d", "--apply"))
    assert ids(folder) == {"b"}
    assert not (folder.root / "raw").exists()


def test_failures_of_tables_stay_failures(folder: DataFolder) -> None:
    """Exit 2 is for `raw/`; a damaged file of the tables is still exit 1."""
    folder.drop("a.jsonl", lines("a"))
    (folder.root / "published.json").write_text("{}")
    refused(usage(folder), "published.json")
