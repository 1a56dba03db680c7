"""A hostile delivery, loaded by the pipeline, served by the API and known to the oracle."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from pipeline.contract.formats import instant
from service.application import create_app
from tests.hostile import Delivery, deliver
from tests.oracle import Oracle, load
from tests.support.data_folder import DataFolder

EVENTS = 600  # besides the events at every edge of every awkward zone, which are more
FILES_AT_ONCE = 6  # all files in two runs; the second meets the days of the first
RANGES = ("30d", "60d", "90d")
VIEWS = ("daily", "weekly", "monthly")


class World:
    """A hostile delivery, loaded in several runs, served by the API and known to the oracle."""

    def __init__(self, root: Path, seed: int, now: str) -> None:
        self.now = instant(now)
        self.folder = DataFolder(root)
        self.delivery: Delivery = deliver(seed, self.now, events=EVENTS)
        for name in ("members", "accounts", "api_keys"):
            rows = getattr(self.delivery.directory, name)
            path = root / "directory" / f"{name}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.reports = []
        for first in range(0, len(self.delivery.files), FILES_AT_ONCE):
            for name, content in self.delivery.files[first : first + FILES_AT_ONCE]:
                self.folder.drop(name, content)
            self.reports.append(self.folder.run(self.now))
        self.oracle: Oracle = load(dict(self.delivery.files), self.now)
        self._app = create_app(self.folder.settings, lambda: self.now)

    def ask(self, questions: list[tuple[str, str, dict[str, Any]]]) -> Iterator[bytes]:
        """Send requests (token, path, parameters) one after another, and return the answers."""

        async def answers() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self._app)  # type: ignore[arg-type]  # its dicts have looser types
            async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1/usage/") as client:
                return [
                    await client.get(path, params=parameters, headers={"Authorization": f"Bearer {token}"})
                    for token, path, parameters in questions
                ]

        for response in asyncio.run(answers()):
            assert response.status_code == 200, response.text
            yield response.content

    def page(self, token: str, parameters: dict[str, Any]) -> Any:
        """Return one page of the feed."""
        (answer,) = self.ask([(token, "activity", parameters)])
        return json.loads(answer)

    def callers(self) -> list[tuple[str, str, str]]:
        """Return the workspace, user and key of every active member."""
        return [(workspace, user, token) for (workspace, user), token in self.delivery.tokens.items()]
