"""What lies in windows of time: differences of a workspace's running totals.

Pure arithmetic on the month blocks of one workspace; windows are half-open and in microseconds UTC.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from pipeline.tables import MEASURES
from service.blocks import LANGUAGE_MEASURES
from service.snapshots import Workspace

_RUNS: Final = [MEASURES.index(name) for name in MEASURES if name.startswith("runs_")]


class Windows(NamedTuple):
    """What was used in windows that touch: a column for each number, oldest window first."""

    credits: list[int]
    characters: list[int]
    lines: list[int]
    runs: list[int]
    totals: dict[str, int]  # of all windows together, by measure


class LanguageUse(NamedTuple):
    """What one locale used in one window, in the order of `LANGUAGE_MEASURES`."""

    credits: int
    characters: int
    corrected: int
    lines: int


def between(workspace: Workspace, boundaries: Sequence[int]) -> Windows:
    """Return what was used between each boundary and the next."""
    instants = np.array(boundaries, dtype=np.int64)
    sums = np.zeros((len(boundaries) - 1, len(MEASURES)), dtype=np.int64)
    for month in workspace.totals(boundaries[0], boundaries[-1]):
        sums += np.diff(month.before(instants), axis=0)
    credits_used, characters, lines = (sums[:, MEASURES.index(name)] for name in ("credits", "characters", "lines"))
    return Windows(
        credits=credits_used.tolist(),
        characters=characters.tolist(),
        lines=lines.tolist(),
        runs=sums[:, _RUNS].sum(axis=1).tolist(),
        totals=dict(zip(MEASURES, sums.sum(axis=0).tolist(), strict=True)),
    )


def by_locale(workspace: Workspace, start: int, end: int) -> dict[str | None, LanguageUse]:
    """Return what each locale used in `[start, end)`; None is what bears no locale."""
    sums: dict[str | None, list[int]] = {}
    for month in workspace.locale_totals(start, end):
        for locale, row in zip(month.locales, month.between(start, end).tolist(), strict=True):
            known = sums.get(locale, [0] * len(LANGUAGE_MEASURES))
            sums[locale] = [a + b for a, b in zip(known, row, strict=True)]
    return {locale: LanguageUse(*row) for locale, row in sums.items()}
