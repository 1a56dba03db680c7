"""Connects to the cluster at an address, by the adapter of its engine."""

from concurrent.futures import Executor
from contextlib import AbstractContextManager

from pipeline.load.cluster.address import Address
from pipeline.load.cluster.work import ClusterError


def connected(address: Address) -> AbstractContextManager[tuple[Executor, int]]:
    """Connect to a cluster; the context is an executor, and how many pieces the cluster runs at once now.

    Raises:
        ClusterError: the engine is not installed here, no scheduler answers, or there is no worker.
        MismatchError: a worker has another release, Python or package.
    """
    # Each adapter imports its engine, which nothing else needs.
    try:
        if address.engine == "ray":
            from pipeline.load.cluster import ray  # noqa: PLC0415

            return ray.connected(address.text)
        from pipeline.load.cluster import dask  # noqa: PLC0415

        return dask.connected(address.text)
    except ImportError as error:
        install = f"pip install 'workspace-usage[{address.engine}]'"
        raise ClusterError(f"{address.text} needs an extra of this package: {install} ({error})") from None
