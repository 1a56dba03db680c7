"""The path below which a proxy shows the service, such as `/analytics`. A pure function."""

import re
from typing import Final

# What the service's own paths begin with. It could not know whether a proxy left out a prefix that begins so.
OWN: Final = frozenset({"api", "health", "metrics", "schema", "usage"})

_PREFIX: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)+").fullmatch


class PathPrefix(str):
    """Slash and name, once or more often, without a slash at the end; empty where there is no prefix."""

    __slots__ = ()


def path_prefix(text: str) -> PathPrefix:
    """Return the prefix that a text stands for.

    Raises:
        ValueError: it is not a path, has characters that a browser would encode, or begins as the service's own paths.
    """
    if text and (not _PREFIX(text) or text.split("/")[1] in OWN):
        raise ValueError(text)
    return PathPrefix(text)
