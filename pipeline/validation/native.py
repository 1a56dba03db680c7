"""What `bulk.c` takes and gives: its structures and its two functions, which are described there.

Building this package compiles it, also in place.
"""

import ctypes
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from pipeline.contract.tables import EVENTS

_PATH: Final = Path(__file__).with_name("libbulk.so")
_BUILD: Final = "build it: pip install --editable . in the project's folder, or make"

# In the order of the enumeration of `row_t`.
TEXTS: Final = ("workspace_id", *(field.name for field in EVENTS if field.type == pa.string()))
COUNTS: Final = ("characters", "lines", "corrected")

TEXT: Final = np.dtype([("start", "<u4"), ("size", "<i4")])
ROW: Final = np.dtype(
    [
        *((name, "<i8") for name in ("timestamp", "recorded_at", "credits", "audio_ms")),
        *((name, TEXT) for name in TEXTS),
        *((name, "<i4") for name in ("first_language", "languages", "source", "reserved")),
    ]
)
LANGUAGE: Final = np.dtype([("locale", TEXT), *((name, "<i8") for name in COUNTS)])
HANDED_BACK: Final = np.dtype([("number", "<i8"), ("start", "<i8"), ("stop", "<i8")])

LANGUAGES_MAX: Final = 32  # of a line; there must be room for so many
AHEAD_BYTES: Final = 8  # that may be looked at behind the last line


class State(ctypes.Structure):
    """`approval_t`."""

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
        ("line_count", ctypes.c_int64),
        ("source", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
    )


try:
    _library = ctypes.CDLL(str(_PATH))
    _sizes = tuple((ctypes.c_int64 * 4).in_dll(_library, "sizes"))
except (OSError, ValueError) as error:
    raise ImportError(f"{error}; {_BUILD}") from None
# What was compiled from another source would write into memory that is not its own.
if _sizes != (ROW.itemsize, LANGUAGE.itemsize, HANDED_BACK.itemsize, ctypes.sizeof(State)):
    raise ImportError(f"{_PATH} was compiled from another source; {_BUILD}")

approve: Final = _library.approve
approve.restype = ctypes.c_int64
approve.argtypes = (ctypes.POINTER(State), ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)

gather: Final = _library.gather
gather.restype = None
gather.argtypes = (
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64),  # from where
    *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p),  # which, and where to
)
