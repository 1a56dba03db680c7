"""The native validator approves only lines that `validate` approves, with the same rows; the plain one, none."""

import random
from collections.abc import Iterator, Sequence
from functools import partial

import pytest

from pipeline.contract.formats import instant
from pipeline.load import shuffle
from pipeline.load.job import Limits
from pipeline.validation import native
from pipeline.validation.bulk import ROWS, PlainValidator, new_validator
from pipeline.validation.native import Library
from pipeline.validation.records import LINE_BYTES_MAX, Row
from pipeline.validation.validate import validate
from tests.hostile import bad_lines, deliver, good_lines
from tests.support.bulk_corpus import (
    BAD,
    FULL,
    GOOD,
    HANDED_BACK,
    HANDED_BACK_LABELS,
    NEEDS_LIBRARY,
    SHORT,
    SOURCE,
    approve,
    approved,
)
from tests.support.data_folder import NOW, DataFolder
from tests.support.lines import LATEST, line, nested, spliced

LINES = GOOD | HANDED_BACK | BAD


def shuffled_blocks(block: Sequence[bytes], rng: random.Random) -> Iterator[list[bytes]]:
    """Yield all lines in random order, in blocks of one to forty."""
    left = rng.sample(block, len(block))
    while left:
        size = rng.randrange(1, 41)
        yield left[:size]
        left = left[size:]


@NEEDS_LIBRARY
def test_catalogue_line_by_line() -> None:
    """No bad line of the catalogue is approved, and only a few known good lines are handed back."""
    for bad in bad_lines(instant(NOW)):
        approved([bad.line])
        if not bad.last:
            assert approve([bad.line])[1] == [0], bad.label
    handed_back = {good.label for good in good_lines(instant(NOW)) if not approved([good.line])}
    assert handed_back == HANDED_BACK_LABELS


@NEEDS_LIBRARY
@pytest.mark.parametrize("seed", range(2))
def test_catalogue_in_blocks(seed: int) -> None:
    """A good line is approved with the same row, and a bad line is not, whatever the lines around them."""
    good = [item.line for item in good_lines(instant(NOW)) if item.label not in HANDED_BACK_LABELS]
    bad = [item.line for item in bad_lines(instant(NOW)) if len(item.line) < LINE_BYTES_MAX and not item.last]
    rng = random.Random(seed)
    for block in shuffled_blocks([*good * 3, *bad, b"", b"\r", b" "], rng):
        assert [block[number] for number in approved(block)] == [text for text in block if text in good]


@NEEDS_LIBRARY
def test_deliveries() -> None:
    """Realistic deliveries: ordinary and awkward records, edges of days, competing versions and torn lines."""
    delivery = deliver(11, instant(NOW), events=200, files=4)
    lines_of = [text for name, content in delivery.files if name.endswith(".jsonl") for text in content.split(b"\n")]
    found = [len(approved(lines_of[start : start + 500])) for start in range(0, len(lines_of), 500)]
    assert sum(found) > len(lines_of) // 2


@NEEDS_LIBRARY
@pytest.mark.parametrize("name", LINES)
def test_neighbours(name: str) -> None:
    """The result of a line never depends on its neighbours: alone, before, after or between awkward lines."""
    subject = LINES[name]
    around = [text for other, text in LINES.items() if other != name and "1 MiB" not in other]
    expected = name in GOOD
    assert bool(approved([subject])) is expected
    assert (0 in approved([subject, *around])) is expected
    assert (len(around) in approved([*around, subject])) is expected
    names = sorted(LINES, key=lambda name: "1 MiB" not in name)
    for other in names[names.index(name) + 1 :]:
        if "1 MiB" not in other:
            found = approved([LINES[other], subject, LINES[other], subject])
            assert (1 in found) is expected
            assert (2 in found) is (other in GOOD)


@pytest.mark.parametrize("name", HANDED_BACK)
def test_good_lines_that_are_handed_back(name: str) -> None:
    """A good line that would need much code in C is handed back, and approved by `validate`."""
    assert isinstance(validate(HANDED_BACK[name], LATEST), Row)


@NEEDS_LIBRARY
def test_halves_of_a_character() -> None:
    """Two lines that are valid UTF-8 only when joined are both bad."""
    halves = [BAD["half a character at the end"], BAD["the other half"]]
    assert approved([line(), *halves, line()]) == [0, 3]


@pytest.mark.parametrize("depth", [127, 128, 129, 200])
def test_depth(depth: int) -> None:
    """The depth of metadata is counted as `validate` counts it, also if a repeated key hides the deepest value."""
    for text in ('{"a":' + nested(depth) + "}", '{"a":' + nested(depth) + ',"a":1}'):
        approved([spliced("metadata", text), line()])


@NEEDS_LIBRARY
def test_a_block_that_does_not_fit() -> None:
    """If a block does not fit into the remaining room, all of its lines are handed back."""
    validator = new_validator(LATEST, 2 * len(FULL))
    content = (FULL + b"\n") * 2
    assert validator.add(content, SOURCE) == (2, [(0, FULL), (1, FULL)])
    assert validator.add(FULL + b"\n", SOURCE) == (1, [])
    assert not validator.has_room(FULL)
    validator.clear()
    assert validator.has_room(FULL)


def test_blocks_through_the_pipeline(folder: DataFolder) -> None:
    """The size of the blocks does not change the tables or the quarantine."""
    rng = random.Random(3)
    block = rng.sample([text for text in SHORT if text.strip()], 45)
    content = b"\n".join(text.replace(b'"e1"', b'"e%d"' % number) for number, text in enumerate(block))
    folder.drop("a.jsonl", content)
    folder.run()
    small = DataFolder(folder.root.parent / "small")
    small.drop("a.jsonl", content)
    small.limits = Limits(chunk_bytes=700)
    small.run()
    assert small.events().equals(folder.events())
    assert small.cube().equals(folder.cube())
    assert small.actors().equals(folder.actors())
    assert small.quarantine() == folder.quarantine()
    assert len(folder.quarantine()) > 15


@pytest.mark.parametrize("library", [None, native.LIBRARY])
def test_a_block_without_a_final_newline_is_refused(library: Library | None) -> None:
    """A block must end with a newline, because the library searches for the end of each line in memory."""
    validator = new_validator(LATEST, 1_000, library)
    with pytest.raises(ValueError, match="newline"):
        validator.add(b"{}\n{}", SOURCE)
    assert len(validator) == 0


def test_the_plain_validator_hands_back_every_line() -> None:
    """Without a library no line is approved; all lines are handed back."""
    rows, handed_back = approve(list(LINES.values()), None)
    assert (rows.num_rows, rows.schema) == (0, ROWS)
    assert handed_back == list(range(len(LINES)))
    validator = new_validator(LATEST, 0, None)
    assert isinstance(validator, PlainValidator)
    assert (len(validator), len(validator["timestamp"]), validator.has_room(FULL)) == (0, 0, True)


@NEEDS_LIBRARY
def test_the_same_tables_without_the_library(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a library a run gives the same numbers, tables and quarantine."""
    delivery = deliver(12, folder.now, events=300, files=6, edges=10)
    plain = DataFolder(folder.root.parent / "plain")
    for name, content in delivery.files:
        folder.drop(name, content)
        plain.drop(name, content)
    report = folder.run()
    monkeypatch.setattr(shuffle, "new_validator", partial(new_validator, library=None))
    plain_report = plain.run()
    counts = ("lines", "accepted", "duplicates", "rejected", "blank", "reasons")
    assert [getattr(plain_report, name) for name in counts] == [getattr(report, name) for name in counts]
    assert plain.tables() == folder.tables()
    assert plain.quarantine() == folder.quarantine()
    assert report.accepted > 300
    assert report.rejected > 100
