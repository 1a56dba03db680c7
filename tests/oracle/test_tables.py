"""Worked examples of the oracle's tables: every expected value was worked out by hand from the contract."""

import itertools
import json

import pytest

from tests.hostile import bad_lines, change, compress, deliver, good_lines, write_line
from tests.hostile.single_lines import USER, WORKSPACE
from tests.oracle import Amounts, Event, load, validate
from tests.support.plain_records import NOW_US, Record, load_records, make_record


def _validated(record: Record) -> Event:
    event = validate(write_line(record), last=False, run_start_us=NOW_US).event
    assert event is not None
    return event


def test_bad_lines_have_their_reason_and_field() -> None:
    """Every bad line of the catalogue is rejected with its expected reason and field."""
    wrong = []
    for bad in bad_lines(NOW_US):
        verdict = validate(bad.line, last=bad.last, run_start_us=NOW_US)
        if (verdict.event, verdict.reason, verdict.field) != (None, bad.reason, bad.field):
            wrong.append((bad.label, verdict))
    assert wrong == []


def test_lenient_lines_are_good() -> None:
    """Every lenient line of the catalogue is accepted and gives its expected columns."""
    wrong = []
    for good in good_lines(NOW_US):
        event = validate(good.line, last=False, run_start_us=NOW_US).event
        if event is None or any(getattr(event, name) != value for name, value in good.columns.items()):
            wrong.append(good.label)
    assert wrong == []


@pytest.mark.parametrize("line", [b"", b" ", b"\t \t", b"\r", b"  \r"])
@pytest.mark.parametrize("last", [False, True])
def test_white_space_is_blank(line: bytes, last: bool) -> None:
    """Lines of white space are blank, even at the end of a file."""
    assert validate(line, last=last, run_start_us=NOW_US).is_blank


def test_canonical_json_of_the_stored_columns() -> None:
    """Canonical JSON is compact UTF-8 with sorted keys, nulls, metadata as text, and merged, sorted languages."""
    languages = [{"locale": None, "lines": 1}, {"locale": "ko"}, {"locale": "DE", "characters": 2}, {"locale": "ko"}]
    record = make_record(ip=None, metadata={"ü": [1]}, usage={"credits": 3, "languages": languages})
    assert _validated(record).canonical().decode() == (
        '{"action":"workflow_run","audio_ms":0,"credits":3,"id":"plain","ip":null,"kind":"workflow_execution",'
        '"languages":[{"characters":2,"corrected":0,"lines":0,"locale":"de"},'
        '{"characters":0,"corrected":0,"lines":0,"locale":"ko"},'
        '{"characters":0,"corrected":0,"lines":1,"locale":null}],'
        '"metadata":"{\\"ü\\":[1]}","recorded_at":1794740400000000,"resource_id":"wf_1","resource_name":"Intro",'
        f'"resource_type":"workflow","run_id":"run_1","run_status":"completed","timestamp":1794740400000000,"user_id":"{USER}",'
        '"user_name":"Ada"}'
    )


PLAIN = make_record(action="voice_generated")
VERSIONS = [
    change(PLAIN, "recorded_at", "2026-11-15T10:59:59.999999Z"),
    change(PLAIN, "run", None),
    change(PLAIN, "run.status", "pending"),
    change(PLAIN, "run.status", "running"),
    change(PLAIN, "run.status", "paused"),
    change(PLAIN, "usage.credits", 9),
    change(PLAIN, "resource.name", "Intr"),
    PLAIN,
    change(PLAIN, "resource.name", None),  # `null` ranks above any text, because `n` sorts after the quotation mark
    change(PLAIN, "usage.credits", 100),
    change(PLAIN, "run.status", "failed"),
    change(PLAIN, "run.status", "cancelled"),
    change(change(PLAIN, "run", None), "recorded_at", "2026-11-15T11:00:00.000001Z"),
]


def test_versions_rank_in_order() -> None:
    """Versions rank by recorded_at, status, credits and bytes: of any two in the list, the later one is current."""
    for older, newer in itertools.combinations(VERSIONS, 2):
        for order in ([older, newer], [newer, older], [newer, older, newer]):
            assert load_records(order).events == [_validated(newer)], (older, newer)


def test_versions_share_workspace_utc_day_and_id() -> None:
    """A different workspace, UTC day or id makes a different event. A different hour of the day does not."""
    others = [
        change(PLAIN, "workspace_id", WORKSPACE.replace("0", "1")),
        change(PLAIN, "timestamp", "2026-11-16T00:00:00Z"),
        change(PLAIN, "timestamp", "2026-11-14T23:59:59.999999Z"),
        change(PLAIN, "id", "Plain"),
    ]
    same = [
        change(PLAIN, "timestamp", "2026-11-15T23:59:59.9999999Z"),
        change(PLAIN, "workspace_id", WORKSPACE.upper()),
    ]
    assert len(load_records([PLAIN, *others, *same]).events) == 5


def test_recorded_at_is_cut_before_it_is_compared() -> None:
    """Digits beyond microseconds do not make a version newer. The credits decide."""
    later = change(change(PLAIN, "recorded_at", "2026-11-15T11:00:00.0000009Z"), "usage.credits", 9)
    assert [event.credits for event in load_records([PLAIN, later]).events] == [10]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_every_line_is_accounted_for(suffix: str) -> None:
    """Every line is counted from 1 on. A BOM, carriage returns and the empty text after the last newline are not."""
    good = write_line(PLAIN)
    content = b"\xef\xbb\xbf" + good + b"\r\n" + b"\n" + good + b"\n" + b"{\r\n" + b"\xef\xbb\xbf\n" + b' {"id":'
    name = f"a{suffix}"
    oracle = load({name: compress(suffix, content), "b.jsonl": b"\n", "c.jsonl": b"", "d.jsonl": good}, NOW_US)
    assert {file: tuple(vars(counts).values()) for file, counts in oracle.accounting.items()} == {
        name: (6, 1, 1, 3, 1),
        "b.jsonl": (1, 0, 0, 0, 1),
        "c.jsonl": (0, 0, 0, 0, 0),
        "d.jsonl": (1, 0, 1, 0, 0),
    }
    assert [(bad.file, bad.line_number, bad.reason, bad.line) for bad in oracle.bad_lines] == [
        (name, 4, "invalid_json", b"{\r"),
        (name, 5, "invalid_json", b"\xef\xbb\xbf"),
        (name, 6, "truncated_line", b' {"id":'),
    ]


@pytest.mark.parametrize(
    ("credits_used", "characters", "expected"),
    [
        (10, {"a": 1, "b": 1, None: 1}, {"a": 4, "b": 3, None: 3}),
        (11, {None: 1, "b": 1, "a": 1}, {"a": 4, "b": 4, None: 3}),
        (10, {"a": 2, "b": 5}, {"a": 3, "b": 7}),  # 2.86 and 7.14
        (1, {"a": 1, "b": 3}, {"a": 0, "b": 1}),
        (1, {"b": 1, "a-b": 1, "a": 1}, {"a": 1, "a-b": 0, "b": 0}),
        (3, {"a": 0, "b": 2, "c": 2}, {"b": 2, "c": 1}),
        (5, {"a": 0, "b": 0}, {None: 5}),
        (5, {}, {None: 5}),
        (0, {"a": 1}, {"a": 0}),
        (10**12, {"a": 10**12, "b": 10**12, "c": 1}, {"a": 500_000_000_000, "b": 500_000_000_000, "c": 0}),
        (10**12 - 1, {"a": 10**12, "b": 10**12}, {"a": 500_000_000_000, "b": 499_999_999_999}),
    ],
)
def test_credits_are_shared_by_largest_remainder(
    credits_used: int, characters: dict[str | None, int], expected: dict[str | None, int]
) -> None:
    """Whole credits are allocated by characters: ties to the locale that sorts first, untagged last.

    Without characters, all credits are untagged.
    """
    languages = {locale: Amounts(count, 0, 0) for locale, count in characters.items()}
    event = Event(**{**vars(_validated(PLAIN)), "credits": credits_used, "languages": languages})
    assert event.share_credits() == expected


def test_hostile_delivery_is_order_free_and_adds_up() -> None:
    """The same seed gives the same delivery. The order of the files changes only which line is accepted."""
    delivery = deliver(7, NOW_US, events=200, files=4)
    assert delivery == deliver(7, NOW_US, events=200, files=4)
    oracle = load(dict(delivery.files), NOW_US)
    turned = load(dict(reversed(delivery.files)), NOW_US)
    assert {event.identity: event for event in oracle.events} == {event.identity: event for event in turned.events}
    for counts in oracle.accounting.values():
        assert counts.lines == counts.accepted + counts.duplicates + counts.rejected + counts.blank
    assert sum(counts.accepted for counts in oracle.accounting.values()) == len(oracle.events)
    workspace = delivery.cast.workspaces[0]
    user = delivery.cast.people[0].id
    for zone in ("Asia/Kathmandu", "Antarctica/Troll"):
        summary = oracle.summary(workspace, user, zone, "90d", "weekly", NOW_US, delivery.directory)
        languages = oracle.by_language(workspace, zone, "90d", None, NOW_US)
        total = languages["untagged_credits"] + sum(row["credits"] for row in languages["languages"])
        assert total == languages["total_credits"] == sum(day["credits"] for day in summary["daily"]) > 0
        json.dumps([summary, languages, oracle.activity(workspace, zone, "90d", NOW_US)])
