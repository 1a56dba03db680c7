"""The raw lines of the simulation: few ids, workspaces, users and days, so that versions meet; and bad lines."""

import gzip
import json
from typing import Any, Final

import pyarrow as pa
from hypothesis import strategies as st

NOW: Final = "2026-11-24T12:00:00Z"
WORKSPACES: Final = ("a0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000002")
ADA, BOB, EVE = (f"{letter}0000000-0000-4000-8000-00000000000{letter}" for letter in "cde")
USERS: Final = (ADA, BOB, EVE)
MOMENTS: Final = (
    "2026-11-24T11:59:59.999999Z",
    "2026-11-24T00:00:00Z",
    "2026-11-23T23:59:59Z",
    "2026-11-01T05:30:00+05:45",
    "2026-10-31T18:15:00Z",
    "2026-10-31T18:14:59Z",
    "2026-09-01T00:00:00Z",
    "2026-11-25T11:00:00Z",  # within a day
    "2026-11-26T06:00:00Z",  # too far ahead, until the clock moves
)
_STATUSES: Final = ("pending", "running", "completed", "failed")
_HOSTILE: Final = (
    b"{",
    b"",
    b" \t",
    b"[]",
    b"\xff{}",
    b'{"id": "x"}\r',
    b'{"id": "x", "user": {"id": "%s"}}' % ADA.upper().encode(),
    b'{"id": "x", "workspace_id": "%s", "timestamp": "%s"}' % (WORKSPACES[0].encode(), BOB.replace("-", "").encode()),
    b'{"id": "\\ud800"}',
    b'{"id": "x", "id": null, "usage": {"credits": 1e2}}',
)


def record(id_: str, workspace: int, user: int, moment: int, version: int) -> bytes:
    """Return a line: later versions have more credits, other languages, and a later status."""
    status = _STATUSES[version]
    fields: dict[str, Any] = {
        "id": id_,
        "workspace_id": WORKSPACES[workspace],
        "timestamp": MOMENTS[moment],
        "recorded_at": f"2026-11-24T12:00:0{version // 2}Z",
        "action": "workflow_run" if id_ in "ab" else "voice_generated",
        "kind": f"kind {version}",
        "resource": {"type": "voice", "id": USERS[version % 3], "name": None},
        "user": None if user == len(USERS) else {"id": USERS[user], "name": "Ada"},
        "metadata": {"by": [USERS[(user + version) % 3].upper()], "number": 1.50},
        "run": {"id": "r", "status": status} if id_ in "ac" or id_ == "b" else None,
        "usage": {
            "credits": 10**version + 1,
            "audio_ms": 7,
            "languages": [
                {"locale": ("de", None, "en_US", "fr")[version], "characters": 3 * version, "lines": 1},
                {"locale": "DE", "characters": 4, "corrected": 2},
            ][: 1 + version % 2],
        },
    }
    return json.dumps(fields).encode()


RECORDS = st.builds(
    record,
    st.sampled_from("abcd"),
    st.integers(0, len(WORKSPACES) - 1),
    st.integers(0, len(USERS)),
    st.integers(0, len(MOMENTS) - 1),
    st.integers(0, len(_STATUSES) - 1),
)
LINES = st.lists(RECORDS | RECORDS | st.sampled_from(_HOSTILE), min_size=1, max_size=4)


def packed(name: str, content: bytes, kept: float) -> bytes:
    """Return the bytes of a file: packed as its name says; of a gzip file, only the first part is kept."""
    if name.endswith(".zst"):
        return bytes(pa.compress(content, "zstd", asbytes=True))
    if not name.endswith(".gz"):
        return content
    whole = gzip.compress(content, mtime=0)
    return whole[: round(len(whole) * kept)]
