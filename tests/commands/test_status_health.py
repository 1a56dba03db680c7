"""`usage status` of data that must not look healthy: unread files, no `raw/`, a clock that was wrong."""

import json
from typing import Any

import pytest

from pipeline.contract.calendar import DAY_US, SECOND_US, rfc3339
from tests.support.data_folder import DataFolder
from tests.support.invoked import Result, invoke
from tests.support.permissions import permissions_obeyed


def usage(folder: DataFolder, *arguments: str, after_s: float = 0) -> Result:
    """Give a `usage status` command so many seconds after the folder's now."""
    now = rfc3339(folder.now + round(after_s * SECOND_US))
    return invoke(["status", *arguments, "--data-dir", str(folder.root), "--now", now])


def found(folder: DataFolder) -> Any:
    """Return what `--json` says."""
    return json.loads(usage(folder, "--json").stdout)


@pytest.fixture(autouse=True)
def _exported(folder: DataFolder) -> None:
    """Export a directory in which nothing is wrong."""
    folder.export_all()


@pytest.mark.parametrize(("after_s", "stale"), [(-60, False), (-60.000001, True), (-19 * 3600, True)])
def test_data_of_the_future(folder: DataFolder, after_s: float, stale: bool) -> None:
    """Data of more than a minute in the future are no fresh data: with --max-age the exit is 1, for that reason."""
    folder.run()
    result = usage(folder, "--max-age", "30m", after_s=after_s)
    assert result.exit_code == int(stale)
    assert result.stderr.startswith("stale: the published data is" if stale else "")
    assert ("in the future: a clock is wrong" in result.stderr) is stale
    assert " in the future; sequence 1" in result.stdout
    assert json.loads(usage(folder, "--json", after_s=after_s).stdout)["age_seconds"] == after_s


def test_unread_files(folder: DataFolder) -> None:
    """Files that could not be read to their end are named, with --max-age too, where the age alone decides."""
    folder.drop("torn.jsonl.gz", b"\x1f\x8b")
    assert found(folder)["unread"] == []
    folder.run(folder.now - DAY_US)
    folder.run()
    said = f"  torn.jsonl.gz: {found(folder)['unread'][0]['error']}\n"
    assert [failure["file"] for failure in found(folder)["unread"]] == ["torn.jsonl.gz"]
    for _ in range(2):
        text = usage(folder).stdout
        assert "unread: 1 could not be read to the end" in text
        assert said in text
    assert usage(folder, "--max-age", "1d").exit_code == 1
    result = usage(folder, "--max-age", "1m", after_s=90)
    assert result.exit_code == 1
    assert result.stderr.startswith("stale: no run has read all of raw/ yet\n")
    assert said in result.stderr


def test_unread_but_fresh(folder: DataFolder) -> None:
    """While the data are young enough, an unread file is named without making them stale."""
    folder.run()
    folder.drop("torn.jsonl.gz", b"\x1f\x8b")
    folder.run(folder.now + 1)
    result = usage(folder, "--max-age", "30m")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "  torn.jsonl.gz: " in result.stdout
    result = usage(folder, "--max-age", "30m", after_s=1801)
    assert (result.exit_code, result.stderr.count("torn.jsonl.gz")) == (1, 1)


def test_many_unread_files(folder: DataFolder) -> None:
    """A warning names twenty, the text names all, and of each run some."""
    for number in range(30):
        (folder.root / f"raw/{number:02}.jsonl").symlink_to("nowhere")
    folder.run()
    result = usage(folder, "--max-age", "1h")
    assert (result.stderr.count(".jsonl: "), result.stdout.count("\n  0"), result.stdout.count("\n  2")) == (20, 10, 10)
    assert "  and 10 more" in result.stderr
    assert "  could not be read: 25 more\n" in result.stdout


@pytest.mark.parametrize("kind", ["missing", "file", "forbidden"])
def test_no_raw_folder(folder: DataFolder, kind: str) -> None:
    """Where `raw/` cannot be listed, what waits is unknown, and that is a problem; nothing is created."""
    folder.run()
    raw = folder.root / "raw"
    if kind == "forbidden":
        raw.chmod(0o300)
    else:
        raw.rmdir()
        if kind == "file":
            raw.touch()
    before = sorted(folder.root.rglob("*"))
    with permissions_obeyed():
        result = usage(folder)
        status = found(folder)
    assert result.exit_code == 0
    assert f"{raw} cannot be listed: " in result.stderr
    assert "waiting: unknown\n" in result.stdout
    assert "ignored: unknown\n" in result.stdout
    assert (status["waiting"], status["ignored"], len(status["problems"])) == (None, None, 1)
    assert sorted(folder.root.rglob("*")) == before
