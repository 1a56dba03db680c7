"""What a workspace used in windows of time: differences of its running totals.

Arithmetic on the month blocks of one workspace. Windows are half-open, in microseconds UTC.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from pipeline.contract.tables import MEASURES, STATUSES
from service.tables.month_blocks import LANGUAGE_MEASURES, Integers
from service.tables.snapshots import Workspace

_RUNS: Final = slice(MEASURES.index(f"runs_{STATUSES[0]}"), len(MEASURES))


class Windows(NamedTuple):
    """What was used in a series of adjacent windows. Each list has one value per window, oldest first."""

    credits: list[int]
    characters: list[int]
    lines: list[int]
    runs: list[int]
    totals: dict[str, int]  # over all windows, by measure


class LanguageUsage(NamedTuple):
    """What was used in one locale in one window, in the order of `LANGUAGE_MEASURES`."""

    credits: int
    characters: int
    corrected: int
    lines: int


def between(workspace: Workspace, *series: Sequence[int]) -> list[Windows]:
    """Return, for each series of ascending boundaries, what was used between each boundary and the next."""
    instants = np.array([instant for boundaries in series for instant in boundaries], dtype=np.int64)
    before = np.zeros((len(instants), len(MEASURES)), dtype=np.int64)
    for month in workspace.totals(int(instants.min()), int(instants.max())):
        before += month.before(instants)
    ends = np.cumsum([len(boundaries) for boundaries in series])
    return [_windows(rows[1:] - rows[:-1]) for rows in np.split(before, ends[:-1])]


def _windows(sums: Integers) -> Windows:
    """Return the windows whose sums are the rows of `sums`: (windows, measures)."""
    credits_used, characters, lines = (sums[:, MEASURES.index(name)] for name in ("credits", "characters", "lines"))
    return Windows(
        credits=credits_used.tolist(),
        characters=characters.tolist(),
        lines=lines.tolist(),
        runs=sums[:, _RUNS].sum(axis=1).tolist(),
        totals=dict(zip(MEASURES, sums.sum(axis=0).tolist(), strict=True)),
    )


def by_locale(workspace: Workspace, start: int, end: int) -> dict[str | None, LanguageUsage]:
    """Return what was used in `[start, end)` by locale; None stands for untagged use."""
    sums: dict[str | None, list[int]] = {}
    for month in workspace.locale_totals(start, end):
        for locale, row in zip(month.locales, month.between(start, end).tolist(), strict=True):
            known = sums.get(locale, [0] * len(LANGUAGE_MEASURES))
            sums[locale] = [a + b for a, b in zip(known, row, strict=True)]
    return {locale: LanguageUsage(*row) for locale, row in sums.items()}
