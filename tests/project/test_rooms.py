"""The rules of the layout: which room may import which, where SQL lies, and how long a file may be."""

import ast
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Final

import pytest

from tests.support.project import ROOT

# From bottom to top: each room may import the rooms before it.
ROOMS: Final = {
    "pipeline": (
        *("contract", "terminal", "grouping", "startup", "streams"),
        *("storage", "validation", "keys", "quarantine", "workspaces"),
        *("load", "erasure", "run", "status", "check"),
        *("tz_diff", "sample", "analysis", "mapping", "commands"),
    ),
    "service": (
        *("lru", "errors", "auth", "tables", "api", "telemetry", "page", "report", "http", "serving"),
        *("application", "server", "commands", "demo"),
    ),
}
# They start processes and show the whole pipeline, so they may import all of it.
ENTRY_POINTS: Final = ("service/commands/", "service/demo/")
LONGEST_FILE: Final = 300  # lines

PYTHON_FILES: Final = sorted(
    path for folder in ("pipeline", "service", "tests", "benchmarks") for path in ROOT.glob(f"{folder}/**/*.py")
)
ROOM_FILES: Final = sorted(
    path for package in ("pipeline", "service") for path in ROOT.glob(f"{package}/*/__init__.py")
)
SQL_FILES: Final = sorted(ROOT.glob("pipeline/**/*.sql"))


def name_of(path: Path) -> str:
    """Return a file's path in the project."""
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room_of(dotted: str) -> str | None:
    """Return the room, or the module beside the rooms, that a dotted name lies in; None for a whole package."""
    return dotted.split(".")[1] if "." in dotted else None


def test_every_room_is_listed() -> None:
    """Every room, and every module beside the rooms, has a place in the order above."""
    for package, rooms in ROOMS.items():
        found = {
            path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
        }
        assert found == {"__init__", *rooms}


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_import_only_rooms_below(package: str) -> None:
    """A room imports only rooms that come before it, so the order has no cycle."""
    for path in (ROOT / package).glob("**/*.py"):
        own = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        below = {own, *takewhile(lambda room, own=own: room != own, ROOMS[package])}  # type: ignore[misc]
        above = {name for name in imports(path) if name.startswith(f"{package}.") and room_of(name) not in below}
        assert not above, name_of(path)


def test_the_service_knows_only_the_contract() -> None:
    """Of the pipeline, the service imports only `pipeline.contract`; the pipeline never imports the service."""
    for path in PYTHON_FILES:
        name = name_of(path)
        if name.startswith("service/") and not name.startswith(ENTRY_POINTS):
            assert {room_of(found) for found in imports(path) if found.startswith("pipeline")} <= {"contract"}, name
        if name.startswith("pipeline/"):
            assert not [found for found in imports(path) if found.split(".")[0] == "service"], name


def test_no_test_module_imports_another() -> None:
    """Code that several tests need is in tests/support, or beside the hostile logs and the oracle."""
    for path in PYTHON_FILES:
        assert not [name for name in imports(path) if re.search(r"^tests\..*\btest_", name)], name_of(path)


@pytest.mark.parametrize("path", ROOM_FILES, ids=name_of)
def test_rooms_say_what_they_are(path: Path) -> None:
    """A room's docstring states its purpose, what does not belong there, and the module to start at."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    assert len(re.findall(r"[.:!]\s|\.$", text)) >= 3, text


@pytest.mark.parametrize("path", SQL_FILES, ids=name_of)
def test_sql_states_its_grain_and_lies_beside_its_caller(path: Path) -> None:
    """A statement's first comment states what one row is, and a module of the same room runs the statement."""
    first = path.read_text("utf-8").split("\n", 1)[0]
    assert re.match(r"-- (one row|one value)", first), first
    assert any(f'"{path.stem}"' in module.read_text("utf-8") for module in path.parents[1].glob("*.py"))


def test_files_are_short() -> None:
    """No file is longer than the limit, because a longer file holds more than one idea."""
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in PYTHON_FILES}
    assert not {name for name, lines in lengths.items() if lines > LONGEST_FILE}
