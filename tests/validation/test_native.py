"""The compiled library: it stays within its memory, and is used only where it fits."""

import ctypes
import importlib.util
import mmap
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from pipeline.validation import native
from pipeline.validation.validate import FIRST_INSTANT
from tests.support.bulk_corpus import FULL, SHORT, approved
from tests.support.lines import LATEST


def test_no_byte_behind_a_line() -> None:
    """Whatever a line breaks off with, nothing is read behind its block but the bytes ahead, and nothing written."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 33 * page)
    place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(place + 32 * page), page, 0) == 0  # who touches it is killed
    handed_back = np.empty(1, native.HANDED_BACK)
    rows, languages = np.empty(1, native.ROW), np.empty(40, native.LANGUAGE)
    texts = [text for text in SHORT if len(text) < 8 * page] + [FULL[:size] for size in range(len(FULL) + 1)]
    for text in texts:
        stop = 32 * page - native.AHEAD_BYTES
        start = stop - len(text) - 1
        memory[start:stop] = text + b"\n"
        memory[: 8 * page] = bytes(8 * page)
        state = native.State(
            buffer=place,
            scratch=0,
            scratch_stop=len(text),
            rows=rows.ctypes.data,
            row_capacity=1,
            languages=languages.ctypes.data,
            language_capacity=40,
            earliest=FIRST_INSTANT,
            latest=LATEST,
        )
        left = native.approve(state, start, stop, handed_back.ctypes.data)
        assert left == 1 - len(approved([text]))
        assert memory[len(text) : 8 * page] == bytes(8 * page - len(text))
        assert memory[start:stop] == text + b"\n"


def test_a_library_of_another_source_is_refused(tmp_path: Path) -> None:
    """What is left from an older installation would write into memory that is not its own."""
    built = Path(native.__file__).with_name("libbulk.so").read_bytes()
    sizes = (native.ROW.itemsize, native.LANGUAGE.itemsize, native.HANDED_BACK.itemsize, ctypes.sizeof(native.State))
    ours, handed_back = struct.pack("<4q", *sizes), struct.pack("<4q", *sizes[:3], sizes[3] + 8)
    assert built.count(ours) == 1
    (tmp_path / "libbulk.so").write_bytes(built.replace(ours, handed_back))
    source = shutil.copy(native.__file__, tmp_path)
    spec = importlib.util.spec_from_file_location("another", source)
    assert spec is not None
    assert spec.loader is not None
    with pytest.raises(ImportError, match=r"libbulk\.so was compiled from another source; build it: pip install"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
