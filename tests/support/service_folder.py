"""A data folder without a pipeline: tables rolled up in plain Python, a directory, and the application."""

import asyncio
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.contract.calendar import QUARTER_US, utc_day
from pipeline.contract.formats import instant
from pipeline.contract.settings import Settings
from pipeline.contract.tables import (
    ACTORS,
    CUBE,
    EVENTS,
    MEASURES,
    PUBLISHED,
    SCHEMA_VERSION,
    Manifest,
    Month,
    Published,
    actors_path,
    cube_path,
    events_path,
    manifest_path,
)
from service.application import create_app
from service.http.front import Front
from service.telemetry.logs import RequestLog
from service.telemetry.shared_counters import SharedCounters

NOW = instant("2026-11-24T12:00:00Z")
WORKSPACE = "a0000000-0000-4000-8000-000000000001"
OTHER_WORKSPACE = "b0000000-0000-4000-8000-000000000002"
USER = "c0000000-0000-4000-8000-00000000000a"
OTHER_USER = "d0000000-0000-4000-8000-00000000000b"

_CLOSED = {None, "completed", "failed", "cancelled"}


class Reply(NamedTuple):
    """An answer of the application."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.body)


class ServiceFolder:
    """A data folder with tables and a directory, which has one member and one key."""

    now = NOW
    workspace = WORKSPACE
    other_workspace = OTHER_WORKSPACE
    user = USER
    other_user = OTHER_USER

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory: dict[str, list[dict[str, Any]]] = {"members": [], "accounts": [], "api_keys": []}
        self.runs = 0
        self.member(WORKSPACE, USER)
        self.token = self.key()

    def member(self, workspace_id: str, user_id: str, **fields: Any) -> None:
        """Add a row to members.jsonl."""
        row = {"workspace_id": workspace_id, "user_id": user_id, "name": "Ada", "role": "admin", "status": "active"}
        self._add("members", row | fields)

    def account(
        self,
        user_id: str,
        quota: int | None = None,
        period_anchor: str | None = None,
        subject: str | None = None,
        **fields: Any,
    ) -> None:
        """Add a row to accounts.jsonl."""
        row = {"user_id": user_id, "quota": quota, "period_anchor": period_anchor, "subject": subject}
        self._add("accounts", row | fields)

    def key(self, workspace_id: str = WORKSPACE, user_id: str = USER, **fields: Any) -> str:
        """Add a row to api_keys.jsonl and return the key."""
        number = len(self.directory["api_keys"])
        token = f"op_live_{number:032d}"
        row = {
            "id": f"key_{number}",
            "key_sha256": hashlib.sha256(token.encode()).hexdigest(),
            "workspace_id": workspace_id,
            "user_id": user_id,
            "scopes": ["workspace:read"],
        }
        self._add("api_keys", row | fields)
        return token

    def _add(self, name: str, row: dict[str, Any]) -> None:
        self.directory[name].append(row)
        path = self.root / "directory" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in self.directory[name]))

    def publish(self, events: Sequence[Mapping[str, Any]] = (), row_group_rows: int = 10_000, **published: Any) -> None:
        """Replace the tables by those of exactly these events, as a new run; `published` are fields of its file."""
        self.runs += 1
        run = f"run{self.runs:04d}"
        by_workspace: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for event in events:
            by_workspace[event["workspace_id"]].append(event)
        for workspace_id, theirs in by_workspace.items():
            self._write_events(workspace_id, theirs, row_group_rows)
            by_month: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
            for event in theirs:
                by_month[utc_day(event["timestamp"]).isoformat()[:7]].append(event)
            months = {}
            for month, rows in by_month.items():
                months[month] = Month(cube_path(workspace_id, month, run), actors_path(workspace_id, month, run))
                self._write(months[month].cube, pa.Table.from_pylist(_cube(rows), CUBE))
                self._write(months[month].actors, pa.Table.from_pylist(_actors(rows), ACTORS))
            self._replace(manifest_path(workspace_id), msgspec.json.encode(Manifest(workspace_id, run, months)))
        current = Published(self.runs, run, self.now - 60_000_000, SCHEMA_VERSION, "2026.6")
        self._replace(PUBLISHED, msgspec.json.encode(msgspec.structs.replace(current, **published)))

    def _write_events(self, workspace_id: str, events: Sequence[Mapping[str, Any]], row_group_rows: int) -> None:
        by_day: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for event in events:
            by_day[utc_day(event["timestamp"]).isoformat()].append(event)
        for day, rows in by_day.items():
            newest_first = sorted(rows, key=lambda row: (row["timestamp"], row["id"]), reverse=True)
            table = pa.Table.from_pylist([{k: row[k] for k in EVENTS.names} for row in newest_first], EVENTS)
            self._write(events_path(workspace_id, day), table, row_group_size=row_group_rows)

    def _write(self, path: str, table: Any, **options: Any) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, self.root / f"{path}.tmp", store_schema=False, **options)
        (self.root / f"{path}.tmp").rename(self.root / path)

    def _replace(self, path: str, content: bytes) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / f"{path}.tmp").write_bytes(content)
        (self.root / f"{path}.tmp").rename(self.root / path)

    def app(
        self,
        now: int | None = None,
        counters: SharedCounters | None = None,
        log: RequestLog | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        **environ: str,
    ) -> Front:
        """Return a new application over the folder, with settings such as `USAGE_JWKS`."""
        settings = Settings.read(environ, data_dir=self.root)
        return create_app(settings, lambda: self.now if now is None else now, counters, log, monotonic)

    def ask(self, path: str, query: str = "", app: Front | None = None, **headers: str) -> Reply:
        """Ask a usage endpoint with the first key. Header names have `_` for `-`."""
        sent = {"authorization": f"Bearer {self.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return call(app or self.app(), path, query.encode(), list(sent.items()))

    def data(self, endpoint: str, query: str = "", app: Front | None = None) -> Any:
        """Return the `data` of a usage endpoint."""
        reply = self.ask(f"/api/v1/usage/{endpoint}", query, app)
        assert reply.status == 200, reply.body
        return reply.json()["data"]


def call(
    app: Front,
    path: str,
    query: bytes = b"",
    headers: Sequence[tuple[str, str]] = (),
    method: str = "GET",
) -> Reply:
    """Send one raw request in a new event loop."""
    return asyncio.run(exchange(app, path, query, headers, method))


async def exchange(
    app: Front,
    path: str,
    query: bytes = b"",
    headers: Sequence[tuple[str, str]] = (),
    method: str = "GET",
) -> Reply:
    """Send one raw request."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "server": ("testserver", 80),
        "client": ("testclient", 1),
        "root_path": "",
        "state": {},
    }
    await app(scope, receive, send)
    start, body = sent
    fields = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], fields, body["body"])


def make_event(timestamp: str | int, **fields: Any) -> dict[str, Any]:
    """Return one row of the events table with its workspace. `languages` may leave out zeros."""
    moment = instant(timestamp) if isinstance(timestamp, str) else timestamp
    event: dict[str, Any] = {
        "workspace_id": WORKSPACE,
        "id": f"evt_{moment}",
        "timestamp": moment,
        "recorded_at": moment,
        "action": "voice_generated",
        "kind": "preview",
        "resource_type": "voice",
        "resource_id": "v1",
        "resource_name": "Vera",
        "user_id": USER,
        "user_name": "Ada",
        "metadata": None,
        "ip": None,
        "run_id": None,
        "run_status": None,
        "credits": 0,
        "audio_ms": 0,
        "languages": [],
    } | fields
    zeros = {"locale": None, "characters": 0, "lines": 0, "corrected": 0}
    event["languages"] = [zeros | row for row in event["languages"]]
    return event


def _cube(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    cells: dict[tuple[int, str | None], dict[str, int]] = defaultdict(lambda: dict.fromkeys(MEASURES, 0))
    for event in events:
        quarter = event["timestamp"] // QUARTER_US * QUARTER_US
        for row in event["languages"]:
            for measure in ("characters", "lines", "corrected"):
                cells[quarter, row["locale"]][measure] += row[measure]
        for locale, share in allocate(event).items():
            cells[quarter, locale]["credits"] += share
        if event["run_status"] in _CLOSED:
            cells[quarter, None]["audio_ms"] += event["audio_ms"]
        if event["action"] == "workflow_run":
            cells[quarter, None][f"runs_{event['run_status']}"] += 1
    return [{"quarter": quarter, "locale": locale, **cell} for (quarter, locale), cell in cells.items()]


def allocate(event: Mapping[str, Any]) -> dict[str | None, int]:
    """Return an event's credits by locale: whole credits by largest remainder, with ties untagged last."""
    characters: dict[str | None, int] = defaultdict(int)
    for row in event["languages"]:
        characters[row["locale"]] += row["characters"]
    total = sum(characters.values())
    if not total:
        return {None: event["credits"]}
    shares = {locale: divmod(event["credits"] * count, total) for locale, count in characters.items()}
    result = {locale: whole for locale, (whole, _) in shares.items()}
    by_rest = sorted(shares, key=lambda locale: (-shares[locale][1], locale is None, locale or ""))
    for locale in by_rest[: event["credits"] - sum(result.values())]:
        result[locale] += 1
    return result


def _actors(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows: dict[tuple[str | None, str, Any], list[int]] = defaultdict(lambda: [0, 0])
    for event in events:
        counts = rows[event["user_id"], event["action"], utc_day(event["timestamp"])]
        counts[0] += 1
        counts[1] += event["credits"]
    return [
        {"user_id": user_id, "action": action, "day": day, "events": count, "credits": used}
        for (user_id, action, day), (count, used) in rows.items()
    ]
