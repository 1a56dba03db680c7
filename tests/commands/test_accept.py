"""`usage run --accept FILE`: an unread file counts as whole as it is, until it changes."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import done, usage
from tests.support.data_folder import NOW, DataFolder, Once
from tests.support.invoked import invoke
from tests.support.permissions import permissions_obeyed
from tests.support.raw_files import ids, lines

BEFORE = "2026-11-23T12:00:00Z"
WHOLE = gzip.compress(lines("x", "y"), mtime=0)
TORN = WHOLE[:12]  # not one line of it


def status(folder: DataFolder) -> Any:
    """Return what `usage status --json` says."""
    result = invoke(["status", "--json", "--data-dir", str(folder.root), "--now", NOW])
    done(result)
    return json.loads(result.stdout)


def as_of(folder: DataFolder) -> str | None:
    """Return `data_as_of` of the last run."""
    return status(folder)["runs"][0]["data_as_of"]  # type: ignore[no-any-return]


def waiting(folder: DataFolder) -> list[str]:
    """Return the unread files, as status prints them."""
    text = invoke(["status", "--data-dir", str(folder.root), "--now", NOW]).stdout
    section = text.partition("\nunread: ")[2].partition("\nignored: ")[0].partition("\naccepted: ")[0]
    return [line.strip().partition(": ")[0] for line in section.splitlines()[1:]]


def load_torn(folder: DataFolder) -> None:
    """Load a good file, and another that cannot be read to its end."""
    done(usage(folder, now=BEFORE))
    folder.drop("bad.jsonl.gz", TORN)
    folder.drop("good.jsonl", lines("g"))
    done(usage(folder), 4)
    assert (as_of(folder), waiting(folder)) == (BEFORE, ["bad.jsonl.gz"])


@pytest.fixture
def torn(once: Once) -> DataFolder:
    """Return a folder where one file could not be read to its end."""
    return once(load_torn)


def test_accepted(torn: DataFolder) -> None:
    """The run that accepts it moves `data_as_of` and exits 0, and so do the next ones; status names it apart."""
    for options in (["--accept", "bad.jsonl.gz"], [], []):
        result = usage(torn, *options)
        done(result)
        assert "bad.jsonl.gz" not in result.stderr
        assert as_of(torn) == NOW
    found = status(torn)
    assert found["unread"] == []
    assert [failure["file"] for failure in found["accepted"]] == ["bad.jsonl.gz"]
    assert found["waiting"]["files"] == 0
    assert "bad.jsonl.gz" not in invoke(["check", "--data-dir", str(torn.root), "--now", NOW]).stdout
    assert ids(torn) == {"g"}


@pytest.mark.parametrize("content", [TORN + b"!", TORN[:-1], WHOLE])
def test_it_changes(torn: DataFolder, content: bytes) -> None:
    """That ends when the file changes: it is read, and held again if it still breaks off."""
    done(usage(torn, "--accept", "bad.jsonl.gz"))
    torn.drop("bad.jsonl.gz", content)
    assert status(torn)["waiting"]["files"] == 1
    later = "2026-11-24T13:00:00Z"
    done(usage(torn, now=later), 0 if content == WHOLE else 4)
    assert as_of(torn) == (later if content == WHOLE else NOW)
    assert waiting(torn) == ([] if content == WHOLE else ["bad.jsonl.gz"])
    assert status(torn)["accepted"] == []


def test_touched(torn: DataFolder) -> None:
    """A file with another time of change is another state."""
    done(usage(torn, "--accept", "bad.jsonl.gz"))
    assert waiting(torn) == []
    os.utime(torn.root / "raw/bad.jsonl.gz", ns=(1, 1))
    done(usage(torn), 4)
    assert waiting(torn) == ["bad.jsonl.gz"]


def test_changed_before_it_is_accepted(torn: DataFolder) -> None:
    """A file that changed since it failed is read before it is accepted, so that no line of it is lost."""
    torn.drop("bad.jsonl.gz", gzip.compress(lines("z") + lines("y") * 900) + TORN)
    assert waiting(torn) == ["bad.jsonl.gz"]
    done(usage(torn, "--accept", "bad.jsonl.gz"))
    assert ids(torn) == {"g", "y", "z"}
    done(usage(torn))
    torn.drop("bad.jsonl.gz", gzip.compress(lines("w")))
    done(usage(torn))
    assert "w" in ids(torn)


def test_several(torn: DataFolder) -> None:
    """The option is repeatable, and takes no file if one of them is not waiting."""
    torn.drop("deep/worse.jsonl.gz", TORN)
    done(usage(torn), 4)
    wrong = usage(torn, "--accept", "bad.jsonl.gz", "--accept", "worse.jsonl.gz")
    done(wrong, 2)
    assert "worse.jsonl.gz is not waiting" in wrong.stderr
    assert waiting(torn) == ["bad.jsonl.gz", "deep/worse.jsonl.gz"]
    done(usage(torn, "--accept", "bad.jsonl.gz"), 4)
    assert waiting(torn) == ["deep/worse.jsonl.gz"]
    done(usage(torn, "--accept", "deep/worse.jsonl.gz"))
    torn.drop("bad.jsonl.gz", TORN[:-1])
    torn.drop("deep/worse.jsonl.gz", TORN[:-1])
    done(usage(torn), 4)
    done(usage(torn, "--accept", "bad.jsonl.gz", "--accept", "deep/worse.jsonl.gz"))


@pytest.mark.parametrize("name", ["good.jsonl", "gone.jsonl", "", "raw/bad.jsonl.gz", "\x1b[31m"])
def test_not_waiting(torn: DataFolder, name: str) -> None:
    """2: a file that is whole, gone or accepted already is not waiting; nothing is loaded."""
    torn.drop("new.jsonl", lines("n"))
    result = usage(torn, f"--accept={name}")
    done(result, 2)
    assert "not waiting" in result.stderr
    assert result.stderr.replace("\n", "").isprintable()
    assert (ids(torn), as_of(torn)) == ({"g"}, BEFORE)


def test_twice(torn: DataFolder) -> None:
    """2: what is accepted already is not waiting."""
    done(usage(torn, "--accept", "bad.jsonl.gz"))
    again = usage(torn, "--accept", "bad.jsonl.gz")
    done(again, 2)
    assert "bad.jsonl.gz is not waiting" in again.stderr


@pytest.mark.parametrize("options", [["--every", "5m"], ["--rebuild"], ["good.jsonl"]])
def test_not_together(torn: DataFolder, options: list[str]) -> None:
    """2: it is for one run of all of `raw/`."""
    result = invoke(["run", "--accept", "bad.jsonl.gz", "--data-dir", str(torn.root), *options])
    done(result, 2)
    assert "leave out" in result.stderr
    assert waiting(torn) == ["bad.jsonl.gz"]


@pytest.mark.parametrize("name", [b"\x1b[31m.jsonl.gz", b"\xff.jsonl.gz", rb"\xff.jsonl.gz", "é ß.jsonl.gz".encode()])
def test_unusual_names(folder: DataFolder, name: bytes) -> None:
    """A file is accepted by the name that status prints, and by its name on disk."""
    other = rb"\\xff.jsonl.gz"
    for way in ("printed", "on disk"):
        for each in (name, other):
            folder.drop(os.fsdecode(each), TORN + way.encode())
        done(usage(folder), 4)
        (printed,) = set(waiting(folder)) - {r"\\\\xff.jsonl.gz"}
        result = usage(folder, "--accept", printed if way == "printed" else os.fsdecode(name))
        done(result, 4)
        assert waiting(folder) == [r"\\\\xff.jsonl.gz"]


def _forbid(folder: DataFolder) -> Path:
    path = folder.drop("bad.jsonl", lines("x"))
    path.chmod(0)
    return path


def _forbid_folder(folder: DataFolder) -> Path:
    path = folder.drop("bad/a.jsonl", lines("x")).parent
    path.chmod(0o300)
    return path


def _link_to_nowhere(folder: DataFolder) -> Path:
    path = folder.root / "raw/bad.jsonl"
    path.symlink_to("nowhere.jsonl")
    return path


def _fifo(folder: DataFolder) -> Path:
    path = folder.root / "raw/bad.jsonl"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("fault", [_forbid, _forbid_folder, _link_to_nowhere, _fifo])
def test_what_cannot_be_opened(folder: DataFolder, fault: Any) -> None:
    """Files that cannot be opened, folders that cannot be listed and things that are no files can be accepted too."""
    path = fault(folder)
    with permissions_obeyed():
        done(usage(folder, now=BEFORE), 4)
        done(usage(folder, "--accept", path.name))
        done(usage(folder))
        assert (as_of(folder), waiting(folder)) == (NOW, [])
        found = status(folder)
    assert ([failure["file"] for failure in found["accepted"]], found["waiting"]["files"]) == ([path.name], 0)
    if fault in (_link_to_nowhere, _fifo):
        path.unlink()
        path.write_bytes(lines("x"))
    else:
        path.chmod(0o700)
    done(usage(folder))
    assert ids(folder) == {"x"}


def test_away_for_a_while(torn: DataFolder) -> None:
    """A file that is back as it was accepted is accepted still."""
    done(usage(torn, "--accept", "bad.jsonl.gz"))
    (torn.root / "raw/bad.jsonl.gz").rename(torn.root / "away")
    done(usage(torn))
    assert status(torn)["accepted"] == []
    (torn.root / "away").rename(torn.root / "raw/bad.jsonl.gz")
    done(usage(torn))


def test_before_any_run_saw_it(folder: DataFolder) -> None:
    """A folder that cannot be listed is waiting as soon as it is there; a file once a run could not read it."""
    folder.drop("bad.jsonl.gz", TORN)
    done(usage(folder, "--accept", "bad.jsonl.gz"), 2)
    _forbid_folder(folder)
    with permissions_obeyed():
        assert waiting(folder) == ["bad"]
        done(usage(folder, "--accept", "bad"), 4)
        assert waiting(folder) == ["bad.jsonl.gz"]
    (folder.root / "raw/bad").chmod(0o700)


def test_a_rebuild_keeps_it(torn: DataFolder) -> None:
    """A rebuild reads the file again to where it breaks off, and it stays accepted."""
    done(usage(torn, "--accept", "bad.jsonl.gz"))
    done(usage(torn, "--rebuild"))
    done(usage(torn, "--rebuild", "--since", "2026-01"))
    assert ids(torn) == {"g"}
    done(usage(torn))
