"""The cube and the actors count credits by language, runs by status, audio of finished runs, and users."""

import tempfile
from collections import Counter
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract.tables import MEASURES, STATUSES
from tests.support.data_folder import DataFolder, record

LARGEST = 10**12


def used(credits: int, *languages: tuple[str | None, int]) -> dict[str, Any]:  # noqa: A002 - the field's name
    """Return the usage of an event."""
    return {"credits": credits, "languages": [{"locale": locale, "characters": many} for locale, many in languages]}


def shares(usage: dict[str, Any]) -> dict[str | None, int]:
    """Allocate credits by definition: whole shares, then one more each by remainder; ties by locale, untagged last."""
    characters: Counter[str | None] = Counter()
    for language in usage["languages"]:
        characters[language["locale"]] += language["characters"]
    total = sum(characters.values())
    if not total:
        return {None: usage["credits"]}
    exact = {locale: Fraction(usage["credits"] * many, total) for locale, many in characters.items()}
    found = {locale: int(share) for locale, share in exact.items()}
    by_remainder = sorted(
        exact, key=lambda locale: (-(exact[locale] - int(exact[locale])), locale is None, locale or "")
    )
    for locale in by_remainder[: usage["credits"] - sum(found.values())]:
        found[locale] += 1
    return found


def allocated(cube: pl.DataFrame) -> dict[str | None, int]:
    """Return a cube's credits by locale, without locales that have no credits."""
    sums: Counter[str | None] = Counter()
    for locale, many in cube.select("locale", "credits").iter_rows():
        sums[locale] += many
    return {locale: many for locale, many in sums.items() if many}


def workspace(number: int) -> str:
    """Return the id of a workspace, so that each case has its own, and one run tries them all."""
    return f"{number:08x}-0000-4000-8000-000000000003"


def cube_of(folder: DataFolder, number: int) -> pl.DataFrame:
    """Return the cube of a case."""
    return folder.cube().filter(pl.col("workspace_id") == workspace(number))


ALLOCATED: list[tuple[dict[str, Any], dict[str | None, int]]] = [
    (used(10, ("de", 1), ("fr", 1), ("en", 1)), {"de": 4, "en": 3, "fr": 3}),
    (used(11, ("de", 1), ("fr", 1), ("en", 1)), {"de": 4, "en": 4, "fr": 3}),
    (used(1, (None, 1), ("zu", 1)), {"zu": 1}),
    (used(5, (None, 3), ("de", 0)), {None: 5}),
    (used(5, ("de", 0)), {None: 5}),
    (used(5), {None: 5}),
    (used(0, ("de", 7)), {}),
    (used(1, ("de", 1), ("fr", 2)), {"fr": 1}),
    (used(LARGEST, ("de", LARGEST), ("fr", LARGEST - 1)), {"de": LARGEST // 2, "fr": LARGEST // 2}),
]


def test_largest_remainder(folder: DataFolder) -> None:
    """Languages share whole credits by characters. Ties go to the locale that sorts first, untagged last."""
    rows = [record(usage=usage, workspace_id=workspace(number)) for number, (usage, _) in enumerate(ALLOCATED)]
    folder.drop("a.jsonl", rows)
    folder.run()
    for number, (usage, expected) in enumerate(ALLOCATED):
        assert allocated(cube_of(folder, number)) == expected, usage


USAGE = st.builds(
    lambda credits_, languages: used(credits_, *languages),
    st.integers(0, 20) | st.integers(0, LARGEST),
    st.lists(
        st.tuples(
            st.sampled_from(["de", "en-us", "fr", "zh-hant-tw", None]), st.integers(0, 5) | st.integers(0, LARGEST)
        ),
        max_size=6,
    ),
)


# Few examples with long lists, because each example takes a run.
@settings(max_examples=6)
@given(st.lists(USAGE, min_size=1, max_size=5) | st.lists(USAGE, min_size=40, max_size=80))
def test_allocation_is_exact(usages: list[dict[str, Any]]) -> None:
    """The credits of an event's languages, untagged included, follow the definition and add up to its credits."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = DataFolder(Path(temporary))
        # Every event has its own quarter-hour, and so its own rows of the cube.
        folder.drop(
            "a.jsonl",
            [
                record(f"e{k}", timestamp=f"2026-11-{k // 20 + 1:02}T{k % 20:02}:00:00Z", usage=usage)
                for k, usage in enumerate(usages)
            ],
        )
        folder.run()
        found: dict[tuple[int, str | None], int] = {}
        for quarter, locale, many in folder.cube().select("quarter", "locale", "credits").iter_rows():
            found[(quarter.day - 1) * 20 + quarter.hour, locale] = many
        for k, usage in enumerate(usages):
            expected = {locale: many for locale, many in shares(usage).items() if many}
            assert {locale: many for (event, locale), many in found.items() if event == k and many} == expected


def test_measures(folder: DataFolder) -> None:
    """The row of a locale counts characters, lines and corrected. The row without a locale counts runs and audio."""
    usage = {
        "credits": 9,
        "audio_ms": 700,
        "languages": [{"locale": "de", "characters": 3, "lines": 2, "corrected": 1}, {"locale": None, "lines": 5}],
    }
    run = {"id": "r", "status": "completed"}
    folder.drop(
        "a.jsonl",
        [record("a", action="workflow_run", run=run, usage=usage), record("b", usage=usage), record("c")],
    )
    folder.run()
    rows = [{key: value for key, value in row.items() if value} for row in folder.cube().to_dicts()]
    where = {"workspace_id": rows[0]["workspace_id"], "month": "2026-11", "quarter": rows[0]["quarter"]}
    assert rows == [
        {**where, "lines": 10, "audio_ms": 1400, "runs_completed": 1},
        {**where, "locale": "de", "credits": 18, "characters": 6, "lines": 4, "corrected": 2},
    ]


def test_runs_and_audio(folder: DataFolder) -> None:
    """Only a workflow_run counts as a run, under its status. Audio counts once its run has ended."""
    cases = list(product(STATUSES, ["workflow_run", "voice_generated"]))
    rows = [
        record(action=action, run={"id": "r", "status": status}, usage={"audio_ms": 5}, workspace_id=workspace(number))
        for number, (status, action) in enumerate(cases)
    ]
    folder.drop("a.jsonl", rows)
    folder.run()
    for number, (status, action) in enumerate(cases):
        ended = status in {"completed", "failed", "cancelled"}
        found = {name: total for name in MEASURES if (total := cube_of(folder, number)[name].sum())}
        expected = {"audio_ms": 5} if ended else {}
        if action == "workflow_run":
            expected[f"runs_{status}"] = 1
        assert found == expected, (status, action)


def test_run_changes_status(folder: DataFolder) -> None:
    """A newer version moves a run from one status to the next, and its audio counts once it has ended."""
    run: dict[str, Any] = {"action": "workflow_run", "usage": {"audio_ms": 5}}
    folder.drop("a.jsonl", [record(run={"id": "r", "status": "running"}, **run)])
    folder.run()
    folder.drop("b.jsonl", [record(run={"id": "r", "status": "failed"}, recorded_at="2026-11-24T11:00:00Z", **run)])
    folder.run()
    sums = {name: folder.cube()[name].sum() for name in ("audio_ms", "runs_running", "runs_failed")}
    assert sums == {"audio_ms": 5, "runs_running": 0, "runs_failed": 1}


def test_largest_records(folder: DataFolder) -> None:
    """The largest valid records load, and their sums are exact."""
    languages = [{"locale": f"l{k:c}", "characters": LARGEST, "lines": LARGEST} for k in range(97, 107)]
    folder.drop("a.jsonl", [record(f"e{k}", usage={"credits": LARGEST, "languages": languages}) for k in range(1000)])
    folder.run()
    assert folder.cube()["credits"].sum() == 1000 * LARGEST
    assert folder.cube()["characters"].sum() == 10_000 * LARGEST


def test_actors(folder: DataFolder) -> None:
    """The actors have one row for each user, action and UTC day. System events have no user."""
    ada = {"id": "00000000-0000-4000-8000-00000000000a", "name": "Ada"}
    folder.drop(
        "a.jsonl",
        [
            record("a", user=ada, usage={"credits": 2}),
            record("b", user={**ada, "name": "Ada L."}, usage={"credits": 3}),
            record("c", user=ada, timestamp="2026-11-23T10:00:00Z"),
            record("d", user=ada, action="settings_changed"),
            record("e", usage={"credits": 1}),
        ],
    )
    folder.run()
    columns = ["user_id", "action", "day", "events", "credits"]
    found = [(user, action, str(day), many, sum_) for user, action, day, many, sum_ in folder.actors()[columns].rows()]
    assert sorted(found, key=str) == [
        (ada["id"], "settings_changed", "2026-11-24", 1, 0),
        (ada["id"], "voice_generated", "2026-11-23", 1, 0),
        (ada["id"], "voice_generated", "2026-11-24", 2, 5),
        (None, "voice_generated", "2026-11-24", 1, 1),
    ]
