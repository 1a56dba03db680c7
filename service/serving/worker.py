"""A worker's side of start and stop: an ASGI application around that of the service.

On SIGTERM the worker goes on accepting for a second, while every answer closes its connection. So a client finds its
connection closed between two requests rather than during one, and balancers see that the worker is not ready. Then it
closes. On SIGINT, or when the main process is gone, it closes at once. Requests that have begun are still answered,
unless the client does not read the answer.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from mmap import mmap
from socket import socket
from typing import Any, Final, TypeAlias

import msgspec

from service.http.stopping import Stopping
from service.serving.listener import refuse_new
from service.serving.shedding import shed

_ACCEPT_SECONDS: Final = 1.0  # after SIGTERM
_ANSWER_SECONDS: Final = 1.0  # after that, for the answers that have begun
_BEAT_SECONDS: Final = 0.1

_App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]


class Link(msgspec.Struct, frozen=True):
    """What connects the main process with its workers. It is made before the first worker starts; workers inherit it.

    Attributes:
        listeners: the socket from which each worker accepts connections, by the worker's place.
        ready: a worker writes one byte as soon as it serves.
        parent: readable as soon as the main process is gone.
        alive: the other end of `parent`, which the main process keeps open and workers close.
        ending: one byte: 0 until the whole service is ending.
        most_connections: how many connections a worker may hold.
    """

    listeners: list[socket]
    ready: int
    parent: int
    alive: int
    ending: mmap
    most_connections: int


class Worker:
    """The application that granian calls.

    Args:
        app: the application of the service.
        place: the number of this worker, from 0.
        stopping: tells `app` that this worker is stopping, which its answers show.
        link: connects this worker with the main process.
        flush: writes what is in memory; called when the worker ends in spite of answers that nobody reads.
    """

    def __init__(self, app: _App, place: int, stopping: Stopping, link: Link, flush: Callable[[], None]) -> None:
        self._app = app
        self._place = place
        self._stopping = stopping
        self._link = link
        self._flush = flush

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        """Pass everything on; the start of the application is watched."""
        if scope["type"] == "lifespan":
            return self._watched(scope, receive, send)
        return self._app(scope, receive, send)

    async def _watched(self, scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        # granian's own handler of SIGINT stays: it closes at once.
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_reader(self._link.parent, self._follow)

        async def watch(message: Any) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                loop.call_later(_BEAT_SECONDS / 10, self._begin)
            elif message["type"] == "lifespan.shutdown.complete":
                self._leave()  # while the interpreter takes its time to end, nobody would be answered

        await self._app(scope, receive, watch)

    def _begin(self) -> None:
        """Report that this worker serves."""
        with suppress(OSError):  # nobody waits for it any more
            os.write(self._link.ready, b".")
        self._beat()

    def _beat(self) -> None:
        """Make room for connections, and check for the end: a signal is lost if the loop is not running meanwhile."""
        if self._link.ending[0]:
            self._stop()
        else:
            asyncio.get_running_loop().call_later(_BEAT_SECONDS, self._beat)
            shed(self._link.listeners[self._place], self._link.most_connections)

    def _stop(self) -> None:
        """Begin to stop: go on for a while, so that clients and balancers can go elsewhere."""
        if not self._stopping.begun:
            self._stopping.begun = True
            asyncio.get_running_loop().call_later(_ACCEPT_SECONDS, self._close)

    def _follow(self) -> None:
        """Stop at once, because the main process is gone: the next service wants the address."""
        asyncio.get_running_loop().remove_reader(self._link.parent)
        self._stopping.begun = True
        self._close()

    def _close(self) -> None:
        """Accept no more connections, and end as soon as the requests that have begun are answered."""
        if self._link.ending[0]:  # otherwise the next worker takes over the waiting connections
            refuse_new(self._link.listeners[self._place])
        asyncio.get_running_loop().call_later(_ANSWER_SECONDS, self._leave)
        os.kill(os.getpid(), signal.SIGINT)

    def _leave(self) -> None:
        """End, even if clients have not read their answers or have not finished their requests."""
        self._flush()
        os._exit(0)
