"""A proxy before an object store that loses, delays, duplicates and forges answers."""

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

Fault = Literal["lose request", "lose answer", "delay", "duplicate", "cut answer", "409", "503"]

_HOP: Final = frozenset(("connection", "keep-alive", "transfer-encoding"))


class _Rule(NamedTuple):
    method: str
    path: re.Pattern[str]
    fault: Fault


class _Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class FaultProxy:
    """The rules of a proxy, and what passed through it.

    Args:
        backend: the endpoint of the store.
    """

    def __init__(self, backend: str) -> None:
        self.endpoint = ""
        self.seen: list[tuple[str, str]] = []  # methods and paths
        self.chance: Callable[[str, str], Fault | None] = lambda *_: None  # what strikes requests for which no rule is
        self._backend = urlsplit(backend).netloc
        self._rules: list[_Rule] = []
        self._late: list[Callable[[], _Answer]] = []
        self._lock = threading.Lock()

    def plan(self, method: str, path: str, *faults: Fault) -> None:
        """Plan faults for the next requests whose path matches, one each in this order."""
        with self._lock:
            self._rules += [_Rule(method, re.compile(path), fault) for fault in faults]

    def deliver_late(self) -> list[int]:
        """Send the delayed requests to the store now, and return the statuses of the answers, which nobody gets."""
        late, self._late = self._late, []
        return [send().status for send in late]

    def is_used_up(self) -> bool:
        """Return whether all planned faults occurred."""
        return not self._rules

    def fault(self, method: str, path: str) -> Fault | None:
        """Return, and use up, the planned fault of a request."""
        path = unquote(path)
        with self._lock:
            self.seen.append((method, path))
            for rule in self._rules:
                if rule.method == method and rule.path.search(path):
                    self._rules.remove(rule)
                    return rule.fault
            return self.chance(method, path)

    def send(self, method: str, path: str, headers: Any, body: bytes) -> _Answer:
        """Send a request to the store."""
        connection = http.client.HTTPConnection(self._backend, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)  # they are signed
            for name, value in headers.items():
                if name.lower() not in _HOP:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return _Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def delay(self, send: Callable[[], _Answer]) -> None:
        """Keep a request for later."""
        self._late.append(send)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultProxy

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.proxy.fault(self.command, self.path)

        def send() -> _Answer:
            return self.proxy.send(self.command, self.path, self.headers, body)

        if fault in {"lose request", "delay", "lose answer"}:
            if fault == "delay":
                self.proxy.delay(send)
            elif fault == "lose answer":
                send()
            self.close_connection = True
            return
        if fault in {"409", "503"}:
            self._answer(_Answer(int(fault), [], b"<Error><Code>ConditionalRequestConflict</Code></Error>"))
            return
        if fault == "duplicate":
            send()
        answer = send()
        self._answer(answer, cut=fault == "cut answer")

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _handle  # noqa: N815 - the names of the base class

    def _answer(self, answer: _Answer, *, cut: bool = False) -> None:
        self.send_response_only(answer.status)
        has_length = False
        for name, value in answer.headers:
            if name.lower() not in _HOP:
                has_length |= name.lower() == "content-length"
                self.send_header(name, value)
        if not has_length:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
        self.close_connection = cut

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def fault_proxy(backend: str) -> Iterator[FaultProxy]:
    """Yield a proxy before a store."""
    proxy = FaultProxy(backend)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
