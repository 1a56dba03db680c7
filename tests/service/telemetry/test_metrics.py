"""Metrics: the figures of all workers for Prometheus, without any tenant's data."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from pipeline.contract.calendar import SECOND_US
from pipeline.contract.tables import PUBLISHED, Published
from service.telemetry.shared_counters import CounterMemory
from tests.support.process import start, stop

SUMMARY = "/api/v1/usage/summary"
WHOAMI = "/api/v1/auth/whoami"


def _samples(text: str) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def _read(app: Any, send: Any) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    reply = send(app, "/metrics")
    assert reply.status == 200
    # Prometheus 3 refuses a content type that names its charset twice.
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return _samples(reply.body.decode())


def _labels(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def test_requests(folder: Any, send: Any) -> None:
    """Requests are counted by route, method and status; all unknown values share one label."""
    folder.publish()
    app = folder.app()
    for query in ("", "", "range=oops"):
        folder.ask(SUMMARY, query, app)
    for path, method in ((SUMMARY, "HEAD"), (SUMMARY, "op_live_method"), ("/op_live_path", "GET"), (WHOAMI, "OPTIONS")):
        send(app, path, method=method)
    seen = _read(app, send)
    assert seen["usage_requests_total"] == {
        _labels(route=SUMMARY, method="GET", status="200"): 2,
        _labels(route=SUMMARY, method="GET", status="422"): 1,
        _labels(route=SUMMARY, method="HEAD", status="401"): 1,
        _labels(route=SUMMARY, method="other", status="405"): 1,
        _labels(route="other", method="GET", status="404"): 1,
        _labels(route=WHOAMI, method="OPTIONS", status="204"): 1,
    }
    assert seen["usage_answer_cache_total"] == {_labels(result="hit"): 1, _labels(result="miss"): 1}
    again = _read(app, send)["usage_requests_total"]
    assert again[_labels(route="/metrics", method="GET", status="200")] == 1


def test_durations(folder: Any, send: Any) -> None:
    """Durations are a histogram for each route, fine below a millisecond; its count is the number of requests."""
    app = folder.app()
    for _ in range(5):
        folder.ask(WHOAMI, app=app)
    app._metrics.count(WHOAMI, "GET", 200, 150_000, None)  # noqa: SLF001 - a known duration
    app._metrics.count(WHOAMI, "GET", 200, 7_000_000_000, None)  # noqa: SLF001
    seen = _read(app, send)
    buckets = {
        float(dict(labels)["le"]): count
        for labels, count in seen["usage_request_duration_seconds_bucket"].items()
        if dict(labels)["route"] == WHOAMI
    }
    assert sum(bound < 0.001 for bound in buckets) >= 4
    assert list(buckets.values()) == sorted(buckets.values())
    assert (buckets[5], buckets[float("inf")]) == (6, 7)
    assert buckets[0.0002] >= 1
    assert seen["usage_request_duration_seconds_count"] == {_labels(route=WHOAMI): 7}
    assert 7 < seen["usage_request_duration_seconds_sum"][_labels(route=WHOAMI)] < 12


def test_data(folder: Any, send: Any) -> None:
    """The metrics give the age and sequence of the published tables, and neither before the first run."""
    app = folder.app()
    assert not {"usage_data_age_seconds", "usage_published_sequence"} & set(_read(app, send))
    folder.publish()
    folder.publish()
    seen = _read(app, send)
    assert seen["usage_data_age_seconds"] == {frozenset(): 60}
    assert seen["usage_published_sequence"] == {frozenset(): 2}
    ((build, one),) = seen["usage_build_info"].items()
    assert (set(dict(build)), one) == ({"version", "python"}, 1)


def test_data_of_the_future(folder: Any, send: Any) -> None:
    """The age is negative where a run's clock was ahead, so that an alert can tell this from fresh data."""
    folder.publish()
    path = folder.root / PUBLISHED
    published = msgspec.json.decode(path.read_bytes(), type=Published)
    ahead = msgspec.structs.replace(published, data_as_of=(published.data_as_of or 0) + 3600 * SECOND_US)
    path.write_bytes(msgspec.json.encode(ahead))
    assert _read(folder.app(), send)["usage_data_age_seconds"] == {frozenset(): 60 - 3600}


def test_memory(folder: Any, send: Any, event: Any) -> None:
    """The metrics report the workspaces in memory and the bytes of their months."""
    folder.publish([event(folder.now, credits=1)])
    app = folder.app()
    assert _read(app, send)["usage_loaded_workspaces"] == {frozenset(): 0}
    folder.ask(SUMMARY, app=app)
    seen = _read(app, send)
    assert seen["usage_loaded_workspaces"] == {frozenset(): 1}
    assert seen["usage_block_cache_bytes"][frozenset()] > 0


def test_memory_of_another_worker(folder: Any, send: Any) -> None:
    """The metrics of each worker include the workspaces that other workers have loaded."""
    memory = CounterMemory(2)
    folder.publish()
    loading, reading = (folder.app(counters=memory.part(place)) for place in range(2))
    folder.ask(SUMMARY, app=loading)
    assert _read(reading, send)["usage_loaded_workspaces"] == {frozenset(): 1}


def test_labels_name_nobody(folder: Any, send: Any, event: Any) -> None:
    """No label contains a workspace, user, name, key or other value that a client sent."""
    folder.publish([event(folder.now, credits=1)])
    app = folder.app()
    folder.ask(f"{SUMMARY}/{folder.token}", f"user_id={folder.user}&cursor=secret", app)
    folder.ask(SUMMARY, f"user_id={folder.user}&range=secret", app, X_Workspace_Id=folder.workspace)
    folder.ask(SUMMARY, "", app)
    text = send(app, "/metrics").body.decode()
    assert not [
        word for word in (folder.token, folder.workspace, folder.user, "key_0", "Ada", "secret") if word in text
    ]
    names = {name for samples in _samples(text).values() for labels in samples for name, _ in labels}
    assert names == {"route", "method", "status", "le", "result", "version", "python"}


def test_processes_that_are_gone() -> None:
    """Counts of a process that has ended are kept, and the next one in its place goes on; nobody else writes there."""
    memory = CounterMemory(2)
    own = memory.part(0)
    own.counts[0] += 1
    for expected in ([6, 20], [11, 20]):
        pid = os.fork()
        if not pid:
            other = memory.part(1)
            other.counts[0] += 5
            other.counts[1] = 20
            os._exit(0)
        os.waitpid(pid, 0)
        assert own.totals(2) == expected
    assert own.counts[:2].tolist() == [1, 0]


def _listing(folder: Path) -> Mapping[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_workers_together(folder: Any, tmp_path: Path) -> None:
    """Any worker reports the sum over all; nothing is written, neither to the data folder nor anywhere else."""
    folder.publish()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    temporary.chmod(0o500)
    before = _listing(folder.root / "directory")
    process, url = start(folder.root, "--workers", "2", TMPDIR=str(temporary))
    headers = {"Authorization": f"Bearer {folder.token}"}
    for _ in range(30):
        assert httpx.get(url + SUMMARY, headers=headers).status_code == 200
    wanted = _labels(route=SUMMARY, method="GET", status="200")
    texts = [httpx.get(url + "/metrics").text for _ in range(8)]
    assert [_samples(text)["usage_requests_total"][wanted] for text in texts] == [30] * 8
    assert all(1 <= _samples(text)["usage_loaded_workspaces"][frozenset()] <= 2 for text in texts)
    stop(process)
    assert not list(temporary.iterdir())
    assert _listing(folder.root / "directory") == before
    assert {path.name for path in folder.root.iterdir()} <= {"directory", "manifests", "published.json", "temporary"}
