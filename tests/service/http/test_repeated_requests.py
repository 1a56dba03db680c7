"""Repeated requests: an earlier answer is never reused if the request now means another question."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.contract.formats import instant
from tests.support.clock import ManualClock
from tests.support.service_folder import OTHER_USER, USER, WORKSPACE

KATHMANDU = "timezone=Asia/Kathmandu"
REQUESTS = (
    ("summary", ""),
    ("summary", KATHMANDU),
    ("by-language", f"range=60d&{KATHMANDU}"),
    ("by-language", "activity_view=daily"),
    ("activity", f"limit=2&{KATHMANDU}"),
    ("activity", f"user_id={OTHER_USER}"),
    ("summary", "range=31d"),
    ("summary", f"include=comparison,pace&{KATHMANDU}"),
)
# Around two local midnights, a quarter-hour, and the end of a billing period that is not on one.
MOMENTS = [
    instant(text) + microseconds
    for text in ("2026-11-24T00:00:00Z", "2026-11-24T18:15:00Z", "2026-11-24T18:30:00Z", "2026-11-24T09:00:13.5Z")
    for microseconds in (-1, 0, 1)
]


@pytest.mark.parametrize("seed", range(4))
def test_as_a_fresh_service(folder: Any, event: Any, seed: int) -> None:
    """However clock, directory and tables change, a request gets the answer that a service just started gives."""
    rng = random.Random(seed)
    folder.member(WORKSPACE, OTHER_USER)
    folder.publish()
    clock = ManualClock()
    app = folder.app(monotonic=clock)

    def publish() -> None:
        folder.publish([event(moment, id=f"{moment}", credits=rng.randrange(9)) for moment in MOMENTS])

    changes: list[Callable[[], object]] = [
        publish,
        lambda: folder.account(USER, quota=rng.choice([None, 10, 1000]), period_anchor="2026-01-24T09:00:13.5Z"),
        lambda: folder.member(WORKSPACE, OTHER_USER, status=rng.choice(["active", "removed"])),
        lambda: setattr(folder, "now", rng.choice(MOMENTS)),
        lambda: setattr(folder, "now", rng.choice(MOMENTS)),
    ]
    for _ in range(40):
        rng.choice(changes)()
        clock.seconds += 1  # after which the service looks at the directory again
        started = folder.app()
        for name, query in rng.sample(REQUESTS, k=3):
            path = f"/api/v1/usage/{name}"
            ours, fresh = folder.ask(path, query, app), folder.ask(path, query, started)
            assert (ours.status, ours.headers.get("etag")) == (fresh.status, fresh.headers.get("etag"))
            assert ours.json().get("data") == fresh.json().get("data")
