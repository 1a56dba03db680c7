"""The published client in this process: how long it would wait, and what it shows of a refusal."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import onepin
import pytest
from onepin.core import http_client
from onepin.core.api_error import ApiError

from service.api import summary
from tests.support.service_folder import ServiceFolder, call

Ask = Callable[[ServiceFolder, str, Any], Any]


def _ask(folder: ServiceFolder, token: str, app: Any) -> Any:
    """Ask for a summary with the synchronous client."""

    def answer(request: httpx.Request) -> httpx.Response:
        reply = call(app, request.url.path, request.url.query, list(request.headers.items()), request.method)
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body)

    with httpx.Client(transport=httpx.MockTransport(answer)) as connection:
        client = onepin.OnePinClient(base_url="http://service", token=token, httpx_client=connection)
        return client.usage.usage_summary(workspace_id=folder.workspace)


def _ask_async(folder: ServiceFolder, token: str, app: Any) -> Any:
    """Ask for a summary with the asynchronous client."""

    async def ask() -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as connection:
            client = onepin.AsyncOnePinClient(base_url="http://service", token=token, httpx_client=connection)
            return await client.usage.usage_summary(workspace_id=folder.workspace)

    return asyncio.run(ask())


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the list of the seconds that the client would wait; it does not."""
    seconds: list[float] = []
    real = http_client._retry_timeout  # noqa: SLF001 - the client has no public setting of its waits

    def wait(response: httpx.Response, retries: int) -> float:
        seconds.append(real(response, retries))
        return 0

    monkeypatch.setattr(http_client, "_retry_timeout", wait)
    return seconds


@pytest.mark.parametrize("ask", [_ask, _ask_async])
def test_wait_after_an_unforeseen_error(
    folder: ServiceFolder, waits: list[float], monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    """With a limited key, the client waits a second after one 500, not until the next minute, and then is answered."""
    folder.publish()
    real, failures = summary.answer, [RuntimeError()]

    def answer(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*arguments)

    monkeypatch.setattr(summary, "answer", answer)
    assert ask(folder, folder.key(rate_limit_per_min=100), folder.app()).data.range == "30d"
    assert waits == [1]


@pytest.mark.parametrize("ask", [_ask, _ask_async])
def test_wait_for_the_first_run(folder: ServiceFolder, waits: list[float], ask: Ask) -> None:
    """While nothing is published, the client waits five seconds between its tries, and then shows what to do."""
    with pytest.raises(ApiError) as refused:
        ask(folder, folder.key(rate_limit_per_min=100), folder.app())
    assert waits == [5] * len(waits)
    assert waits
    assert refused.value.status_code == 503
    assert "try again" in refused.value.body["error"]["message"]


@pytest.mark.parametrize("ask", [_ask, _ask_async])
def test_wait_for_the_next_minute(folder: ServiceFolder, waits: list[float], ask: Ask) -> None:
    """Once the limit is spent, the client waits until the minute ends."""
    folder.publish()
    folder.now += 20_000_000
    token, app = folder.key(rate_limit_per_min=1), folder.app()
    ask(folder, token, app)
    assert waits == []
    with pytest.raises(ApiError):
        ask(folder, token, app)
    assert waits == [40] * len(waits)
    assert waits
