"""Commands, settings, routes, exit codes and Make targets: the pages name existing ones only, and leave out none."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.commands import run
from pipeline.contract.settings import RAW_CREDENTIALS, SETTINGS
from service.api.routes import ENDPOINTS, OPEN_ROUTES, PAGE
from service.auth.directory import DirectoryReader
from service.commands import COMMANDS
from tests.support.command import options_of, parse
from tests.support.project import PAGES, ROOT

README = (ROOT / "README.md").read_text("utf-8")
API = (ROOT / "docs/api.md").read_text("utf-8")
OPERATION = (ROOT / "docs/operation.md").read_text("utf-8")


def name_of(page: Path) -> str:
    """Return a page's path in the project."""
    return page.relative_to(ROOT).as_posix()


def cells(text: str) -> Iterator[list[str]]:
    """Yield the cells of every table row."""
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line[1:-1].split("|")]


def test_settings() -> None:
    """The operator's page lists every setting with its default, and no page names another setting."""
    rows = {row[0].strip("`"): row[1].strip("`") for row in cells(OPERATION) if row[0].startswith("`USAGE_")}
    assert rows == {setting.variable: setting.default for setting in SETTINGS}
    named = {name for page in PAGES for name in re.findall(r"USAGE_[A-Z0-9_]+", page.read_text("utf-8"))}
    assert named == {*rows, *RAW_CREDENTIALS}


def test_endpoints() -> None:
    """docs/api.md lists every route and no other; README and all other pages name only routes that exist."""
    endpoints = {endpoint.path for endpoint in ENDPOINTS}
    listed = {path for row in cells(API) for path in re.findall(r"`(/[a-z0-9/.-]+)`", row[0])}
    assert listed == endpoints | OPEN_ROUTES | {PAGE}
    named = {page: set(re.findall(r"/api/v1/[a-z/-]+", page.read_text("utf-8"))) for page in PAGES}
    assert set().union(*named.values()) == named[ROOT / "README.md"] == endpoints


def test_commands() -> None:
    """The README lists every command, with options that it has."""
    listed = set()
    for row in cells(README):
        if row[0].startswith("`usage "):
            names = named(row[0].strip("`").removeprefix("usage "))
            listed.update(names)
            for option in re.findall(r"--[a-z-]+", " ".join(row)):
                assert option in set().union(*map(options_of, names)), f"{names} {option}"
    assert listed == set(COMMANDS)


def named(text: str) -> list[str]:
    """Return the commands whose names a text begins with: one, or all of a family such as `keys`."""
    two = " ".join(text.split()[:2])
    first = two.split()[0]
    if two in COMMANDS or first in COMMANDS:
        return [two if two in COMMANDS else first]
    return [name for name in COMMANDS if name.startswith(f"{first} ")]


def split(line: str) -> Iterator[str]:
    """Yield the words and operators of a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        yield from lexer
    except ValueError:  # a line of a document, which is not for the shell
        return


def command_lines() -> list[tuple[str, list[str]]]:
    """Return the arguments of every `usage …` in a code block, each with the page it is on."""
    found = []
    for page in PAGES:
        for block in re.findall(r"(?m)^ *```console\n([^`]+)```", page.read_text("utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                words = list(itertools.takewhile(lambda word: not set(word) <= set("<>|&;"), split(line)))
                while words and re.match(r"USAGE_[A-Z_]+=", words[0]):
                    words.pop(0)
                if words[:1] == ["usage"]:
                    found.append((page.name, words[1:]))
    return found


@pytest.mark.parametrize(("page", "arguments"), command_lines())
def test_command_lines(page: str, arguments: list[str]) -> None:
    """Every command in a code block exists and takes these arguments."""
    assert parse(arguments), page


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_text(page: Path) -> None:
    """Every command named in a text exists and has the options that it is named with."""
    for text in re.findall(r"`usage ([a-z-][^`]*)`", page.read_text("utf-8")):
        if text.startswith("-"):
            assert text in {"-h", "--help", "--version"}
            continue
        names = named(text)
        assert names, text
        for option in re.findall(r"(?<!\S)\[?(--[a-z-]+)", text):
            assert option in set().union(*map(options_of, names)), text


def test_exit_codes() -> None:
    """The table of exit codes has the codes of the command's help, and 2 for wrong usage."""
    (rows,) = re.findall(r"## Exit codes of `usage run`\n\n((?:\|.*\n)+)", (ROOT / "docs/load.md").read_text("utf-8"))
    listed = {int(code) for row in rows.splitlines() for code in re.findall(r"\d+", row.split("|")[1])}
    text = (run.command.__doc__ or "").partition("Exit codes: ")[2].split("With --every")[0]
    assert listed == {int(code) for code in re.findall(r"\b\d+\b", text)} | {2}


def test_directory(tmp_path: Path) -> None:
    """The service reads the rows of the directory that the exporter's page shows."""
    page = (ROOT / "docs/exporter.md").read_text("utf-8")
    (block,) = re.findall(r"```json\n([^`]+)```", page.partition("## The directory")[2])
    (tmp_path / "directory").mkdir()
    for name, row in zip(("members", "accounts", "api_keys"), block.splitlines(), strict=True):
        (tmp_path / f"directory/{name}.jsonl").write_text(row + "\n")
    directory = DirectoryReader(tmp_path).current()
    assert (len(directory.members), len(directory.accounts), len(directory.keys)) == (1, 1, 1)


def test_make_targets() -> None:
    """Every Make target that a page names exists."""
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8")))
    named = {name for page in PAGES for name in re.findall(r"(?m)(?:^|`)make ([a-z-]+)", page.read_text("utf-8"))}
    assert named <= targets
