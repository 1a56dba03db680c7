"""Readers of the simulation: clients of several workers of one service, which must see whole commits and no going back.

Asks the applications in this process. What an answer may be follows from worlds: one world if nothing is under way, and
those of before and after each commit otherwise.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipeline.contract.settings import Settings
from service.application import create_app
from service.http.front import Front
from service.telemetry.logs import RequestLog
from tests.faults.simulation.model import World
from tests.faults.simulation.records import USERS, WORKSPACES
from tests.oracle import Directory, Oracle
from tests.oracle.instants import write_instant
from tests.oracle.loading import Log
from tests.support.clock import ManualClock
from tests.support.service_folder import Reply, exchange

WORKERS: Final = 2
ZONES: Final = ("UTC", "Asia/Kathmandu", "America/New_York")
_API: Final = "/api/v1/usage/"


class Question(NamedTuple):
    """What a client asks, and as whom."""

    path: str = "summary"
    zone: str = ZONES[0]
    range_: str = "30d"
    view: str = "daily"
    worker: int = 0
    workspace: int = 0
    user: int = 0


class Product:
    """The rows that the product exports to `directory/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.members = {(workspace, user): "active" for workspace in WORKSPACES for user in USERS}
        self.accounts = {user: account_of(user, 0) for user in USERS}
        self.revoked: set[str] = set()
        self.export()

    def export(self) -> None:
        """Write the files."""
        pairs = list(self.members)
        rows = {"members": self._members(), "accounts": list(self.accounts.values())}
        rows["api_keys"] = [
            {
                "id": f"key {number}",
                "key_sha256": hashlib.sha256(token_of(number).encode()).hexdigest(),
                "workspace_id": workspace,
                "user_id": user,
                "scopes": ["workspace:read"],
                "revoked_at": "2026-11-24T00:00:00Z" if token_of(number) in self.revoked else None,
            }
            for number, (workspace, user) in enumerate(pairs)
        ]
        for name, lines in rows.items():
            path = self.root / "directory" / f"{name}.jsonl"
            path.parent.mkdir(exist_ok=True)
            path.with_suffix(".new").write_text("".join(json.dumps(line) + "\n" for line in lines))
            path.with_suffix(".new").replace(path)

    def copied(self) -> tuple[dict[Any, str], dict[str, dict[str, Any]], set[str]]:
        """Return a copy of the rows."""
        return dict(self.members), dict(self.accounts), set(self.revoked)

    def restore(self, members: dict[Any, str], accounts: dict[str, dict[str, Any]], revoked: set[str]) -> None:
        """Take over the rows of a copy, which are in the files already."""
        self.members, self.accounts, self.revoked = dict(members), dict(accounts), set(revoked)

    def _members(self) -> list[dict[str, Any]]:
        return [
            {"workspace_id": workspace, "user_id": user, "name": "Ada", "role": "admin", "status": status}
            for (workspace, user), status in self.members.items()
        ]

    def known(self) -> Directory:
        """Return what the oracle needs."""
        return Directory(self._members(), list(self.accounts.values()))


class Clients:
    """Clients of the service's workers.

    Args:
        root: the data folder.
        clock: returns the time in microseconds UTC.
        product: knows members, accounts and keys.
    """

    def __init__(self, root: Path, clock: Callable[[], int], directory: Product) -> None:
        self._settings, self._now, self._directory = Settings.read({}, data_dir=root), clock, directory
        self.zone_files: dict[str, str] = {}  # zones that have the file of another one
        self._seconds, self._loop = ManualClock(), asyncio.new_event_loop()
        self.asked = 0
        self.restart()

    def restart(self) -> None:
        """Replace all workers; a client of new ones knows nothing."""
        self._sequences = [0] * WORKERS
        self._apps = [self._new_app() for _ in range(WORKERS)]

    def replace(self, worker: int) -> None:
        """Replace a worker by one that has nothing in memory."""
        self._apps[worker] = self._new_app()

    def _new_app(self) -> Front:
        return create_app(self._settings, self._now, None, RequestLog(_nowhere()), self._seconds)

    def ask(self, question: Question, worlds: Sequence[World], *, is_settled: bool) -> None:
        """Ask one question, and assert that the answer is one of the worlds'.

        Args:
            question: what is asked.
            worlds: what the tables may hold.
            is_settled: whether no commit is under way.
        """
        self.asked += 1
        self._seconds.seconds += 10
        app = self._apps[question.worker]
        self._note_sequence(question.worker)
        workspace, user = WORKSPACES[question.workspace], USERS[question.user]
        token = token_of(question.workspace * len(USERS) + question.user)
        parameters = f"timezone={question.zone}&range={question.range_}"
        path = question.path
        if path != "activity":
            parameters += f"&activity_view={question.view}"
        reply = self._get(app, path, token, parameters)
        refused = 401 if token in self._directory.revoked else 403
        if refused == 401 or self._directory.members[workspace, user] != "active":
            assert reply.status == refused, reply
            return
        if not (self._settings.data_dir / "published.json").exists():
            assert reply.status == 503, reply
            return
        assert reply.status == 200, reply
        as_of = json.loads(reply.body)["meta"]["data_as_of"]
        assert as_of in {None if world.as_of is None else write_instant(world.as_of) for world in worlds}, as_of
        if path == "activity":
            self._check_feed(app, token, parameters, question, worlds, is_settled=is_settled)
        else:
            self._check(json.loads(reply.body)["data"], question, worlds)

    def _check(self, data: dict[str, Any], question: Question, worlds: Sequence[World]) -> None:
        """Assert that an answer in numbers is whole."""
        workspace, user = WORKSPACES[question.workspace], USERS[question.user]
        _, _, range_, view, *_ = question
        zone = self.zone_files.get(question.zone, question.zone)
        now, directory = self._now(), self._directory.known()
        oracles = [oracle_of(world) for world in worlds]
        if question.path == "by-language":
            wanted = [oracle.by_language(workspace, zone, range_, view, now) for oracle in oracles]
            assert sum(row["credits"] for row in data["languages"]) + data["untagged_credits"] == data["total_credits"]
        else:
            wanted = [oracle.summary(workspace, user, zone, range_, view, now, directory) for oracle in oracles]
            assert sum(bucket["credits"] for bucket in data["activity"]["buckets"]) == data["activity"]["total"]
            assert sum(day["characters"] for day in data["daily"]) == data["characters"]["total"]
            if len(worlds) > 1:  # they are of several workspaces, each of which may be before or after
                used = [self._used(world, user, now, directory) for world in worlds]
                assert data["credits"]["used"] in {sum(parts) for parts in product(*map(set, zip(*used, strict=True)))}
                for answer in [data, *wanted]:
                    del answer["credits"]
        for answer in wanted:
            answer["timezone"] = question.zone
        assert _plain(data) in [_plain(answer) for answer in wanted], (_plain(data), question)

    @staticmethod
    def _used(world: World, user: str, now: int, directory: Directory) -> list[int]:
        """Return the credits of a user by workspace."""
        found = []
        for workspace in WORKSPACES:
            members = [row for row in directory.members if row["workspace_id"] == workspace]
            alone = Directory(members, directory.accounts)
            summary = oracle_of(world).summary(workspace, user, "UTC", "30d", "daily", now, alone)
            found.append(int(summary["credits"]["used"]))
        return found

    def _check_feed(
        self, app: Front, token: str, parameters: str, question: Question, worlds: Sequence[World], *, is_settled: bool
    ) -> None:
        """Assert that all pages together are the feed."""
        found, cursor = [], ""
        while cursor is not None:
            reply = self._get(app, "activity", token, f"{parameters}&limit=3{cursor and '&cursor='}{cursor}")
            assert reply.status == 200, reply
            found += json.loads(reply.body)["data"]
            cursor = json.loads(reply.body)["pagination"]["next"]
        workspace, zone = WORKSPACES[question.workspace], self.zone_files.get(question.zone, question.zone)
        feeds = [oracle_of(world).activity(workspace, zone, question.range_, self._now()) for world in worlds]
        if is_settled:
            assert _plain(found) in map(_plain, feeds), (found, question)
            return
        assert len({(event["timestamp"], event["id"]) for event in found}) == len(found), found
        texts = [{_plain(event) for event in feed} for feed in feeds]
        shown = {_plain(event) for event in found}
        assert set.intersection(*texts) <= shown <= set.union(*texts), (found, question)

    def agree(self) -> None:
        """Assert that all workers publish the same commit."""
        for worker, app in enumerate(self._apps):
            metrics = self._loop.run_until_complete(exchange(app, "/metrics")).body.decode()
            assert f"usage_published_sequence {self._note_sequence(worker)}.0\n" in metrics

    def close(self) -> None:
        """End."""
        self._loop.close()

    def _get(self, app: Front, path: str, token: str, parameters: str) -> Reply:
        headers = [("authorization", f"Bearer {token}")]
        return self._loop.run_until_complete(exchange(app, _API + path, parameters.encode(), headers))

    def _note_sequence(self, worker: int) -> int:
        """Return the number of the published commit, after asserting that it does not go back for a client."""
        path = self._settings.data_dir / "published.json"
        found = int(json.loads(path.read_bytes())["sequence"]) if path.exists() else 0
        assert found >= self._sequences[worker]
        self._sequences[worker] = found
        return found


def account_of(user: str, plan: int) -> dict[str, Any]:
    """Return a user's account with one of several plans."""
    anchor = (None, "2026-01-31T00:00:00Z", "2026-11-23T18:00:00Z", "2026-11-24T00:00:00Z")[plan]
    renewal = "one_time" if plan == 3 else None
    return {"user_id": user, "quota": 100 * plan, "period_anchor": anchor, "credits_renewal": renewal}


def token_of(number: int) -> str:
    """Return an API key of the product."""
    return f"op_live_{number:032d}"


def oracle_of(world: World) -> Oracle:
    """Return an oracle that knows the events of a world."""
    if id(world) not in _oracles or _oracles[id(world)][0] is not world:
        if len(_oracles) > 50:
            _oracles.clear()
        _oracles[id(world)] = world, Oracle(Log(events=dict(world.events)))
    return _oracles[id(world)][1]


_oracles: dict[int, tuple[World, Oracle]] = {}


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@cache
def _nowhere() -> int:
    """Return a descriptor that takes the log."""
    return os.open(os.devnull, os.O_WRONLY)
