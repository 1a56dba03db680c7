"""Measure how long answers take: one client's latencies, and the rate of many clients at once."""

import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle
from math import ceil
from typing import Final

from benchmarks.engines.engine import Engine, Reader, Server
from benchmarks.questions import Question, Raw
from benchmarks.results import Timing
from benchmarks.serving import load

_FEWEST: Final = 10  # least number of answers for a figure; a single one if `seconds` is 0


def timed(reader: Reader, question: Question) -> tuple[float, Raw]:
    """Ask a question; return the milliseconds it took and the answer."""
    start = time.perf_counter()
    answer = reader.ask(question)
    return (time.perf_counter() - start) * 1000, answer


def spread(taken: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile; of fewer than a hundred values, it is the worst."""
    return statistics.median(taken), sorted(taken)[ceil(len(taken) * 0.99) - 1]


def timing(engine: Engine, name: str, size: str, questions: Sequence[Question], seconds: float, crowd: int) -> Timing:
    """Ask the questions in turn for some seconds, with one client and with `crowd` clients at once.

    Args:
        engine: the engine, running.
        name: the heading of the questions.
        size: the size of the workspace that they are about.
        questions: what to ask.
        seconds: how long to measure; 0 asks once.
        crowd: the number of clients at once.
    """
    if isinstance(engine, Server):
        return _served(engine, name, size, questions, seconds, crowd)
    with engine.reader() as reader:
        taken = _taken(reader, questions, seconds)
    median_ms, p99_ms = spread(taken)
    rate = len(taken) * 1000 / sum(taken)
    return Timing(name, size, len(taken), median_ms, p99_ms, rate, _rate(engine, questions, seconds, crowd))


def _taken(reader: Reader, questions: Sequence[Question], seconds: float) -> list[float]:
    """Return the latencies in milliseconds, after a first round that is not measured."""
    for question in questions:
        reader.ask(question)
    taken: list[float] = []
    end = time.perf_counter() + seconds
    for question in cycle(questions):
        if len(taken) >= (_FEWEST if seconds else 1) and time.perf_counter() >= end:
            break
        taken.append(timed(reader, question)[0])
    return taken


def _rate(engine: Engine, questions: Sequence[Question], seconds: float, crowd: int) -> float:
    """Return the answers per second of many clients, each a thread with its own connection."""
    counts = [0] * crowd
    with ExitStack() as stack:
        readers = [stack.enter_context(engine.reader()) for _ in range(crowd)]
        for reader in readers:
            reader.ask(questions[0])
        end = time.perf_counter() + seconds

        def ask(place: int) -> None:
            for question in cycle(questions):
                if counts[place] and time.perf_counter() >= end:
                    return
                readers[place].ask(question)
                counts[place] += 1

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(crowd)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return sum(counts) / (time.perf_counter() - start)


def _served(engine: Server, name: str, size: str, questions: Sequence[Question], seconds: float, crowd: int) -> Timing:
    """Measure with `wrk`, because a client in Python would be slower than the server."""
    addresses = [engine.address(question) for question in questions]
    url, _, key = addresses[0]
    paths, headers = [path for _, path, _ in addresses], [f"Authorization: Bearer {key}"]
    whole_seconds = max(1, round(seconds))
    one, many = (
        load(url, paths, seconds=whole_seconds, headers=headers, connections=connections) for connections in (1, crowd)
    )
    if one.errors or many.errors:
        raise RuntimeError(f"{name}: {one.errors + many.errors} requests failed")
    return Timing(name, size, round(one.rate * whole_seconds), one.p50, one.p99, one.rate, many.rate)
