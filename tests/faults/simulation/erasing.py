"""What the model erases: tombstones, and the events and rejected lines that they cover."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from tests.oracle import Event
from tests.oracle.forgetting import forget, names
from tests.oracle.instants import from_datetime, to_datetime


class Rejected(NamedTuple):
    """A line in quarantine."""

    line_number: int
    reason: str
    field: str | None
    line: bytes
    loaded_at: int


@dataclass(frozen=True)
class Tombstones:
    """Who is forgotten, and the first UTC day that is kept."""

    users: frozenset[str] = frozenset()
    workspaces: frozenset[str] = frozenset()
    floor: str = ""

    def kept(self, event: Event) -> Event | None:
        """Return what may be stored of an event."""
        if event.workspace_id in self.workspaces or day_of(event.timestamp) < self.floor:
            return None
        return forget(event, self.users)[0]

    def erase(self, rejected: Rejected) -> bool:
        """Return whether a rejected line may not be stored."""
        return day_of(rejected.loaded_at) < self.floor or self.name(rejected.line)

    def rejected_at(self, now: int) -> int:
        """Return when a line that is rejected now counts as rejected: not before the floor, else it were gone."""
        return max(now, from_datetime(datetime.fromisoformat(f"{self.floor}T00:00:00Z"))) if self.floor else now

    def name(self, line: bytes) -> bool:
        """Return whether a rejected line names somebody who is forgotten."""
        return names(line, self.users | self.workspaces)


def day_of(instant_us: int) -> str:
    """Return the UTC day of an instant."""
    return to_datetime(instant_us).date().isoformat()
