"""The README, its neighbours and docs/: what they name exists, and what exists they name."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import service.commands  # noqa: F401 - adds `serve`
from pipeline.commands.app import app
from pipeline.contract.settings import SETTINGS
from service.api.routes import ENDPOINTS, OPEN_ROUTES
from tests.support.command import parse
from tests.support.project import ROOT

README = (ROOT / "README.md").read_text("utf-8")
API = (ROOT / "docs/api.md").read_text("utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


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


def command_lines() -> list[tuple[str, list[str]]]:
    """Return the arguments of every `usage …` in a code block, with the page that it is on."""
    found = []
    for page in PAGES:
        for block in re.findall(r"(?m)^ *```console\n([^`]+)```", page.read_text("utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                while words and re.match(r"USAGE_[A-Z_]+=", words[0]):
                    words.pop(0)
                if words[:1] == ["usage"]:
                    found.append((page.name, words[1:]))
    return found


@pytest.mark.parametrize(("page", "arguments"), command_lines())
def test_command_lines(page: str, arguments: list[str]) -> None:
    """Every command in a code block is one, with arguments that it takes."""
    assert parse(arguments), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_text(page: Path) -> None:
    """Every command named in a text exists, and has the options that it is named with."""
    commands = vars(typer.main.get_command(app))["commands"]
    for name, rest in re.findall(r"`usage ([a-z-]+)([^`]*)`", page.read_text("utf-8")):
        for option in re.findall(r"(?<!\S)\[?(--[a-z-]+)", rest):
            assert option in options(commands[name]), f"{name} {option}"


def test_exit_codes() -> None:
    """The table of exit codes has those that the command itself tells, and 2 for wrong use."""
    (rows,) = re.findall(r"## Exit codes of `usage run`\n\n((?:\|.*\n)+)", (ROOT / "docs/load.md").read_text("utf-8"))
    listed = {int(code) for row in rows.splitlines() for code in re.findall(r"\d+", row.split("|")[1])}
    told = (
        str(vars(typer.main.get_command(app))["commands"]["run"].help)
        .partition("Exit codes: ")[2]
        .split("With --every")[0]
    )
    assert listed == {int(code) for code in re.findall(r"\b\d+\b", told)} | {2}


def options(command: Any) -> set[str]:
    """Return a command's options."""
    return {option for parameter in command.params for option in parameter.opts}


def test_make_targets() -> None:
    """Every target that a page names exists."""
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8")))
    named = {name for page in PAGES for name in re.findall(r"(?m)(?:^|`)make ([a-z-]+)", page.read_text("utf-8"))}
    assert named <= targets
