"""What a client would rather have: CSV or JSON, compressed or not, as `Accept` and `Accept-Encoding` say it.

Nobody is refused for them, the API has no 406: plain JSON is for everybody who does not clearly ask for something else.
So CSV has to be named: browsers accept `*/*`, and some of them `text/*`, without a spreadsheet in mind.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from service.auth.authentication import Headers

_LONGEST: Final = 1024  # of both headers; browsers send some 150 bytes
_REMEMBERED: Final = 512  # pairs of headers
_WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?").fullmatch


class Wish(NamedTuple):
    """What a client would rather have than plain JSON."""

    csv: bool
    gzip: bool


_NOTHING: Final = Wish(csv=False, gzip=False)


def wish(headers: Headers) -> Wish:
    """Return what the headers of a request ask for; what makes no sense in them asks for nothing."""
    accept = b",".join(headers.get(b"accept", ()))
    encodings = b",".join(headers.get(b"accept-encoding", ()))
    return _wish(accept, encodings) if len(accept) + len(encodings) <= _LONGEST else _NOTHING


@lru_cache(_REMEMBERED)  # clients of one kind send the same
def _wish(accept: bytes, encodings: bytes) -> Wish:
    return Wish(_prefers_csv(_weights(accept)), _accepts_gzip(_weights(encodings)))


def _prefers_csv(types: dict[str, float]) -> bool:
    csv = types.get("text/csv", 0.0)
    if "application/json" in types:
        return csv > types["application/json"]
    return csv > 0 and csv >= types.get("application/*", types.get("*/*", 0.0))  # named beats meant along


def _accepts_gzip(codings: dict[str, float]) -> bool:
    gzip = codings.get("gzip", codings.get("x-gzip", codings.get("*", 0.0)))
    return gzip > 0 and gzip >= codings.get("identity", 0.0)


def _weights(header: bytes) -> dict[str, float]:
    """Return the elements of a header and their weights; those with a broken weight are left out."""
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
