"""The compiled library stays within its memory, and is used only if it matches the package."""

import ctypes
import importlib.util
import mmap
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pipeline.contract.actions import ACTIONS
from pipeline.contract.tables import STATUSES
from pipeline.validation import bulk, native
from pipeline.validation.records import RUN_ACTION, Record
from pipeline.validation.validate import FIRST_INSTANT
from tests.support.bulk_corpus import FULL, NEEDS_LIBRARY, SHORT, approve, approved
from tests.support.lines import LATEST, line


@pytest.mark.skipif(
    not shutil.which("cc") and not importlib.util.find_spec("ziglang"), reason="there is no C compiler on this machine"
)
def test_the_library_is_in_use() -> None:
    """If there is a compiler, the library is compiled from the current `bulk.c`."""
    assert native.UNAVAILABLE is None, native.UNAVAILABLE
    assert native.LIBRARY is not None


@NEEDS_LIBRARY
def test_no_access_out_of_bounds() -> None:
    """Wherever a line breaks off, no byte is read beyond the look-ahead, and none is written outside the scratch."""
    assert native.LIBRARY is not None
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 33 * page)
    place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(place + 32 * page), page, 0) == 0  # an access ends the process
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
            actions=native.texts(ACTIONS),
            statuses=native.texts(STATUSES),
            run_action=ACTIONS.index(RUN_ACTION),
        )
        count = native.LIBRARY.approve(state, start, stop, handed_back.ctypes.data)
        assert count == 1 - len(approved([text]))
        assert memory[len(text) : 8 * page] == bytes(8 * page - len(text))
        assert memory[start:stop] == text + b"\n"


@NEEDS_LIBRARY
def test_actions_are_those_of_python() -> None:
    """The library approves exactly the actions that it is given."""
    lines = [line(action=action, run={"id": "r", "status": "paused"}) for action in (*ACTIONS, "voice_deleted")]
    assert approved(lines) == list(range(len(ACTIONS)))
    actions = ("voice_deleted", *ACTIONS[:2])
    rows, handed_back = approve(lines, actions=actions)
    assert handed_back == list(range(2, len(ACTIONS)))
    assert rows["action"].to_pylist() == [*ACTIONS[:2], "voice_deleted"]
    _, handed_back = approve([line(action=RUN_ACTION), line(action="voice_deleted")], actions=actions)
    assert handed_back == [0], "only one action requires run"


@NEEDS_LIBRARY
def test_statuses_equal_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library approves exactly the statuses that Python passes to it."""
    lines = [line(run={"id": "r", "status": status}) for status in (*STATUSES, "done")]
    assert approved(lines) == list(range(len(STATUSES)))
    monkeypatch.setattr(bulk, "STATUSES", ("done", *STATUSES[1:]))
    assert approve(lines)[1] == [0]


def _swapped(layout: np.dtype[Any], one: int, other: int) -> np.dtype[Any]:
    """Return a structure of the same size with two fields swapped."""
    fields = [(name, kind[0]) for name, kind in (layout.fields or {}).items()]
    fields[one], fields[other] = fields[other], fields[one]
    return np.dtype(fields)


def _state(*fields: tuple[str, Any]) -> type[ctypes.Structure]:
    return type("State", (ctypes.Structure,), {"_fields_": fields})


_FIELDS = tuple(native.State._fields_)
_WIDER = msgspec.defstruct("Record", [("voice", str | None, None)], bases=(Record,), kw_only=True)
_OPTIONAL_KIND = msgspec.defstruct("Record", [("kind", str | None, None)], bases=(Record,), kw_only=True)


@NEEDS_LIBRARY
@pytest.mark.parametrize(
    ("name", "value", "fact"),
    [
        ("COUNT_MAX", 10**12 - 1, "COUNT_MAX"),
        ("LINE_BYTES_MAX", 1 << 21, "LINE_BYTES_MAX"),
        ("ID_CHARACTERS_MAX", 127, "ID_CHARACTERS_MAX"),
        ("METADATA_DEPTH_MAX", 64, "METADATA_DEPTH_MAX"),
        ("LANGUAGES_MAX", 31, "LANGUAGES_MAX"),
        ("AHEAD_BYTES", 7, "AHEAD_BYTES"),
        ("ROW", _swapped(native.ROW, 2, 3), "row_t.audio_ms, row_t.credits"),
        ("ROW", np.dtype([*native.ROW.descr, ("more", "<i8")]), "row_t, row_t.more"),
        ("LANGUAGE", _swapped(native.LANGUAGE, 1, 2), "language_t.characters, language_t.lines"),
        ("HANDED_BACK", _swapped(native.HANDED_BACK, 1, 2), "handed_back_t.start, handed_back_t.stop"),
        ("TEXT", _swapped(native.TEXT, 0, 1), "text_t.size, text_t.start"),
        ("State", _state(*_FIELDS[:-2], _FIELDS[-1], _FIELDS[-2]), "state_t.run_action, state_t.source"),
        ("State", _state(*_FIELDS, ("more", ctypes.c_int64)), "state_t, state_t.more"),
        ("Record", _WIDER, "Record.voice"),
        ("Record", _OPTIONAL_KIND, "Record.kind"),
    ],
)
def test_a_library_that_differs_is_not_used(monkeypatch: pytest.MonkeyPatch, name: str, value: Any, fact: str) -> None:
    """A library whose limits, structures or keys differ from Python's is refused, and the reason named."""
    monkeypatch.setattr(native, name, value)
    with pytest.raises(native.LibraryError, match=rf"does not fit this package, see {fact}; build it: pip install"):
        native.load(native.PATH)


@NEEDS_LIBRARY
def test_an_outdated_library_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A library that was compiled from another `bulk.c` is refused, since its rules may differ."""
    source = tmp_path / "bulk.c"
    source.write_bytes(native.PATH.with_name("bulk.c").read_bytes() + b"\n")
    monkeypatch.setattr(native, "_SOURCE", source)
    with pytest.raises(native.LibraryError, match=r"does not fit this package, see bulk\.c; build it"):
        native.load(native.PATH)


@pytest.mark.parametrize("content", [None, b"", b"no library"])
def test_no_library(content: bytes | None, tmp_path: Path) -> None:
    """Without a library, or with a damaged one, the reason is named."""
    path = tmp_path / "libbulk.so"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(native.LibraryError, match=r"libbulk\.so.*; build it: pip install"):
        native.load(path)


def test_a_foreign_library() -> None:
    """A library that exports no facts is refused."""
    with pytest.raises(native.LibraryError, match="facts; build it: pip install"):
        native.load(Path(msgspec._core.__file__))  # noqa: SLF001 - any library that is there
