"""Mutation testing itself: it finds what tests miss, and its list of survivors fits the code."""

import ast
import json
import re
import subprocess
import sys
from typing import Final

import pytest

from tests.faults.mutants import changes
from tests.faults.mutants.mutant import Place, compare, enclosing
from tests.faults.mutants.survivors import accepted
from tests.faults.mutants.targets import TARGETS
from tests.support.project import ROOT

MODULE: Final = "pipeline/storage/commit.py"
WEAK: Final = ["tests/storage/test_commit.py::test_nothing_to_recover"]
STRONG: Final = ["tests/storage/test_commit.py"]

SQL: Final = """run("delete from t where a = 'b' and c in (select 1) or d <> ?")"""
CODE: Final = f'''
@cache
def f(x: int) -> int:
    """Delete nothing."""
    self.a = x + 1
    x = 2
    begin()
    for y in x:
        {SQL}
    return x


class C:
    async def g(self) -> None:
        try:
            await h("select a from t order by a")
        except (OSError, a.Error):
            return
        raise OSError
'''

# Changes of a commit that break its promises, and the tests that are run against them.
PLANTED: Final = [
    ("    store.sync()\n", "", STRONG, "killed"),
    ("    store.sync()\n", "", WEAK, "survived"),
    ("    state.end()\n    if not state.has", "    if not state.has", STRONG, "killed"),
    ("in operations if operation.kind", "in operations[::-1] if operation.kind", STRONG, "killed"),
    ("    found = state.journal()\n", "    __import__('threading').Event().wait()\n", WEAK, "stuck"),
    ("_TABLES: Final =", "_TABLES: Final = nonsense =", WEAK, "broken"),
]

RUN: Final = """
import json, sys
from tests.faults.mutants.bench import copied
module, sources = json.load(sys.stdin)
with copied() as bench:
    print(json.dumps([bench.run(module, source, tests, seconds).value for source, tests, seconds in sources]))
"""


def test_planted_faults() -> None:
    """A commit without a sync, without its end or in the wrong order is found, unless only a weak test looks at it."""
    original = (ROOT / MODULE).read_text("utf-8")
    sources = []
    for before, after, tests, outcome in PLANTED:
        assert original.count(before) == 1, before
        sources.append((original.replace(before, after), tests, 1 if outcome == "stuck" else 60))
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=ROOT,
        input=json.dumps([MODULE, sources]),
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    assert json.loads(done.stdout) == [outcome for *_, outcome in PLANTED]
    assert (ROOT / MODULE).read_text("utf-8") == original


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            changes.without_a_statement,
            {
                ("f", "self.a = x + 1", "pass"),
                ("f", "begin()", "pass"),
                ("f", """run("delete from t where a = 'b' and c in (select 1) or d <> ?")""", "pass"),
                ("C.g", 'await h("select a from t order by a")', "pass"),
                ("C.g", "return", "pass"),
                ("C.g", "raise OSError", "pass"),
            },
        ),
        (
            changes.uncaught,
            {
                ("C.g", "except (OSError, a.Error):", "except (NotImplementedError, a.Error):"),
                ("C.g", "except (OSError, a.Error):", "except (OSError, NotImplementedError):"),
            },
        ),
        (
            changes.other_sql,
            {
                ("f", """run("delete from t where a = 'b' and c in (select 1) or d <> ?")""", f'run("{sql}")')
                for sql in (
                    "delete from t",
                    "delete from t where a <> 'b' and c in (select 1) or d <> ?",
                    "delete from t where a = 'b' and c in (select 1) or d = ?",
                )
            }
            | {("C.g", 'await h("select a from t order by a")', 'await h("select a from t order by a desc")')},
        ),
    ],
)
def test_changes(kind: object, expected: set[tuple[str, str, str]]) -> None:
    """Statements with an effect are removed, exceptions are not caught, and clauses of SQL are turned around."""
    assert callable(kind)
    assert {compare("m", CODE, source).place[1:] for source in kind(CODE)} == expected


def test_swapped_statements() -> None:
    """Two neighbours that both have an effect change places."""
    (source,) = changes.swapped(CODE)
    assert re.findall(r"(?m)^    (begin|for)", source) == ["for", "begin"]
    assert sorted(source.split()) == sorted(CODE.split())
    ast.parse(source)


def test_place_of_a_decorator() -> None:
    """A removed decorator belongs to its function, and nothing replaces it."""
    assert compare("m", CODE, CODE.replace("@cache\n", "")).place == Place("m", "f", "@cache", "")


@pytest.mark.parametrize("module", TARGETS)
def test_survivors_fit_the_code(module: str) -> None:
    """Every accepted survivor changes lines that the module has, and has a reason."""
    text = (ROOT / module).read_text("utf-8")
    tree, lines = ast.parse(text), [line.strip() for line in text.splitlines()]
    for place, verdict in accepted().items():
        if place.module == module:
            before = place.before.split("\n")
            starts = [k for k in range(len(lines)) if lines[k : k + len(before)] == before]
            assert place.function in {enclosing(tree, start + 1) for start in starts}, place
            assert place.before != place.after
            assert len(verdict.reason.split()) > 3, place


def test_every_survivor_is_of_a_module() -> None:
    """No survivor is of a module that is not mutated."""
    assert {place.module for place in accepted()} <= set(TARGETS)


def test_tests_exist() -> None:
    """Every test that is run against mutants exists."""
    for name in {name for tests in TARGETS.values() for name in tests}:
        path, _, function = name.partition("::")
        text = (ROOT / path).read_text("utf-8")
        assert f"def {function.partition('[')[0]}(" in text or not function, name
