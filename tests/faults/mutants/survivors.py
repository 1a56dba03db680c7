"""The survivors that were looked at: `survivors.toml` names each with the reason why no test kills it."""

import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.faults.mutants.mutant import Place

FILE: Final = Path(__file__).with_suffix(".toml")


class Verdict(NamedTuple):
    """Why a survivor is left alone.

    Attributes:
        reason: for people.
        is_equivalent: whether the change makes no difference, so that no test could kill it.
    """

    reason: str
    is_equivalent: bool


def accepted() -> dict[Place, Verdict]:
    """Return the verdict on each survivor.

    Raises:
        ValueError: a survivor is named twice.
    """
    verdicts: dict[Place, Verdict] = {}
    content = tomllib.loads(FILE.read_text("utf-8"))
    entry: dict[str, Any]
    for kind in ("equivalent", "accepted"):
        for entry in content.pop(kind, []):
            for after in entry["after"]:
                place = Place(entry["module"], entry["function"], entry["before"], after)
                if place in verdicts:
                    raise ValueError(f"named twice: {place}")
                verdicts[place] = Verdict(entry["reason"], kind == "equivalent")
    if content:
        raise ValueError(f"neither equivalent nor accepted: {', '.join(content)}")
    return verdicts
