"""A folder of hand-made tables, the same tables as objects, and a service that reads them."""

from typing import Any, Final

import pytest

from tests.support.clock import ManualClock

SUMMARY: Final = "/api/v1/usage/summary"
ACTIVITY: Final = "/api/v1/usage/activity"


class Site:
    """A folder of hand-made tables, the same tables as objects, and a service that reads them."""

    def __init__(self, folder: Any, tables: Any, replica: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.tables, self.replica = folder, tables, replica
        self.clock = ManualClock()
        self.app = replica.app(folder.now, self.clock, monkeypatch)

    def ask(self, path: str = SUMMARY, query: str = "") -> Any:
        """Ask the service."""
        return self.folder.ask(path, query, self.app)

    def credits(self) -> int:
        """Return the credits of the last 30 days."""
        reply = self.ask()
        assert reply.status == 200, reply.body
        return sum(day["credits"] for day in reply.json()["data"]["daily"])
