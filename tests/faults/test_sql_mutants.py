"""The tables of awkward records equal the oracle's, and no mutant of a statement gives the same tables."""

from typing import Final

import pytest

from pipeline.storage import engine
from tests.faults.sql.mutants import EQUIVALENT, MUTANTS, Mutant
from tests.faults.sql.scenario import Scenario
from tests.support.project import ROOT

STATEMENTS: Final = sorted(path.stem for path in (ROOT / "pipeline/load/sql").glob("*.sql"))
# A statement that is not SQL fails for another reason than what it breaks.
NOT_SQL: Final = ("Parser Error", "Binder Error", "Catalog Error")


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    """Return the records, the old ones of which are stored."""
    return Scenario(tmp_path_factory.mktemp("scenario"))


def plant(mutant: Mutant, patch: pytest.MonkeyPatch) -> None:
    """Change a statement in this process."""
    original = engine._statement  # noqa: SLF001 - the one place that reads statements
    text = original("pipeline.load", mutant.statement)
    assert text.count(mutant.old) == 1, mutant

    def statement(package: str, name: str) -> str:
        is_it = (package, name) == ("pipeline.load", mutant.statement)
        return text.replace(mutant.old, mutant.new) if is_it else original(package, name)

    patch.setattr(engine, "_statement", statement)


def test_every_statement_has_a_mutant() -> None:
    """No statement is left out, except the one that only lists what another one found."""
    assert sorted({mutant.statement for mutant in MUTANTS}) == STATEMENTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.statement}: {mutant.breaks}")
def test_a_mutant_is_found(scenario: Scenario, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement with a fault gives other tables than the oracle's, or a loud error."""
    plant(mutant, monkeypatch)
    found = scenario.difference(mutant.statement)
    assert found is not None
    assert not any(error in found for error in NOT_SQL), found


@pytest.mark.parametrize("mutant", EQUIVALENT, ids=lambda mutant: f"{mutant.statement}: {mutant.breaks}")
def test_an_equivalent_statement(scenario: Scenario, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that differs in nothing but its costs gives the same tables; if not, it belongs to the others."""
    plant(mutant, monkeypatch)
    assert scenario.difference(mutant.statement) is None
