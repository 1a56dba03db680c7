"""The README and docs/: what they name exists, and what exists they name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import service.commands  # noqa: F401 - adds `serve`
from pipeline.commands import app
from pipeline.settings import SETTINGS
from service.endpoints import ENDPOINTS, OPEN_ROUTES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
API = (ROOT / "docs/api.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def cells(text: str) -> Iterator[list[str]]:
    """Yield the cells of every table row."""
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line[1:-1].split("|")]


def anchors(page: Path) -> set[str]:
    """Return what a page's headings are linked by."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text("utf-8"))
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """Every link inside the project leads to a file, and to a heading of it."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.is_file(), target
        assert not anchor or anchor in anchors(linked), target


def test_settings() -> None:
    """The README lists every setting with its default, and no page names another."""
    rows = {row[0].strip("`"): row[1].strip("`") for row in cells(README) if row[0].startswith("`USAGE_")}
    assert rows == {setting.variable: setting.default for setting in SETTINGS}
    named = {name for page in PAGES for name in re.findall(r"USAGE_[A-Z_]+", page.read_text("utf-8"))}
    assert named == set(rows)


def test_endpoints() -> None:
    """README and docs/api.md list every route, with its parameters, and no other."""
    expected = {endpoint.path for endpoint in ENDPOINTS} | OPEN_ROUTES
    for text in (README, API):
        listed = {path for row in cells(text) for path in re.findall(r"`(/[a-z0-9/.-]+)`", row[0])}
        assert listed == expected
    named = {path for page in PAGES for path in re.findall(r"/api/v1/[a-z/-]+", page.read_text("utf-8"))}
    assert named == {endpoint.path for endpoint in ENDPOINTS}
    for endpoint in ENDPOINTS[:3]:
        (row,) = (row for row in cells(README) if row[0] == f"`{endpoint.path}`")
        names = {rule.name for rule in endpoint.parameters.rules}
        assert set(re.findall(r"`(\w+)`", row[1])) == names or row[1].startswith("the same")


def test_commands() -> None:
    """The README lists every command, and gives it no option that it has not."""
    known: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
    listed = set()
    for row in cells(README):
        if row[0].startswith("`usage "):
            name = row[0].strip("`").split()[1]
            listed.add(name)
            for option in re.findall(r"--[a-z-]+", " ".join(row)):
                assert option in options(known[name]), f"{name} {option}"
    assert listed == set(known)


def options(command: Any) -> set[str]:
    """Return a command's options."""
    return {option for parameter in command.params for option in parameter.opts}


def test_make_targets() -> None:
    """Every target that a page names exists."""
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8")))
    named = {name for page in PAGES for name in re.findall(r"(?m)(?:^|`)make ([a-z-]+)", page.read_text("utf-8"))}
    assert named <= targets
