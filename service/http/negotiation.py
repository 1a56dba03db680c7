"""Content negotiation: CSV or JSON, compressed or not, from the headers `Accept` and `Accept-Encoding`.

The API has no 406: a client that does not clearly ask for something else gets plain JSON. CSV has to be named, because
browsers accept `*/*`, and some of them `text/*`, without a spreadsheet in mind.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from service.auth.authentication import Headers

_LONGEST: Final = 1024  # bytes of both headers together; browsers send about 150
_CACHED: Final = 512  # pairs of headers
_WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?").fullmatch


class Preference(NamedTuple):
    """What a client prefers to plain JSON."""

    csv: bool
    gzip: bool


_PLAIN_JSON: Final = Preference(csv=False, gzip=False)


def preference(headers: Headers) -> Preference:
    """Return what the headers of a request ask for; malformed parts of them are ignored."""
    accept = b",".join(headers.get(b"accept", ()))
    encodings = b",".join(headers.get(b"accept-encoding", ()))
    return _preference(accept, encodings) if len(accept) + len(encodings) <= _LONGEST else _PLAIN_JSON


@lru_cache(_CACHED)  # all clients of one kind send the same
def _preference(accept: bytes, encodings: bytes) -> Preference:
    return Preference(_prefers_csv(_weights(accept)), _accepts_gzip(_weights(encodings)))


def _prefers_csv(types: dict[str, float]) -> bool:
    csv = types.get("text/csv", 0.0)
    if "application/json" in types:
        return csv > types["application/json"]
    # At equal weight, a type that is named beats one that a wildcard matches.
    return csv > 0 and csv >= types.get("application/*", types.get("*/*", 0.0))


def _accepts_gzip(codings: dict[str, float]) -> bool:
    gzip = codings.get("gzip", codings.get("x-gzip", codings.get("*", 0.0)))
    return gzip > 0 and gzip >= codings.get("identity", 0.0)


def _weights(header: bytes) -> dict[str, float]:
    """Return the weight (0 to 1) of each element of a header; elements with a malformed weight are left out."""
    weights: dict[str, float] = {}
    for element in header.decode("latin-1").lower().split(","):
        name, *parameters = (part.strip(" \t") for part in element.split(";"))
        weight = "1"
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.rstrip(" \t") == "q":
                weight = value.lstrip(" \t")
        if _WEIGHT(weight):
            weights[name] = max(float(weight), weights.get(name, 0.0))
    return weights
