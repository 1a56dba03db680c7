"""How the text of a setting becomes its value. Pure functions, whose errors say what the text must be."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from pipeline.contract.actions import extra_actions
from pipeline.contract.origins import Origin, origins
from pipeline.contract.path_prefix import OWN, PathPrefix, path_prefix

_DIGITS: Final = re.compile(r"[0-9]{1,9}").fullmatch
_SIZE: Final = re.compile(r"([0-9]{1,18})(|[KMGT]i?)B?").fullmatch
_POWERS: Final = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_PREFIX_RULE: Final = "a path such as /analytics, of letters, digits and . _ ~ -, without a slash at its end"


class Size(int):
    """A number of bytes, given as in `10GB`, `512MiB` or `1048576`."""


def read(kind: Any, text: str, least: int = 0, most: int = 0) -> Any:
    """Return the value of some type that a text stands for.

    Args:
        kind: the type, one of those that fields of `Settings` have.
        text: of the setting.
        least: of a whole number.
        most: likewise.

    Raises:
        ValueError: it stands for none; the message says what it must be.
    """
    if kind is int:
        if not (_DIGITS(text) and least <= int(text) <= most):
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)
    of_text, wanted = _KINDS[kind]
    try:
        return of_text(text)
    except (ValueError, KeyError):
        raise ValueError(wanted) from None


def _boolean(text: str) -> bool:
    return _BOOLEANS[text.lower()]


def _size(text: str) -> Size:
    found = _SIZE(text)
    if not found:
        raise ValueError(text)
    unit = found[2]
    return Size(int(found[1]) * (1024 if unit.endswith("i") else 1000) ** _POWERS[unit.rstrip("i")])


def _path(text: str) -> Path | None:
    return Path(text) if text else None


# Of each type: what reads it, and what a text must be.
_KINDS: Final[Mapping[Any, tuple[Callable[[str], Any], str]]] = {
    str: (str, "a text"),
    bool: (_boolean, "true or false"),
    Size: (_size, "a size such as 10GB, 512MiB or 1048576"),
    Path | None: (_path, "a path"),
    PathPrefix: (
        path_prefix,
        f"{_PREFIX_RULE}, not below {', '.join(f'/{name}' for name in sorted(OWN))}",
    ),
    tuple[str, ...]: (extra_actions, "names of a-z, 0-9 and _, with commas between them"),
    tuple[Origin, ...]: (origins, "origins such as https://app.example.com, with commas between them"),
}
