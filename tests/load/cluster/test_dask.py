"""Pieces of work on a real Dask cluster: in order, compared first, and repeated when a worker dies."""

import operator
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

distributed = pytest.importorskip("distributed")

from pipeline.load.cluster import dask  # noqa: E402
from pipeline.load.cluster.work import ClusterError, MismatchError  # noqa: E402
from tests.support.dask_cluster import Cluster, cluster, each  # noqa: E402
from tests.support.project import ROOT  # noqa: E402


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a cluster of two workers."""
    with cluster(tmp_path_factory.mktemp("cluster"), 2, PYTHONPATH=str(ROOT)) as started:
        yield started


def _die_once(marker: str) -> int:
    """Kill this worker the first time, and return the process on which it went well."""
    path = Path(marker)
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def _inverse(number: int) -> float:
    return 1 / number


def _wait_for(marker: str) -> None:
    while not Path(marker).exists():
        time.sleep(0.01)


def test_results_in_order(running: Cluster) -> None:
    """Results come in the order of the pieces, from as many at once as the cluster has threads."""
    with dask.connected(running.address) as (pool, slots):
        assert slots == 2
        assert list(each(pool, operator.neg, range(30))) == [-number for number in range(30)]


def test_ports(running: Cluster) -> None:
    """Scheduler and workers that are told so, as in docs/scale.md, listen on no other address."""
    psutil = pytest.importorskip("psutil")
    listening = [
        connection.laddr.ip
        for process in (running.scheduler, *running.workers)
        for connection in psutil.Process(process.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3
    assert set(listening) == {"127.0.0.1"}


def test_the_same_pieces_again(running: Cluster) -> None:
    """A piece that is equal to an earlier one runs again: its result is not taken from that one."""
    with dask.connected(running.address) as (pool, _):
        first, second = (list(each(pool, _now, [1])) for _ in range(2))
        assert first != second


def _now(_: int) -> int:
    return time.perf_counter_ns()


def test_errors_come_back(running: Cluster) -> None:
    """An error of a piece is raised here, and the cluster goes on."""
    with dask.connected(running.address) as (pool, _):
        with pytest.raises(ZeroDivisionError):
            list(each(pool, _inverse, [1, 0]))
        assert list(each(pool, operator.neg, [1])) == [-1]


def test_other_code(running: Cluster, tmp_path: Path) -> None:
    """A worker with another package is refused by name, before the first piece and when it joins later."""
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline")
    (tmp_path / "pipeline/grouping.py").write_text("# changed\n")
    with dask.connected(running.address) as (pool, _):
        other = running.add_worker(PYTHONPATH=f"{tmp_path}:{ROOT}")
        try:
            with pytest.raises(MismatchError, match=r"has other files of workspace-usage"):
                list(each(pool, time.sleep, [0.2] * 30))
            with (
                pytest.raises(MismatchError, match=r"install the coordinator's release there"),
                dask.connected(running.address),
            ):
                pass
        finally:
            running.end_worker(other)


def test_worker_killed(tmp_path: Path) -> None:
    """A piece whose worker dies runs again on another one."""
    with (
        cluster(tmp_path, 2, PYTHONPATH=str(ROOT)) as started,
        dask.connected(started.address) as (pool, _),
    ):
        (survivor,) = each(pool, _die_once, [str(tmp_path / "died")])
        assert [process.pid for process in started.workers if process.poll() is None] == [survivor]


def test_all_workers_gone(tmp_path: Path) -> None:
    """If no worker is left, the run ends after a while instead of waiting for ever."""
    with (
        cluster(tmp_path, 1, PYTHONPATH=str(ROOT)) as started,
        dask.connected(started.address, patience=1) as (pool, _),
        pytest.raises(ClusterError, match=r"all workers of the scheduler at tcp://.* are gone"),
    ):
        list(each(pool, os._exit, [3]))


def test_scheduler_killed(tmp_path: Path) -> None:
    """If the scheduler is killed, the run ends with an error that names it."""
    with cluster(tmp_path, 1, PYTHONPATH=str(ROOT)) as started, dask.connected(started.address) as (pool, _):
        results = each(pool, _wait_for, [str(tmp_path / "never")])
        started.scheduler.kill()
        with pytest.raises(ClusterError, match=r"the scheduler at tcp://.* is gone"):
            list(results)


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where nothing listens is reported as that."""
    monkeypatch.setattr(dask, "_CONNECT_SECONDS", 1)
    with (
        pytest.raises(ClusterError, match=r"no scheduler answers at tcp://127.0.0.1:1"),
        dask.connected("tcp://127.0.0.1:1"),
    ):
        pass


def test_no_worker(tmp_path: Path) -> None:
    """A scheduler without workers is reported, with the command that starts one."""
    with (
        cluster(tmp_path, 0) as started,
        pytest.raises(ClusterError, match=r"no worker has joined .* start `dask worker tcp://"),
        dask.connected(started.address, patience=0.1),
    ):
        pass
