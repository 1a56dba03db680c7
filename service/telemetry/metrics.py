"""Counts of requests over all workers, in the text format of Prometheus.

They show nothing of any tenant: every label has few values, all known in advance. A request costs a few additions in
memory that the workers share; the counters of the client library would cost several times as much (docs/operation.md).
"""

import platform
from bisect import bisect_left
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import accumulate, product
from typing import Any, Final

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from pipeline.contract.calendar import SECOND_US
from service.api.routes import ENDPOINTS, OPEN_ROUTES, PAGE
from service.errors import ApiError
from service.tables.snapshots import Snapshots
from service.tables.source import StoreError
from service.telemetry.shared_counters import CounterMemory, SharedCounters

_OTHER: Final = "other"
_ROUTES: Final = (*(endpoint.path for endpoint in ENDPOINTS), *sorted(OPEN_ROUTES), PAGE, _OTHER)
_METHODS: Final = ("GET", "HEAD", "OPTIONS", _OTHER)
_SUCCESSES: Final = {200, 204, 304}

_NANOSECONDS: Final = 1_000_000_000
# From the time that an answer from memory takes to longer than anybody waits.
_BOUNDS_SECONDS: Final = (
    *(0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005),
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
_BOUNDS: Final = [round(seconds * _NANOSECONDS) for seconds in _BOUNDS_SECONDS]
_BOUND_LABELS: Final = [*map(floatToGoString, _BOUNDS_SECONDS), "+Inf"]
_BUCKETS: Final = len(_BOUND_LABELS)
_CACHE: Final = ("hit", "miss")
_GAUGES: Final = ("workspaces", "bytes")


class Metrics(Collector):
    """The counts of a service over all its workers."""

    def __init__(self, snapshots: Snapshots, clock: Callable[[], int], shared: SharedCounters | None = None) -> None:
        """Begin to count.

        Args:
            snapshots: the tables of this worker.
            clock: returns the time in microseconds UTC; called when the metrics are read.
            shared: this worker's part of what the workers of one service share; None if there is only one worker.
        """
        self._snapshots = snapshots
        self._clock = clock
        self._build = {"version": version("workspace-usage"), "python": platform.python_version()}
        slots = iter(range(1_000_000))
        # Every worker numbers the slots in the same order.
        self._requests = {labels: next(slots) for labels in product(_ROUTES, _METHODS, (*_statuses(), _OTHER))}
        self._latencies = {route: [next(slots) for _ in range(_BUCKETS)] for route in _ROUTES}
        self._durations = {route: next(slots) for route in _ROUTES}
        self._cache = {result: next(slots) for result in _CACHE}
        self._gauges = {name: next(slots) for name in _GAUGES}
        self._unforeseen = self._requests[_OTHER, _OTHER, _OTHER]
        self._slots = next(slots)
        self._shared = shared or CounterMemory().part()
        self._counts = self._shared.counts
        self._measure()

    def count(self, route: str | None, method: str, status: int, nanoseconds: int, cached: bool | None) -> None:
        """Count one request.

        Args:
            route: None if there is no such route.
            method: as sent.
            status: of the answer.
            nanoseconds: from the request to its answer.
            cached: whether the data were in memory; None if no data were needed.
        """
        counts = self._counts
        route = route or _OTHER
        labels = (route, method if method in _METHODS else _OTHER, str(status))
        counts[self._requests.get(labels, self._unforeseen)] += 1
        counts[self._latencies[route][bisect_left(_BOUNDS, nanoseconds)]] += 1
        counts[self._durations[route]] += nanoseconds
        if cached is not None:
            counts[self._cache["hit" if cached else "miss"]] += 1
            if not cached:
                self._measure()

    def exposition(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        self._measure()
        return generate_latest(self)

    def collect(self) -> Iterator[Any]:
        """Yield every metric, summed over the workers."""
        totals = self._shared.totals(self._slots)
        requests = CounterMetricFamily("usage_requests", "Requests answered.", labels=("route", "method", "status"))
        for labels, slot in self._requests.items():
            if totals[slot]:
                requests.add_metric(labels, totals[slot])
        yield requests
        durations = HistogramMetricFamily(
            "usage_request_duration_seconds", "From a request to its answer.", labels=("route",)
        )
        for route, slots in self._latencies.items():
            counts = list(accumulate(totals[slot] for slot in slots))
            if counts[-1]:
                seconds = totals[self._durations[route]] / _NANOSECONDS
                durations.add_metric((route,), list(zip(_BOUND_LABELS, counts, strict=True)), seconds)
        yield durations
        cache = CounterMetricFamily("usage_answer_cache", "Data found in memory, or not.", labels=("result",))
        for result, slot in self._cache.items():
            cache.add_metric((result,), totals[slot])
        yield cache
        workspaces, size_bytes = (totals[slot] for slot in self._gauges.values())
        yield GaugeMetricFamily("usage_loaded_workspaces", "Workspaces in memory, summed over workers.", workspaces)
        yield GaugeMetricFamily("usage_block_cache_bytes", "Months in memory, summed over workers.", size_bytes)
        restarts = self._shared.restarts
        yield CounterMetricFamily("usage_worker_restarts", "Workers that died and were replaced.", restarts)
        yield InfoMetricFamily("usage_build", "The version that runs.", self._build)
        yield from self._published()

    def _published(self) -> Iterator[Any]:
        try:
            published = self._snapshots.current().published
        except StoreError:
            return
        if published.data_as_of is not None:
            age = (self._clock() - published.data_as_of) / SECOND_US
            yield GaugeMetricFamily("usage_data_age_seconds", "Time since the listing of the loaded raw files.", age)
        yield GaugeMetricFamily("usage_published_sequence", "Number of the last commit.", published.sequence)

    def _measure(self) -> None:
        self._counts[self._gauges["workspaces"]] = self._snapshots.loaded_workspaces
        self._counts[self._gauges["bytes"]] = self._snapshots.block_bytes


def _statuses(kind: type[ApiError] = ApiError) -> list[str]:
    """Return the labels of every status that an answer can have."""
    found = set(_SUCCESSES)
    kinds = [kind]
    while kinds:
        kinds += (kind := kinds.pop()).__subclasses__()
        found |= {kind.status} if hasattr(kind, "status") else set()
    return [str(status) for status in sorted(found)]
