"""A worker that holds nearly as many connections as it may closes those that have gone longest without an answer."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final, NamedTuple

import pytest

from service.serving.listener import open_listener
from service.serving.shedding import shed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the connections of a process")

COUNT: Final = 100


class Held(NamedTuple):
    """A listening socket, the connections that it accepted, and their other ends."""

    listener: socket.socket
    accepted: list[socket.socket]
    clients: list[socket.socket]


@pytest.fixture
def held() -> Iterator[Held]:
    """Yield a listener with 100 connections."""
    with ExitStack() as stack:
        listener = stack.enter_context(open_listener("127.0.0.1", 0))
        found = Held(listener, [], [])
        for _ in range(COUNT):
            found.clients.append(stack.enter_context(socket.create_connection(listener.getsockname())))
            found.accepted.append(stack.enter_context(listener.accept()[0]))
        yield found


def closed(held: Held) -> list[int]:
    """Return the numbers of the connections that are closed: nothing can be sent on them any more."""
    found = []
    for number, connection in enumerate(held.accepted):
        try:
            connection.send(b"x")
        except BrokenPipeError:
            found.append(number)
    return found


def wait_a_tick() -> None:
    """Wait until the kernel's clock has moved on, which may count hundredths of a second."""
    end = time.monotonic_ns() + 20_000_000
    while time.monotonic_ns() < end:
        pass


def test_room_is_left(held: Held) -> None:
    """While a quarter of the places is free, no connection is closed."""
    assert shed(held.listener, 2 * COUNT, young_ms=0) == 0
    assert closed(held) == []


def test_those_without_an_answer(held: Held) -> None:
    """Half of the places become free; connections that got an answer since the others opened are kept."""
    answered = set(range(0, COUNT, 2))
    wait_a_tick()
    for number in answered:
        held.accepted[number].sendall(b"answer")
    assert shed(held.listener, COUNT, young_ms=0) == COUNT // 2
    assert set(closed(held)) == set(range(COUNT)) - answered


def test_young_connections(held: Held) -> None:
    """A connection that was just opened is kept: its request may be on the way."""
    assert shed(held.listener, COUNT, young_ms=1_000_000) == 0
    assert closed(held) == []


def test_other_sockets(held: Held) -> None:
    """Connections of another listener, connections to elsewhere and other sockets are left alone."""
    ends = socket.socketpair()
    with open_listener("127.0.0.1", 0) as other, ends[0], ends[1]:
        assert shed(other, COUNT, young_ms=0) == 0
        ends[0].sendall(b"x")
    assert closed(held) == []
    assert all(client.send(b"x") for client in held.clients)
