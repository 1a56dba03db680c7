"""A stop under load: what has begun is answered and logged, whatever the connections are kept for."""

import http.client
import json
import signal
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.process import start

SUMMARY = "/api/v1/usage/summary"
_CONNECTIONS = 16
_BEFORE_STOP = 30


class Client(threading.Thread):
    """Asks on one connection, kept alive, until there is nobody any more; answers that are no answers are errors."""

    def __init__(self, url: str, token: str, warm: threading.Barrier) -> None:
        super().__init__()
        self._address = urlsplit(url)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._warm = warm
        self.answered: set[str] = set()
        self.errors: list[Exception] = []

    def run(self) -> None:
        """Ask and ask."""
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=60)
        try:
            while True:
                connection.request("GET", SUMMARY, headers=self._headers)
                response = connection.getresponse()
                body = json.loads(response.read())
                assert (response.status, len(body["data"]["daily"])) == (200, 30)
                self.answered.add(body["meta"]["request_id"])
                if len(self.answered) == _BEFORE_STOP:
                    self._warm.wait()
        except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected):
            pass  # nothing came at all: whether it was never begun, the log says
        except Exception as error:  # noqa: BLE001 - whatever else is a failure
            self.errors.append(error)
        finally:
            connection.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_stop_under_load(folder: Any, event: Any, workers: int) -> None:
    """After SIGTERM every request that was begun is answered in full, and has its line in the log; no other has."""
    folder.publish([event(folder.now, credits=1)])
    process, url = start(folder.root, "--workers", str(workers))
    warm = threading.Barrier(_CONNECTIONS + 1)
    clients = [Client(url, folder.token, warm) for _ in range(_CONNECTIONS)]
    log: list[str] = []
    assert process.stderr is not None
    reading = threading.Thread(target=log.extend, args=(process.stderr,))
    for thread in (reading, *clients):
        thread.start()
    warm.wait()
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(60) == 0
    finally:
        process.kill()  # where it did not stop, the test is to end nevertheless
    for thread in (*clients, reading):
        thread.join()
    process.stderr.close()
    assert [client.errors for client in clients] == [[]] * _CONNECTIONS
    answered = set[str]().union(*(client.answered for client in clients))
    logged = {json.loads(line)["request_id"] for line in log if line.startswith("{")}
    assert len(answered) >= _CONNECTIONS * _BEFORE_STOP
    assert answered == logged
