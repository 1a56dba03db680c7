"""Values of every type have one text, in every format, nested or not."""

import pytest

from tests.support.asking import open_folder, rows
from tests.support.data_folder import DataFolder

INSTANTS = [
    ("timestamp 'infinity'", "infinity"),
    ("timestamp '-infinity'", "-infinity"),
    ("timestamptz 'infinity'", "infinity"),
    ("'infinity'::timestamp_s", "infinity"),
    ("'-infinity'::timestamp_ms", "-infinity"),
    ("'infinity'::timestamp_ns", "infinity"),
    ("date 'infinity'", "infinity"),
    ("date '-infinity'", "-infinity"),
    ("timestamp '294000-01-01 00:00:01'", "294000-01-01T00:00:01Z"),
    ("timestamp '12345-06-07 00:00:00.5'", "12345-06-07T00:00:00.5Z"),
    ("timestamp '44-03-15 (BC) 12:00:00'", "-0043-03-15T12:00:00Z"),
    ("date '5000000-02-29'", "5000000-02-29"),
    ("date '1-01-01 (BC)'", "0000-01-01"),
    ("date '1970-01-01'", "1970-01-01"),
    ("timestamp '2026-11-24 12:00:00.250000'", "2026-11-24T12:00:00.25Z"),
    ("timestamp '2026-11-24 12:00:10'", "2026-11-24T12:00:10Z"),
    ("timestamp_ns '2026-11-24 12:00:00.123456789'", "2026-11-24T12:00:00.123456789Z"),
    ("timestamp_s '2026-11-24 12:00:00'", "2026-11-24T12:00:00Z"),
    ("time '24:00:00'", "24:00:00"),
    ("time '12:00:00.5'", "12:00:00.5"),
    ("timetz '12:00:00+05:45'", "12:00:00+05:45"),
    ("interval '1 month 2 days 3 us'", "P1M2DT0.000003S"),
    ("'101'::bit", "101"),
    ("340282366920938463463374607431768211455::uhugeint", "340282366920938463463374607431768211455"),
    ("170141183460469231731687303715884105727::hugeint", 170141183460469231731687303715884105727),
    ("'a'::enum('a', 'b')", "a"),
    ("null::timestamp", None),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, object]]:
    """Return what each expression is, as a column of its own and in a list."""
    with open_folder(tmp_path_factory.mktemp("values"), None) as session:
        (plain,) = rows(session, "select " + ", ".join(text for text, _ in INSTANTS))
        (listed,) = rows(session, "select " + ", ".join(f"[{text}]" for text, _ in INSTANTS))
    return list(zip(plain, listed, strict=True))


@pytest.mark.parametrize("number", range(len(INSTANTS)), ids=[text for text, _ in INSTANTS])
def test_a_value(found: list[tuple[object, object]], number: int) -> None:
    """Infinity has a name, years are not cut, and no type loses a part of its value."""
    text, expected = INSTANTS[number]
    plain, listed = found[number]
    assert plain == expected
    if not any(name in text for name in ("timetz", "bit", "uhugeint")):  # Arrow lacks these, DuckDB writes them
        assert listed == [expected]


def test_nested(folder: DataFolder) -> None:
    """Lists, structs, maps, arrays and unions hold the same values, null where they are null."""
    asked = """
        select
          [timestamp 'infinity', null], [1, 2]::int[2], {'a': date 'infinity', 'b': null}, map {date 'infinity': [1]},
          union_value(a := timestamp '-infinity'), [[{'a': time '24:00:00'}], null, []]
        union all
        select null, null, null, null, null, null"""
    with open_folder(folder.root, None) as session:
        full, empty = rows(session, asked)
    assert full == (
        *(["infinity", None], [1, 2], {"a": "infinity", "b": None}, {"infinity": [1]}),
        *("-infinity", [[{"a": "24:00:00"}], None, []]),
    )
    assert empty == (None,) * 6


def test_mixed_batches(folder: DataFolder) -> None:
    """Ordinary instants are the same, alone or beside infinity."""
    moments = "select timestamp '2026-01-01' + to_microseconds(i * 123456) from range(50) r(i)"
    with open_folder(folder.root, None) as session:
        alone = rows(session, moments)
        beside = rows(session, f"{moments} union all select timestamp 'infinity'")
    assert beside == [*alone, ("infinity",)]
