"""Restarts under the load of the published client, and what its caller notices: nothing."""

from typing import Any

import pytest

from benchmarks import restarts
from benchmarks.restarts import MOST_SECONDS, restart


def test_restarts(folder: Any, event: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the service restarts under load no call of the client fails.

    On a machine so busy that the next service takes longer to start than the client has patience, calls may be refused;
    but none is broken off.
    """
    folder.publish([event(folder.now, credits=1)])
    monkeypatch.setattr(restarts, "_UP_SECONDS", 0.5)
    found = restart(folder.root, folder.token, times=2, clients=4, workers=2)
    slow = max(found.down_seconds) > MOST_SECONDS
    assert [error for error in found.exceptions if not (slow and "ConnectError" in error)] == []
    assert found.answers > 50
    assert len(found.down_seconds) == 2
