"""Runs on an object store whose work a real Ray cluster does; they are tested where Ray is installed."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("ray")

from pipeline.contract.object_client import Client
from pipeline.load.job import Limits
from pipeline.load.rebuild import Rebuild
from tests.support.both import Both
from tests.support.data_folder import DataFolder, record
from tests.support.object_servers import ENVIRONMENT
from tests.support.project import ROOT
from tests.support.ray_cluster import ray_cluster

SMALL = Limits(processes_bytes=0, bucket_bytes=4000, batch_bytes=2000, split_bytes=1500, group_rows_bytes=1)


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    """Return the address of a cluster, whose workers have credentials of their own."""
    path = os.pathsep.join([str(ROOT), *sys.path])
    with (
        tempfile.TemporaryDirectory(prefix="ray") as folder,
        ray_cluster(Path(folder), 2, PYTHONPATH=path, **ENVIRONMENT) as address,
    ):
        yield address


def test_tables(folder: DataFolder, client: Client, running: str) -> None:
    """Loads and a rebuild on the cluster give the tables of a folder, and nothing stays in the staging folder."""
    both = Both(folder, client)
    both.settings[1] = msgspec.structs.replace(both.settings[1], cluster=running)
    both.drop_several()
    both.run(limits=SMALL)
    both.compare()
    both.drop("late.jsonl", [record("late", timestamp="2026-11-05T00:00:00Z")], bad=2)
    both.run(limits=SMALL)
    both.compare()
    both.run(limits=SMALL, rebuild=Rebuild())
    both.compare()
    assert list(both.client.list("staging")) == []
