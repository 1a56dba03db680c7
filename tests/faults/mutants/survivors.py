"""The survivors that were looked at: `survivors.toml` names each with the reason why no test kills it."""

import tomllib
from pathlib import Path
from typing import Any, Final

from tests.faults.mutants.mutant import Place

FILE: Final = Path(__file__).with_suffix(".toml")


def accepted() -> dict[Place, str]:
    """Return the reason for each survivor.

    Raises:
        ValueError: a survivor is named twice.
    """
    reasons: dict[Place, str] = {}
    entry: dict[str, Any]
    for entry in tomllib.loads(FILE.read_text("utf-8")).get("survivor", []):
        for after in entry["after"]:
            place = Place(entry["module"], entry["function"], entry["before"], after)
            if place in reasons:
                raise ValueError(f"named twice: {place}")
            reasons[place] = entry["reason"]
    return reasons
