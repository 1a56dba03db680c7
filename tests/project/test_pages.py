"""The targets in the Markdown pages exist: links, headings, and paths of files and modules in backticks."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.page_pictures import PICTURES
from tests.support.project import PAGES, ROOT

# Pages name modules by their path in the project, or without the package: `load/merge` is pipeline/load/merge.py.
FOLDERS: Final = {name: ROOT / name for name in ("pipeline", "service", "tests", "docs", "benchmarks", "deploy")}
ROOMS: Final = {path.parent.name: path.parent for path in ROOT.glob("*/*/__init__.py") if path.parts[-3] in FOLDERS}
ROOTS: Final = ROOMS | FOLDERS
LARGEST_PICTURE_BYTES: Final = 150_000
SUFFIXES: Final = ("", ".py", ".sql", ".c")


def name_of(page: Path) -> str:
    """Return a page's path in the project."""
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", prose(page))
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def paths(page: Path) -> Iterator[str]:
    """Yield everything in backticks that looks like a path of the project."""
    for found in re.findall(r"`([\w.-]+/[\w./-]*)`", prose(page)):
        if found.split("/")[0] in ROOTS:
            yield found


def modules(page: Path) -> Iterator[str]:
    """Yield everything in backticks that looks like a module, or `python -m` and a module."""
    yield from re.findall(r"`(?:python -m )?((?:pipeline|service|tests|benchmarks)(?:\.\w+)+)\b[^`]*`", prose(page))


def exists(path: Path) -> bool:
    """Return whether a path is that of a file or folder, with or without its suffix."""
    return any(path.with_name(f"{path.name}{suffix}").exists() for suffix in SUFFIXES)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links(page: Path) -> None:
    """Every relative link leads to a file, and its anchor to a heading of that file."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_paths(page: Path) -> None:
    """Every path in backticks exists."""
    for path in paths(page):
        first, *rest = path.rstrip("/").split("/")
        assert exists(ROOTS[first].joinpath(*rest)), path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_modules(page: Path) -> None:
    """Every dotted module in backticks exists."""
    for module in modules(page):
        assert exists(ROOT.joinpath(*module.split("."))), module


def test_paths_and_modules_are_found() -> None:
    """The patterns above find the paths and modules of a page."""
    assert {"load/merge", "load/sql/superseded.sql", "tests/crash/test_kills.py"} <= {
        *paths(ROOT / "docs/architecture.md")
    }
    assert {"benchmarks.load", "benchmarks.soak"} <= {*modules(ROOT / "CONTRIBUTING.md")}


def test_every_page_of_docs_is_in_the_index() -> None:
    """docs/README.md and docs/decisions/README.md list every page beside them."""
    for index in (ROOT / "docs/README.md", ROOT / "docs/decisions/README.md"):
        linked = {
            (index.parent / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", index.read_text("utf-8"))
        }
        assert {page.resolve() for page in index.parent.glob("*.md")} - {index} <= linked


def test_pictures_of_the_page() -> None:
    """docs/page.md shows every picture that is made for it, and pictures are small."""
    folder = ROOT / "docs/page"
    shown = re.findall(r"\]\(page/([a-z]+)\.png\)", (ROOT / "docs/page.md").read_text("utf-8"))
    assert sorted(shown) == sorted(PICTURES) == sorted(path.stem for path in folder.iterdir())
    assert all(path.stat().st_size < LARGEST_PICTURE_BYTES for path in folder.iterdir())
