"""The main process: starts the workers, replaces those that die, and ends them all.

The workers are granian's. Its own main process ends when workers die twice within seconds. When a worker dies, the
connections that wait for it are lost, and when the main process is killed, its workers stay behind. So these parts are
replaced here.
"""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from mmap import mmap
from typing import Any, Final, TypeAlias

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.mp import MPServer

from service.serving.listener import BACKLOG, PortError, address, most_connections, open_listener
from service.serving.worker import Link

# The longest wait for the complete headers of a request, and between two requests on one connection.
_HEADERS_MS: Final = 10_000
# The most that is buffered for one connection: incomplete headers, or answers that wait to be sent.
_BUFFER_BYTES: Final = 64 * 1024
_STOP_SECONDS: Final = 5  # more than a worker takes; then it is killed
_AGAIN_SECONDS: Final = 1.0  # between two starts of one worker
_POLL_SECONDS: Final = 0.02

_LOGS: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"}},
    "loggers": {"_granian": {"handlers": ["stderr"], "level": "WARNING", "propagate": False}},
}

Load: TypeAlias = Callable[[int, Link], Callable[..., Any]]


def _unused() -> Callable[..., Any]:
    """Stand in for granian's loader, which is not told a worker's place; `Supervisor._spawn_worker` replaces it."""
    raise NotImplementedError


class Supervisor(MPServer):
    """The main process of a service.

    Args:
        listeners: accept the connections, one for each worker; a Unix socket is the same for all.
        load: returns the application, given the place of a worker and its link; called in each worker.
        announce: called once, as soon as the first worker serves.
        replaced: called with the place of each worker that died, before the next one starts.
    """

    def __init__(
        self,
        listeners: list[socket.socket],
        load: Load,
        announce: Callable[[], None],
        replaced: Callable[[int], None],
    ) -> None:
        multiprocessing.set_start_method("fork", force=True)  # workers inherit the link
        super().__init__(
            "usage",
            interface=Interfaces.ASGI,
            workers=len(listeners),
            websockets=False,
            http=HTTPModes.http1,  # HTTP/2 without TLS helps nobody, and its headers unpack to any size
            http1_settings=HTTP1Settings(header_read_timeout=_HEADERS_MS, max_buffer_size=_BUFFER_BYTES),
            backlog=BACKLOG,
            backpressure=(most := most_connections()),
            workers_kill_timeout=_STOP_SECONDS,
            log_dictconfig=_LOGS,
        )
        self._load = load
        self._announce = announce
        self._replaced = replaced
        self._serves = threading.Event()
        self._at_once = False
        self._ready, ready = os.pipe()
        os.set_blocking(ready, False)  # only the first worker is waited for
        parent, alive = os.pipe()
        self._link = Link(listeners, ready, parent, alive, mmap(-1, 1), most)

    def run(self) -> None:
        """Serve until a signal ends the service.

        Raises:
            SystemExit: no worker could start; with exit code 1.
        """
        threading.Thread(target=self._wait_for_workers, daemon=True).start()
        self.serve(target_loader=_unused, wrap_loader=False)

    def _wait_for_workers(self) -> None:
        if os.read(self._ready, 1):
            self._serves.set()
            self._announce()

    def signal_handler_interrupt(self, number: int = signal.SIGTERM, *rest: Any) -> None:
        """Accept the order to end: on SIGTERM, workers go on for a second first; on SIGINT, they end at once."""
        self._at_once = self._at_once or number == signal.SIGINT
        for worker in self.wrks:  # Ctrl-C reaches the workers too
            worker.interrupt_by_parent = True
        super().signal_handler_interrupt(number, *rest)  # type: ignore[no-untyped-call]

    @property
    def _bind_addr_fmt(self) -> str:
        listener = self._link.listeners[0]  # for granian's log
        return address(listener.getsockname()[0], listener).removeprefix("http://")

    def _init_shared_socket(self) -> None:
        self._ssp, self._sso = None, None  # each worker has its own socket

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any, *_: Any) -> Any:  # noqa: ARG002 - granian's loader knows no place
        def load() -> Callable[..., Any]:
            os.close(self._link.alive)
            for listener in self._link.listeners:
                if listener is not self._link.listeners[idx]:
                    listener.close()
            return self._load(idx, self._link)

        backlog = (BACKLOG,) if sys.platform == "linux" else ()
        listener = self._link.listeners[idx]
        self._shd = SocketHolder(listener.fileno(), listener.family == socket.AF_UNIX, *backlog)  # type: ignore[assignment, call-arg]
        return super()._spawn_worker(idx, target, load)

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        """Replace workers that die, until a signal comes. If none could start at all, end."""
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait()
            self.main_loop_interrupt.clear()
            if self.reload_signal:
                self._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]
            while self.interrupt_children and not self.interrupt_signal:
                if not self._serves.is_set():
                    return
                place = self.interrupt_children[0]
                if time.monotonic() - self.wrks[place].birth < _AGAIN_SECONDS:
                    time.sleep(_POLL_SECONDS)  # a worker that cannot start must not keep a core busy
                    continue
                del self.interrupt_children[0]
                if self.wrks[place].inner.exitcode == 1:
                    self._leave_to_others(place)
                self._replaced(place)
                self._respawn_workers([place], spawn_target, target_loader)

    def _leave_to_others(self, place: int) -> None:
        """Route no connections to a worker that cannot start; once it does start, granian listens on its socket."""
        listeners = self._link.listeners
        if len(set(listeners)) > 1:
            host, port = listeners[place].getsockname()[:2]
            with suppress(PortError):
                replaced, listeners[place] = listeners[place], open_listener(host, port, shares=True, listens=False)
                replaced.close()

    def _stop_workers(self) -> None:
        self._link.ending[0] = 1
        if self._at_once:
            for worker in self.wrks:
                with suppress(OSError, TypeError):  # it is gone already, or was never started
                    os.kill(worker.inner.pid, signal.SIGINT)
        super()._stop_workers()  # type: ignore[no-untyped-call]
        if self.interrupt_signal:
            self.interrupt_children.clear()  # those who ended because they were told to
