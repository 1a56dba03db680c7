"""Single lines with the outcome that the contract demands."""

from dataclasses import dataclass, field
from typing import Any

from tests.oracle import write_instant

HOUR_US = 3_600_000_000
LIMIT = 10**12
WORKSPACE = "0a0b0c0d-1111-4222-8333-444455556666"
USER = "99999999-aaaa-4bbb-8ccc-ddddeeeeffff"


@dataclass(frozen=True)
class BadLine:
    """A line that must be rejected with this reason and field. A `last` line ends its file without a newline."""

    label: str
    line: bytes
    reason: str
    field: str | None = None
    last: bool = False


@dataclass(frozen=True)
class GoodLine:
    """A line that must be accepted. `columns` holds some columns of its row."""

    label: str
    line: bytes
    columns: dict[str, Any] = field(default_factory=dict)


def make_plain_record(now_us: int) -> dict[str, Any]:
    """Return a good record from an hour ago with every field, in the order of the contract's table."""
    return {
        "id": "plain",
        "workspace_id": WORKSPACE,
        "timestamp": write_instant(now_us - HOUR_US),
        "recorded_at": write_instant(now_us - HOUR_US),
        "action": "workflow_run",
        "kind": "workflow_execution",
        "resource": {"type": "workflow", "id": "wf_1", "name": "Intro"},
        "user": {"id": USER, "name": "Ada"},
        "metadata": {"key": "value"},
        "ip": "203.0.113.9",
        "run": {"id": "run_1", "status": "completed"},
        "usage": {
            "credits": 10,
            "audio_ms": 2000,
            "languages": [{"locale": "en-us", "characters": 7, "lines": 2, "corrected": 1}],
        },
    }
