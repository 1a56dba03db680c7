"""The tables depend only on the set of records, not on their order, files or repetitions."""

import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.data_folder import WORKSPACE, DataFolder

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
# Every workspace gets enough records for a case of its own, so that one run tries several cases.
MORE = [f"{number:08x}-0000-4000-8000-000000000002" for number in range(5)]
EVENT = st.fixed_dictionaries(
    {
        "id": st.sampled_from("abc"),
        "workspace_id": st.sampled_from([WORKSPACE, WORKSPACE.upper(), OTHER, *MORE]),
        "timestamp": st.sampled_from(
            ["2026-10-31T23:59:59.999999Z", "2026-11-01T00:00:00Z", "2026-11-01T05:45:00+05:45", "2026-11-01T00:07:00Z"]
        ),
        "recorded_at": st.sampled_from([None, "2026-11-02T00:00:00Z"]),
        "action": st.sampled_from(["voice_generated", "workflow_run"]),
        "kind": st.sampled_from(["k", "l"]),
        "resource": st.just({"type": "voice"}),
        "metadata": st.sampled_from([None, {}, {"a": 1}, {"a": [1, 2]}]),
        "run": st.fixed_dictionaries({"id": st.just("r"), "status": st.sampled_from(["pending", "failed"])}),
        "usage": st.fixed_dictionaries(
            {
                "credits": st.integers(0, 3),
                "languages": st.lists(
                    st.fixed_dictionaries(
                        {"locale": st.sampled_from(["de", "fr", None]), "characters": st.integers(0, 2)}
                    ),
                    max_size=3,
                ),
            }
        ),
    }
)


@settings(max_examples=8)
@given(
    st.lists(EVENT, min_size=1, max_size=12) | st.lists(EVENT, min_size=30, max_size=60),
    st.randoms(use_true_random=False),
    st.integers(1, 3),
)
def test_tables_depend_on_the_set_of_records_alone(
    records: list[dict[str, Any]], shuffle: random.Random, batches: int
) -> None:
    """The records give the same tables in any order, in any files and batches, and however often they are repeated."""
    with tempfile.TemporaryDirectory() as folder:
        once, often = DataFolder(Path(folder, "once")), DataFolder(Path(folder, "often"))
        once.drop("all.jsonl", records)
        once.run()
        again = records + shuffle.choices(records, k=len(records))
        shuffle.shuffle(again)
        for batch in range(batches):
            for part in range(2):
                often.drop(f"{batch}-{part}.jsonl", again[batch * 2 + part :: batches * 2])
            often.run()
        assert often.tables() == once.tables()
