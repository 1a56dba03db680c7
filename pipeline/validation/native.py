"""Load the compiled `bulk.c`: as `LIBRARY`, or, if it is absent or does not fit, the reason as `UNAVAILABLE`.

Python and C have to agree on two kinds of things:

- The accepted actions and statuses. They are not compiled in: Python passes its own lists in `State`, so that the two
  cannot differ, and so that a list may be known only at run time.
- The facts: the checksum of `bulk.c`, limits, the size of each structure, the offset of each field, the keys of a
  record and which are required. The library exports those that it was compiled with. If one differs from Python's, the
  library is not used: it could write into memory that is not its own, or approve lines by rules that have changed.
"""

import ctypes
import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.contract.tables import EVENTS, LANGUAGES
from pipeline.validation.records import (
    COUNT_MAX,
    ID_CHARACTERS_MAX,
    LINE_BYTES_MAX,
    METADATA_DEPTH_MAX,
    Language,
    Record,
    Resource,
    Run,
    Usage,
    User,
)

PATH: Final = Path(__file__).with_name("libbulk.so")
_SOURCE: Final = PATH.with_name("bulk.c")
_BUILD: Final = (
    "build it: pip install --editable . in the project's folder, or make; or install the wheel for this platform"
)

TEXTS: Final = ("workspace_id", *(field.name for field in EVENTS if field.type == pa.string()))
NUMBERS: Final = tuple(field.name for field in EVENTS if field.name not in {*TEXTS, "languages"})
COUNTS: Final = tuple(field.name for field in LANGUAGES.value_type if field.name != "locale")

TEXT: Final = np.dtype([("start", "<u4"), ("size", "<i4")])
ROW: Final = np.dtype(
    [
        *((name, "<i8") for name in NUMBERS),
        *((name, TEXT) for name in TEXTS),
        *((name, "<i4") for name in ("first_language", "languages", "source", "reserved")),
    ]
)
LANGUAGE: Final = np.dtype([("locale", TEXT), *((name, "<i8") for name in COUNTS)])
HANDED_BACK: Final = np.dtype([("number", "<i8"), ("start", "<i8"), ("stop", "<i8")])

LANGUAGES_MAX: Final = 32  # of a line; the library needs room for this many
AHEAD_BYTES: Final = 8  # the library may read this many bytes past the last line

_Texts = ctypes.POINTER(ctypes.c_char_p)


class State(ctypes.Structure):
    """`state_t`."""

    _fields_ = (
        ("buffer", ctypes.c_void_p),
        ("scratch", ctypes.c_int64),
        ("scratch_stop", ctypes.c_int64),
        ("rows", ctypes.c_void_p),
        ("row_count", ctypes.c_int64),
        ("row_capacity", ctypes.c_int64),
        ("languages", ctypes.c_void_p),
        ("language_count", ctypes.c_int64),
        ("language_capacity", ctypes.c_int64),
        ("earliest", ctypes.c_int64),
        ("latest", ctypes.c_int64),
        ("actions", _Texts),
        ("statuses", _Texts),
        ("line_count", ctypes.c_int64),
        ("source", ctypes.c_int32),
        ("run_action", ctypes.c_int32),
    )


class _Fact(ctypes.Structure):
    """`fact_t`."""

    _fields_ = (("name", ctypes.c_char_p), ("value", ctypes.c_int64))


class _Object(ctypes.Structure):
    """`object_t`."""

    _fields_ = (("name", ctypes.c_char_p), ("required", ctypes.c_int64), ("keys", _Texts))


class Library(NamedTuple):
    """The two functions of `bulk.c`, where they are described."""

    approve: Callable[..., int]
    gather: Callable[..., None]


class LibraryError(Exception):
    """Raised when the library is absent or does not fit this package."""


def texts(values: Sequence[str]) -> "ctypes.Array[ctypes.c_char_p]":
    """Return a list of texts as C takes it, with a null pointer at the end."""
    return (ctypes.c_char_p * (len(values) + 1))(*(value.encode() for value in values), None)


def load(path: Path) -> Library:
    """Load the library.

    Raises:
        LibraryError: it is absent, not a library, or was compiled with facts other than this module's.
    """
    try:
        library = ctypes.CDLL(str(path))
        differing = {name for name, _ in _compiled(library).items() ^ _expected().items()}
    except (OSError, ValueError) as error:
        raise LibraryError(f"{error}; {_BUILD}") from None
    if differing:
        raise LibraryError(f"{path} does not fit this package, see {', '.join(sorted(differing)[:3])}; {_BUILD}")
    approve, gather = library.approve, library.gather
    approve.restype = ctypes.c_int64
    approve.argtypes = (ctypes.POINTER(State), ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
    gather.restype = None
    gather.argtypes = (
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64),  # from where
        *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p),  # which, and where to
    )
    return Library(approve, gather)


def _compiled(library: ctypes.CDLL) -> dict[str, int]:
    """Return the facts of a library by name; that of a record's key is whether it is required.

    Raises:
        ValueError: the library exports none.
    """
    found = {fact.name.decode(): fact.value for fact in _until_null(ctypes.POINTER(_Fact).in_dll(library, "facts"))}
    for item in _until_null(ctypes.POINTER(_Object).in_dll(library, "objects")):
        keys = itertools.takewhile(bool, map(item.keys.__getitem__, itertools.count()))
        found |= {f"{item.name.decode()}.{key.decode()}": place < item.required for place, key in enumerate(keys)}
    return found


def _until_null(array: Any) -> Iterator[Any]:
    return itertools.takewhile(lambda item: item.name, map(array.__getitem__, itertools.count()))


def _expected() -> dict[str, int]:
    """Return the same facts as they are in Python."""
    found = {
        "bulk.c": zlib.crc32(_SOURCE.read_bytes()),
        "LINE_BYTES_MAX": LINE_BYTES_MAX,
        "ID_CHARACTERS_MAX": ID_CHARACTERS_MAX,
        "METADATA_DEPTH_MAX": METADATA_DEPTH_MAX,
        "COUNT_MAX": COUNT_MAX,
        "LANGUAGES_MAX": LANGUAGES_MAX,
        "AHEAD_BYTES": AHEAD_BYTES,
        "state_t": ctypes.sizeof(State),
        **{f"state_t.{name}": getattr(State, name).offset for name, _ in State._fields_},
    }
    for name, layout in {"text_t": TEXT, "row_t": ROW, "language_t": LANGUAGE, "handed_back_t": HANDED_BACK}.items():
        found[name] = layout.itemsize
        found |= {f"{name}.{field}": place[1] for field, place in (layout.fields or {}).items()}
    for kind in (Record, Resource, User, Run, Usage, Language):
        found |= {f"{kind.__name__}.{key.encode_name}": key.required for key in msgspec.structs.fields(kind)}
    return found


LIBRARY: Library | None = None
UNAVAILABLE: str | None = None
try:
    LIBRARY = load(PATH)
except LibraryError as error:
    UNAVAILABLE = str(error)
