"""Real object stores on loopback: SeaweedFS, which keeps conditions of writes, and rclone's server, which does not."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.missing import skip

KEYS: Final = ("writer", "secret-of-the-writer")
READER_KEYS: Final = ("reader", "secret-of-the-reader")  # may only read
BUCKET: Final = "usage-tests"
# No other credentials or endpoints of the machine count.
ENVIRONMENT: Final = {"AWS_ACCESS_KEY_ID": KEYS[0], "AWS_SECRET_ACCESS_KEY": KEYS[1], "AWS_REGION": "us-east-1"}

GETTER_KEYS: Final = ("getter", "secret-of-the-getter")  # may not even list

_BIN: Final = Path(sys.executable).parent
_IDENTITIES: Final = {
    "identities": [
        {
            "name": name,
            "credentials": [{"accessKey": key, "secretKey": secret}],
            "actions": actions,
        }
        for name, (key, secret), actions in [
            ("writer", KEYS, ["Admin", "Read", "Write", "List", "Tagging"]),
            ("reader", READER_KEYS, ["Read", "List"]),
            ("getter", GETTER_KEYS, ["Read"]),
        ]
    ]
}


@contextmanager
def seaweedfs(folder: Path, metrics_port: int = 0) -> Iterator[str]:
    """Yield the endpoint of a new SeaweedFS, whose data are in an empty folder. It creates buckets when written to.

    Args:
        folder: for its data.
        metrics_port: where it counts requests; 0 for nowhere.
    """
    identities = folder / "identities.json"
    identities.write_text(json.dumps(_IDENTITIES), "utf-8")
    ports = _free_ports(8)
    master, master_rpc, volume, volume_rpc, filer, filer_rpc, s3, s3_rpc = ports
    options = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.port": master,
        "master.port.grpc": master_rpc,
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 64,
        "metricsPort": metrics_port,
        "volume.max": 100,
        "volume.port": volume,
        "volume.port.grpc": volume_rpc,
        "filer": "true",
        "filer.localSocket": folder / "filer.sock",
        "filer.port": filer,
        "filer.port.grpc": filer_rpc,
        "s3": "true",
        "s3.config": identities,
        "s3.port": s3,
        "s3.port.grpc": s3_rpc,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
    }
    command = [_tool("weed"), "-logtostderr=true", "server", *(f"-{name}={value}" for name, value in options.items())]
    try:
        with _running(command, re.compile(r"Start Seaweed S3 API Server")):
            yield f"http://127.0.0.1:{s3}"
    finally:
        for port in ports:
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)


@contextmanager
def rclone(folder: Path) -> Iterator[str]:
    """Yield the endpoint of rclone's server, which ignores the conditions of writes. Folders are its buckets."""
    (folder / BUCKET).mkdir()
    (port,) = _free_ports(1)
    command = [
        *(_tool("rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", ",".join(KEYS)),
        *("--config", str(folder / "none.conf"), "--vfs-cache-mode", "off", str(folder)),
    ]
    with _running(command, re.compile(r"Starting s3 server")):
        yield f"http://127.0.0.1:{port}"


def _tool(name: str) -> str:
    path = _BIN / name
    if not path.exists():
        skip(f"{name} is not installed")
    return str(path)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def _running(command: Sequence[str], ready: re.Pattern[str]) -> Iterator[None]:
    """Run a server; yield once a line of its log says that it is ready."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ)
    assert process.stdout is not None
    seen: list[str] = []
    reader = threading.Thread(target=seen.extend, args=[process.stdout])  # a full pipe would block it
    try:
        for line in process.stdout:
            seen.append(line)
            if ready.search(line):
                break
        else:
            raise AssertionError("".join(seen))
        reader.start()
        yield
    finally:
        process.kill()  # asked to end, SeaweedFS takes ten seconds
        process.wait()
        if reader.is_alive():
            reader.join()
        process.stdout.close()
