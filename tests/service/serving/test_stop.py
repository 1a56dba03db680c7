"""A stop under load: requests that have begun are answered and logged, even on kept-alive connections."""

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
    """Sends requests on one kept-alive connection until the service ends; an incomplete answer is an error."""

    def __init__(self, url: str, token: str, warm: threading.Barrier) -> None:
        super().__init__()
        self._address = urlsplit(url)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._warm = warm
        self.answered: set[str] = set()
        self.errors: list[Exception] = []

    def run(self) -> None:
        """Send requests until the connection ends."""
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
            pass  # no answer: the comparison with the log shows whether the request had begun
        except Exception as error:  # noqa: BLE001 - any other exception is a failure
            self.errors.append(error)
        finally:
            connection.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_stop_under_load(folder: Any, event: Any, workers: int) -> None:
    """After SIGTERM, the log has exactly the requests that were answered in full."""
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
        process.kill()  # so that the test ends even if the service does not stop
    for thread in (*clients, reading):
        thread.join()
    process.stderr.close()
    assert [client.errors for client in clients] == [[]] * _CONNECTIONS
    answered = set[str]().union(*(client.answered for client in clients))
    logged = {json.loads(line)["request_id"] for line in log if line.startswith("{")}
    assert len(answered) >= _CONNECTIONS * _BEFORE_STOP
    assert answered == logged
