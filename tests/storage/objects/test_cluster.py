"""Runs on an object store whose work a real Dask cluster does: the tables are a folder's, whoever is killed."""

from collections.abc import Callable, Iterator

import msgspec
import pytest

pytest.importorskip("distributed")

from pipeline.contract.object_client import Client
from pipeline.load.job import Limits
from pipeline.load.progress import Progress
from pipeline.run import run
from pipeline.storage.opened import open_store
from tests.support.both import Both
from tests.support.dask_cluster import Cluster, cluster
from tests.support.data_folder import DataFolder, record
from tests.support.object_servers import ENVIRONMENT
from tests.support.project import ROOT

SMALL = Limits(processes_bytes=0, bucket_bytes=4000, batch_bytes=2000, split_bytes=1500, group_rows_bytes=1)


class At(Progress):
    """Does something once in a stage, after its first piece."""

    def __init__(self, stage: str, what: Callable[[], object]) -> None:
        self._wanted, self._what, self._stage = stage, what, ""

    def begin(self, name: str, what: str, total: int = 0, unit: str = "") -> None:  # noqa: ARG002 - as `Progress` has it
        """Take note of the stage."""
        self._stage = name

    def advance(self, done: int, lines: int = 0) -> None:  # noqa: ARG002 - as `Progress` has it
        """Do it."""
        if self._stage == self._wanted:
            self._wanted = ""
            self._what()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a cluster of two workers, which have credentials of their own."""
    with cluster(tmp_path_factory.mktemp("cluster"), 2, PYTHONPATH=str(ROOT), **ENVIRONMENT) as started:
        yield started


@pytest.fixture
def both(folder: DataFolder, client: Client, running: Cluster) -> Both:
    """Return a folder, and objects on which the cluster works, with logs in many files."""
    both = Both(folder, client)
    both.settings[1] = msgspec.structs.replace(both.settings[1], cluster=running.address)
    both.drop_several()
    return both


def test_tables(both: Both) -> None:
    """Loads and a rebuild on the cluster give the tables of a folder, and nothing stays in the staging folder."""
    both.run(limits=SMALL)
    both.compare()
    both.drop("late.jsonl", [record("late", timestamp="2026-11-05T00:00:00Z")], bad=2)
    both.run(limits=SMALL)
    both.compare()
    assert list(both.client.list("staging")) == []


def test_slices(both: Both) -> None:
    """A commit loads the more, the more slots the cluster has."""
    largest = max(found.size for found in both.client.list("raw"))
    limits = msgspec.structs.replace(SMALL, slice_bytes=largest, slice_slots=1)  # of three objects, for two slots
    assert run(both.settings[1], both.now, limits=limits).sequence == 2


@pytest.mark.parametrize("stage", ["validate", "merge", "rollup"])
def test_worker_killed(both: Both, running: Cluster, stage: str) -> None:
    """If a worker is killed in a stage, another one does its work, and the tables are the same."""
    both.run(limits=SMALL, progress=At(stage, running.workers[-1].kill))
    both.compare()
    running.workers[-1].wait()
    running.add_worker()


def test_coordinator_killed(both: Both) -> None:
    """If the coordinator ends before the flip, nothing has happened, and the next run does everything."""

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        both.run(limits=SMALL, progress=At("rollup", stop))
    with open_store(both.settings[1]) as store:
        assert store.published() is None
        assert store.names("events/") == []
    both.run(limits=SMALL)
    both.compare()
