"""Restarts under the load of the published client, and what its caller notices: nothing."""

from typing import Any

from benchmarks.restarts import restart


def test_restarts(folder: Any, event: Any) -> None:
    """While the service restarts under load no call of the client fails."""
    folder.publish([event(folder.now, credits=1)])
    found = restart(folder.root, folder.token, times=2, clients=4, workers=2)
    assert found.exceptions == []
    assert found.answers > 100
    assert len(found.down_seconds) == 2
