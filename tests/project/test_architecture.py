"""docs/architecture.md and docs/glossary.md against the code: diagram, rooms, data, invariants and terms."""

import re
from typing import Final

import pytest

from tests.support.command import done
from tests.support.data_folder import DataFolder, record
from tests.support.invoked import invoke
from tests.support.project import PAGES, ROOT

PAGE: Final = (ROOT / "docs/architecture.md").read_text("utf-8")
GLOSSARY: Final = (ROOT / "docs/glossary.md").read_text("utf-8")
TERMS: Final = re.findall(r"(?m)^- \*\*`?([^*`]+)`?\*\*: ", GLOSSARY)
ROOMS: Final = sorted(
    path.parent.name for package in ("pipeline", "service") for path in ROOT.glob(f"{package}/*/__init__.py")
)
CODE: Final = [
    path.read_text("utf-8")
    for package in ("pipeline", "service")
    for suffix in ("py", "sql", "c")
    for path in ROOT.glob(f"{package}/**/*.{suffix}")
]
PAGES_BUT_THE_GLOSSARY: Final = [page.read_text("utf-8") for page in PAGES if page.name != "glossary.md"]


def section(heading: str) -> str:
    """Return the part of the page below a heading."""
    return PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def first_cells(heading: str) -> list[str]:
    """Return the first cells of the rows of a section's table, without its heading."""
    return re.findall(r"(?m)^\| (.+?) \|", section(heading))[1:]


def test_the_flow_diagram() -> None:
    """README, the page and the package docstring show the same diagram."""
    (diagram,) = re.findall(r"(?m)^```\n(raw/(?:.+\n){3})", (ROOT / "README.md").read_text("utf-8"))
    assert diagram in PAGE
    docstring = (ROOT / "pipeline/__init__.py").read_text("utf-8")
    assert "".join(f"    {line}\n" for line in diagram.splitlines()) in docstring


def test_every_room_has_its_place() -> None:
    """The picture and the table have every room, and nothing else."""
    picture = section("The picture").split("```")[1]
    assert set(ROOMS) <= set(re.findall(r"\w+", picture))
    assert sorted(cell.strip("`") for cell in first_cells("The picture")) == ROOMS


def test_everything_in_the_picture_exists() -> None:
    """Each name in the picture is a room, or a module beside the rooms."""
    names = section("The picture").split("```")[1].partition("service/  reads\n")[2]
    modules = {path.stem for package in ("pipeline", "service") for path in ROOT.glob(f"{package}/*.py")}
    assert set(re.findall(r"\w+", names)) <= {*ROOMS, *modules}


def test_every_file_of_a_data_folder_has_an_owner(folder: DataFolder) -> None:
    """The table of owners lists every file that the commands leave in a data folder."""
    folder.drop("a.jsonl", [record(), {"id": "bad"}])
    (folder.root / "directory").mkdir()
    (folder.root / "directory/members.jsonl").write_text("")
    where = ["--data-dir", str(folder.root)]
    done(invoke(["run", *where, "--now", "2026-11-24T12:00:00Z"]))
    done(invoke(["retention", "--keep", "30d", "--apply", *where, "--now", "2026-11-24T12:00:00Z"]))
    owned = {path for cell in first_cells("Who owns which data") for path in re.findall(r"`([\w./]+)`", cell)}
    tops = {path.split("/")[0] for path in owned}
    left = {path.name for path in folder.root.iterdir()}
    assert {"raw", "events", "quarantine", "usage.duckdb", "tombstones.jsonl", "run.lock"} <= left
    assert {name.removesuffix("-wal").removesuffix("-shm") for name in left} <= tops


def test_every_invariant_has_a_test() -> None:
    """Each row names where an invariant is kept, and at least one test."""
    rows = re.findall(r"(?m)^\| (.+) \| (.+) \| (.+) \|$", section("Invariants"))[1:]
    assert len(rows) > 10
    for invariant, kept, tested in rows:
        assert kept.strip("- "), invariant
        assert "`tests/" in tested or set(tested) == {"-"}, invariant


def test_terms_are_sorted() -> None:
    """The glossary is in alphabetical order and defines each term once."""
    assert len(TERMS) > 100
    assert sorted(set(TERMS), key=lambda term: term.lower().replace("_", " ")) == TERMS


@pytest.mark.parametrize("term", TERMS)
def test_terms_are_used(term: str) -> None:
    """Each term is used in the code or on another page."""
    words = re.compile(r"[\s_-]*".join(map(re.escape, re.split(r"[ _-]", term))), re.IGNORECASE)
    assert any(words.search(text) for text in [*CODE, *PAGES_BUT_THE_GLOSSARY])


def test_rooms_are_terms() -> None:
    """The glossary defines every room."""
    assert set(ROOMS) <= set(TERMS)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)*)`", GLOSSARY))))
def test_classes_exist(name: str) -> None:
    """Every class that the glossary names exists."""
    assert any(re.search(rf"(?m)^class {name}\b", text) for text in CODE)
