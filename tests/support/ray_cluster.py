"""A cluster of Ray on loopback, whose workers are processes of this environment."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.missing import skip


@contextmanager
def ray_cluster(folder: Path, processors: int, **environ: str) -> Iterator[str]:
    """Yield the address of a cluster of one machine.

    Args:
        folder: for its files; its path must be short, since sockets are in it.
        processors: how many pieces of work it runs at once.
        environ: for its workers.
    """
    command = Path(sys.executable).parent / "ray"
    if not command.exists():
        skip("ray is not installed")
    port, client_port = _free_port(), _free_port()
    options = {
        "node-ip-address": "127.0.0.1",
        "port": port,
        "ray-client-server-port": client_port,
        "num-cpus": processors,
        "include-dashboard": "false",
        "object-store-memory": 100_000_000,
        "temp-dir": folder,
    }
    with subprocess.Popen(
        [command, "start", "--head", "--block", "--disable-usage-stats", *(f"--{k}={v}" for k, v in options.items())],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environ},
    ) as process:
        assert process.stdout is not None
        try:
            seen = []
            for line in process.stdout:
                seen.append(line)
                if "--block" in line:  # the last thing that it says
                    break
            else:
                raise AssertionError("".join(seen))
            yield f"ray://127.0.0.1:{client_port}"
        finally:
            process.terminate()  # it ends all processes that it began
            process.communicate()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
