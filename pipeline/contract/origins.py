"""Origins of web applications, as a browser writes them: `https://app.example.com`, `http://localhost:3000`.

Pure functions. The service compares origins as texts, so a setting that a browser never sends must not be accepted.
"""

import re
from typing import Final

_LABEL: Final = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN: Final = re.compile(rf"(https?)://({_LABEL}(?:\.{_LABEL})*)(?::([1-9][0-9]{{0,4}}))?").fullmatch
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_MOST_PORTS: Final = 65_535
_LONGEST_HOST: Final = 253


class Origin(str):
    """Scheme, host and port, the latter only if it is not the default of the scheme."""

    __slots__ = ()


def origins(text: str) -> tuple[Origin, ...]:
    """Return the origins of a comma-separated list, each once, in its order; none for an empty text.

    Raises:
        ValueError: something in it is not an origin, such as `*`, `null` or a URL with a path.
    """
    return tuple(dict.fromkeys(map(_origin, text.split(",")))) if text else ()


def _origin(text: str) -> Origin:
    found = _ORIGIN(text.strip().lower())
    if not found or len(found[2]) > _LONGEST_HOST or int(found[3] or 1) > _MOST_PORTS:
        raise ValueError(text)
    scheme, host, port = found.groups()
    return Origin(f"{scheme}://{host}" if port in {None, _DEFAULT_PORTS[scheme]} else f"{scheme}://{host}:{port}")
