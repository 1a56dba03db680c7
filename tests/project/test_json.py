"""docs/json.md: what `--json` prints has the fields and types of its tables, and no others."""

import json
import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

import pytest

from pipeline.contract import formats
from tests.support.command import done
from tests.support.data_folder import NOW, DataFolder
from tests.support.invoked import invoke
from tests.support.project import ROOT

PAGE: Final = (ROOT / "docs/json.md").read_text("utf-8")
# Objects whose keys are names of other things.
MAPS: Final = {"reasons", "seconds", "suffixes", "settings"}


def section(title: str, number: int = 0) -> dict[str, str]:
    """Return the types of the fields of one table, by path; the tables of a section are numbered from 0."""
    text = PAGE.partition(f"## `usage {title}`")[2].partition("\n## ")[0]
    table = re.findall(r"(?:\|.*\n)+", text)[number]
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in table.splitlines()[2:]]
    return {path: kind for names, kind, _ in rows for path in re.findall(r"`([^`]+)`", names)}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of everything in an object that is neither an object nor an array."""
    if isinstance(value, dict):
        is_map = path.rpartition(".")[2] in MAPS
        for key, below in value.items():
            yield from leaves(below, f"{path}.{'*' if is_map else key}".lstrip("."))
    elif isinstance(value, list):
        for below in value:
            yield from leaves(below, f"{path}[]")
    else:
        yield path, value


def is_day(value: Any) -> bool:
    """Return whether a value is a day."""
    return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None


def is_instant(value: Any) -> bool:
    """Return whether a value is an instant in UTC."""
    return isinstance(value, str) and value.endswith("Z") and formats.instant(value) > 0


TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "instant": is_instant,
    "day": is_day,
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) in {int, float},
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
    "any value": lambda _: True,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a folder in which every list of the outputs has an entry."""
    folder = DataFolder(tmp_path_factory.mktemp("json") / "data")
    done(invoke(["sample", "--events", "150", "--workspaces", "1", "--days", "12", *options(folder, "--now")]))
    folder.drop("table.csv", b"a,b\n")
    folder.drop("cut.jsonl.gz", b"\x1f\x8b")
    folder.run()
    return folder


def options(folder: DataFolder, *more: str) -> list[str]:
    """Return the options that tell a command where the folder is, and what time it is if it takes that."""
    return ["--data-dir", str(folder.root), *([*more, NOW] if more else [])]


def asked(folder: DataFolder, *arguments: str, clock: bool = True, code: int = 0) -> Any:
    """Return what a command prints with `--json`."""
    result = invoke([*arguments, "--json", *options(folder, *(["--now"] if clock else []))])
    done(result, code)
    return json.loads(result.stdout)


def agrees(value: Any, table: dict[str, str], absent: AbstractSet[str] = frozenset()) -> None:
    """Assert that an object has the fields of a table, but for some, with values of their types."""
    found: dict[str, list[Any]] = {}
    for path, leaf in leaves(value):
        found.setdefault(path, []).append(leaf)
    unknown = found.keys() - table.keys()
    assert not unknown
    for path, values in found.items():
        kinds = re.split(r", | or ", table[path])
        assert all(any(TYPES[kind](one) for kind in kinds) for one in values), (path, values, kinds)
    objects = {path for path, kind in table.items() if kind.startswith("object")}
    missing = {path for path in table.keys() - found.keys() - objects - absent if not path.endswith("[]")}
    assert not missing


def test_run(folder: DataFolder) -> None:
    """A run and a retry print the fields of the table; so do the runs in the status."""
    table = section("run --json")
    agrees(asked(folder, "run", code=4), table, {"reasons.*"})
    unread = {"errors[].file", "errors[].error", "ignored.suffixes.*"}
    agrees(asked(folder, "quarantine", "--retry"), table, unread)
    for run in asked(folder, "status")["runs"]:
        agrees(run, table, {"reasons.*", *unread})


def test_status(folder: DataFolder) -> None:
    """The status has the fields of the table, `null` where something is unknown."""
    table = section("status --json")
    status = asked(folder, "status")
    assert status.pop("runs")
    table.pop("runs[]")
    agrees(status, table, {"accepted[].file", "accepted[].error"})
    assert status["published"]["data_as_of"] is None
    empty = asked(DataFolder(folder.root.parent / "empty"), "status")
    assert (empty["published"], empty["age_seconds"]) == (None, None)
    whole = DataFolder(folder.root.parent / "whole")
    whole.drop("a.jsonl", b"\n")
    whole.run()
    assert asked(whole, "status")["published"]["data_as_of"] == NOW


def test_check(folder: DataFolder) -> None:
    """Each table of the check has the fields of the events."""
    table = section("check --json")
    names = ("manifests", "cube", "actors", "quarantine", "ledger", "runs")
    for path, kind in [(path, kind) for path, kind in table.items() if path.startswith("events.")]:
        table |= {path.replace("events", name): kind for name in names}
    absent = {path for path in table if path.startswith("moved.first")}
    agrees(asked(folder, "check"), table, absent)


@pytest.mark.parametrize("command", [("retention", "--keep", "400d"), ("forget", "--workspace", "0" * 32)])
def test_erasures(folder: DataFolder, command: tuple[str, ...]) -> None:
    """Both erasures print how much they would erase."""
    table = section("retention --json`, `usage forget --json")
    for name in ("cube", "actors"):
        table |= {path.replace("events", name): table[path] for path in list(table) if path.startswith("events.")}
    arguments = [one if one != "0" * 32 else "00000000-0000-4000-8000-000000000000" for one in command]
    agrees(asked(folder, *arguments), table, {"first_day_kept"} if command[0] == "forget" else set())


def test_keys(folder: DataFolder) -> None:
    """A new key, the list and a revoked key have the fields of the table."""
    table = section("keys create --json`, `list`, `revoke")
    listed = asked(folder, "keys", "list", clock=False)
    of_list = {"file", "revoked_at", "key_sha256_prefix"}
    for key in listed:
        agrees(key, table, {"key"})
    who = ("--workspace", listed[0]["workspace_id"], "--user", listed[0]["user_id"])
    made = asked(folder, "keys", "create", *who, clock=False)
    agrees(made, table, of_list)
    revoked = asked(folder, "keys", "revoke", made["id"], clock=False)
    agrees(revoked, table, {"file", "key"})
    assert formats.instant(revoked["revoked_at"])


def test_sample_and_quarantine(folder: DataFolder, tmp_path: Path) -> None:
    """The sample and the quarantine print the fields of their tables."""
    arguments = ["sample", "--events", "5", "--workspaces", "1", "--days", "1", "--json", "--out", str(tmp_path)]
    result = invoke(arguments)
    done(result)
    agrees(json.loads(result.stdout), section("sample --json"))
    summary = asked(folder, "quarantine")
    agrees(summary, section("quarantine --json"))
    line = summary["files"][0]
    place = f"{line['source_file']}:{line['first_line']}"
    table = section("quarantine --json", 1)
    agrees(asked(folder, "quarantine", "--show", place), table)
    listed = invoke(["quarantine", "--list", "--json", *options(folder)])
    for text in listed.stdout.splitlines():
        agrees(json.loads(text), table, {path for path in table if path.startswith("faults")})


def test_workspaces(folder: DataFolder) -> None:
    """Each workspace has the fields of the table; those that are silent are listed alike."""
    for arguments, code in ((), 0), (("--silent", "1s"), 1):
        found = asked(folder, "workspaces", *arguments, code=code)
        assert found
        for workspace in found:
            agrees(workspace, section("workspaces --json"))


def test_try(tmp_path: Path) -> None:
    """`usage try` prints the fields of its table."""
    (tmp_path / "a.jsonl").write_text('{"action": "workflowrun", "ID": "x"}\n\n')
    result = invoke(["try", "--json", "--now", NOW, str(tmp_path / "a.jsonl")])
    done(result, 3)
    agrees(json.loads(result.stdout), section("try --json"))
