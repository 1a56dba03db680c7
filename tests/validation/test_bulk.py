"""The bulk validator approves only lines that the validator approves, with the same rows, whatever is around them."""

import random
from collections.abc import Iterator, Sequence

import pytest

from pipeline.contract.formats import instant
from pipeline.load.job import Limits
from pipeline.validation.bulk import BulkValidator
from pipeline.validation.records import LINE_BYTES_MAX, Row
from pipeline.validation.validate import validate
from tests.hostile import bad_lines, deliver, good_lines
from tests.support.bulk_corpus import BAD, FULL, GOOD, LEFT, SHORT, SLOW, SOURCE, approve, approved
from tests.support.data_folder import NOW, DataFolder
from tests.support.lines import LATEST, line, nested, spliced


def dealt(block: Sequence[bytes], rng: random.Random) -> Iterator[list[bytes]]:
    """Yield all lines in another order, in blocks of one to forty."""
    left = rng.sample(block, len(block))
    while left:
        size = rng.randrange(1, 41)
        yield left[:size]
        left = left[size:]


def test_catalogue_line_by_line() -> None:
    """No line of the catalogue is approved that the judge rejects, and hardly a good one is left to the judge."""
    for bad in bad_lines(instant(NOW)):
        approved([bad.line])
        if not bad.last:
            assert approve([bad.line])[1] == [0], bad.label
    left = {good.label for good in good_lines(instant(NOW)) if not approved([good.line])}
    assert left == SLOW


@pytest.mark.parametrize("seed", range(2))
def test_catalogue_in_blocks(seed: int) -> None:
    """Whatever the lines around it, a good line is approved with the same row, and a bad one is not."""
    good = [item.line for item in good_lines(instant(NOW)) if item.label not in SLOW]
    bad = [item.line for item in bad_lines(instant(NOW)) if len(item.line) < LINE_BYTES_MAX and not item.last]
    rng = random.Random(seed)
    for block in dealt([*good * 3, *bad, b"", b"\r", b" "], rng):
        assert [block[index] for index in approved(block)] == [text for text in block if text in good]


def test_deliveries() -> None:
    """Ordinary and awkward records, edges of days, competing versions and torn lines, as producers write them."""
    delivery = deliver(11, instant(NOW), events=200, files=4)
    lines_of = [text for name, content in delivery.files if name.endswith(".jsonl") for text in content.split(b"\n")]
    found = [len(approved(lines_of[start : start + 500])) for start in range(0, len(lines_of), 500)]
    assert sum(found) > len(lines_of) // 2


@pytest.mark.parametrize("name", [*GOOD, *LEFT, *BAD])
def test_neighbours(name: str) -> None:
    """A verdict never depends on the neighbours: alone, before, behind and between lines that need a closer look."""
    subject = (GOOD | LEFT | BAD)[name]
    around = [text for other, text in (GOOD | LEFT | BAD).items() if other != name and "1 MiB" not in other]
    expected = name in GOOD
    assert bool(approved([subject])) is expected
    assert (0 in approved([subject, *around])) is expected
    assert (len(around) in approved([*around, subject])) is expected
    for other in around:
        assert (1 in approved([other, subject, other])) is expected


def test_halves_of_a_character() -> None:
    """Two lines that are UTF-8 only one after the other are both bad."""
    halves = [BAD["half a character at the end"], BAD["the other half"]]
    assert approved([line(), *halves, line()]) == [0, 3]


@pytest.mark.parametrize("depth", [127, 128, 129, 200])
def test_depth(depth: int) -> None:
    """How deep metadata is nested is told alike by both, also where a repeated key hides the deepest value."""
    for text in ('{"a":' + nested(depth) + "}", '{"a":' + nested(depth) + ',"a":1}'):
        approved([spliced("metadata", text), line()])


@pytest.mark.parametrize("sign", ["", "-"])
def test_long_integers(sign: str) -> None:
    """Metadata keeps the text of its numbers, however many digits an integer has; no line stops the judge."""
    text = '{"a":' + sign + "9" * 5000 + "}"
    found = validate(spliced("metadata", text), LATEST)
    assert isinstance(found, Row)
    assert found.metadata == text


def test_more_than_there_is_room_for() -> None:
    """A block without room is left to the judge, line by line, and so is a line of very many languages."""
    approval = BulkValidator(LATEST, 2 * len(FULL))
    content = (FULL + b"\n") * 2
    assert approval.add(content, SOURCE) == (2, [(0, FULL), (1, FULL)])
    assert approval.add(FULL + b"\n", SOURCE) == (1, [])
    assert not approval.has_room(FULL)
    approval.clear()
    assert approval.has_room(FULL)
    many = line(usage={"languages": [{"locale": f"de-x{number:02}"} for number in range(33)]})
    assert approved([many]) == []
    assert isinstance(validate(many, LATEST), Row)


def test_blocks_through_the_pipeline(folder: DataFolder) -> None:
    """However many lines are judged at once, the tables and the quarantine are the same."""
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


def test_a_block_whose_last_line_does_not_end_is_refused() -> None:
    """Its end is looked for in memory, where there would be none."""
    approval = BulkValidator(LATEST, 1_000)
    with pytest.raises(ValueError, match="newline"):
        approval.add(b"{}\n{}", SOURCE)
    assert len(approval) == 0
