"""A load takes the ids of forgotten users out of the events of others, whichever way the records come in."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.load.redaction import redact
from pipeline.storage.tombstones import Tombstone, Tombstones, append, hashed
from pipeline.validation.bulk import ROWS, batch
from pipeline.validation.records import Row
from pipeline.validation.validate import validate
from tests import oracle
from tests.oracle.forgetting import forget
from tests.support.command import done, published, usage
from tests.support.data_folder import NOW, DataFolder, record
from tests.support.forgetting import ADA, BOB, by
from tests.support.naming import METADATA, NIL

USERS = Tombstones(frozenset({hashed(ADA)}))


def line(metadata: str, **fields: Any) -> bytes:
    """Return a line with metadata as JSON text."""
    return json.dumps(by(BOB, "x", metadata=0, **fields)).replace('"metadata": 0', f'"metadata": {metadata}').encode()


def row_of(text: bytes) -> Row:
    """Return the row of a good line."""
    row = validate(text, DataFolder(Path()).now)
    assert isinstance(row, Row)
    return row


@pytest.mark.parametrize("what", METADATA)
def test_metadata(what: str) -> None:
    """Each spelling in a text or key becomes zeros of the same form; everything else stays; the oracle agrees."""
    written, stored, places = METADATA[what]
    rows = batch([row_of(line(written)), row_of(line("null")), row_of(line('{"b":"c"}'))], 0)
    found, count = redact(rows, USERS)
    assert (found["metadata"].to_pylist(), count) == ([stored, None, '{"b":"c"}'], places)
    assert found.drop_columns("metadata") == rows.drop_columns("metadata")
    assert redact(found, USERS) == (found, 0)
    event = oracle.validate(line(written), last=False, run_start_us=DataFolder(Path()).now).event
    assert event is not None
    expected, expected_places = forget(event, {ADA})
    assert expected is not None
    assert (expected.metadata, expected_places) == (stored, places)


@pytest.mark.parametrize("id_", [ADA, ADA.upper(), ADA.replace("-", ""), f"member_{ADA}"])
def test_resource(id_: str) -> None:
    """A resource's id that is theirs becomes null; its type and name, and other ids, stay."""
    resource = {"type": "member", "id": id_, "name": f"Ada, {ADA}"}
    rows = batch([row_of(line("null", resource=resource)), row_of(line("null"))], 0)
    found, count = redact(rows, USERS)
    assert (found["resource_id"].to_pylist(), count) == ([None, "v1"], 1)
    assert found.drop_columns("resource_id") == rows.drop_columns("resource_id")


def test_numbers_that_spell_an_id() -> None:
    """A number is no text: its digits stay, and the metadata stay JSON."""
    digits = "12345678123441238123123456789012"
    forgotten = Tombstones(frozenset({hashed("12345678-1234-4123-8123-123456789012")}))
    rows = batch([row_of(line(f'{{"a":{digits},"b":"{digits}"}}'))], 0)
    found, count = redact(rows, forgotten)
    assert (found["metadata"].to_pylist(), count) == ([f'{{"a":{digits},"b":"{"0" * 32}"}}'], 1)


def test_the_nil_id_is_no_place() -> None:
    """Somebody whose id is nothing but zeros is named by what stays, which is not counted again and again."""
    rows = batch([row_of(line(f'{{"a":"{NIL}"}}'))], 0)
    assert redact(rows, Tombstones(frozenset({hashed(NIL)}))) == (rows, 0)


def test_no_rows() -> None:
    """Nothing is found where there is nothing, or nobody is forgotten."""
    rows = ROWS.empty_table()
    assert redact(rows, USERS) == (rows, 0)
    assert redact(batch([row_of(line(f'{{"a":"{ADA}"}}'))], 0), Tombstones())[1] == 0


def test_forgotten_one_after_the_other() -> None:
    """Whoever is forgotten first, the metadata end up the same, keys that become equal too."""
    people = [f"{digit}0000000-0000-4000-8000-000000000001" for digit in "abc"]
    written = f'{{"{people[0]}":1,"x":"{people[1]}","{people[1]}":2,"y":0,"{people[2]}":"{people[0]}"}}'
    rows = batch([row_of(line(written))], 0)
    at_once, _ = redact(rows, Tombstones(frozenset(map(hashed, people))))
    for order in itertools.permutations(people):
        found = rows
        for person in order:
            found, _ = redact(found, Tombstones(frozenset({hashed(person)})))
        assert found == at_once


NAMING = [
    by(BOB, "names", metadata={"invited": ADA}, resource={"type": "member", "id": ADA, "name": "Ada"}),
    record("of nobody", metadata={"who": {ADA.upper(): True}}),
    by(ADA, "hers", metadata={"own": ADA}),
    by(BOB, "early", timestamp="2026-11-25T13:00:00Z", metadata={"invited": "somebody"}),
]
LATER = by(BOB, "names", recorded_at="2026-11-24T11:00:00Z", metadata={"again": ADA})


def expect(folder: DataFolder, ids: set[str]) -> None:
    """Demand that the tables hold these events and name nobody who is forgotten."""
    rows = published(folder)["events"]
    assert {row["id"] for row in rows} == ids
    assert ADA not in json.dumps(rows, default=str).lower()


def test_every_way_in(folder: DataFolder) -> None:
    """Loads, deliveries that come again, newer versions, retries and rebuilds keep the id out alike."""
    append(folder.root, Tombstone("user", NOW, sha256=hashed(ADA)))
    folder.drop("a.jsonl", NAMING)
    folder.run()
    expect(folder, {"names", "of nobody"})
    before = published(folder)
    folder.drop("again.jsonl", NAMING[:2])
    report = folder.run()
    assert (report.accepted, report.duplicates, report.partitions) == (0, 2, 0)
    assert published(folder) == before
    folder.drop("later.jsonl", [LATER])
    folder.run()
    expect(folder, {"names", "of nobody"})
    done(usage(folder, "quarantine", "--retry", now="2026-11-24T13:00:00Z"))
    expect(folder, {"names", "of nobody", "early"})
    for options in (("--since", "2026-11"), ()):
        before = published(folder)
        done(usage(folder, "--rebuild", *options, now="2026-11-24T13:00:00Z"))
        assert published(folder) == before


def test_versions_are_compared_without_the_id(folder: DataFolder) -> None:
    """Versions that differ in nothing but the id of the forgotten tie: what stays does not depend on the order."""
    versions = [by(BOB, "x", metadata={"a": text}) for text in (ADA, "5", NIL)]
    append(folder.root, Tombstone("user", NOW, sha256=hashed(ADA)))
    for number, version in enumerate(versions):
        folder.drop(f"{number}.jsonl", [version])
        folder.run()
    assert folder.events()["metadata"].to_list() == ['{"a":"5"}']
