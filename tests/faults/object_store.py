"""The long form of the faults of an object store: many seeds, each with faults in any request of whole runs.

    python -m tests.faults.object_store --seeds 500 [--first N]

A proxy before a real store loses, delays, duplicates, refuses and cuts off requests and answers, while `usage run` and
`usage retention` work through it. The same commands work on a data folder without faults. Prints how the commands
ended; of a seed that fails, prints its number and exits 1. Requests are sent by threads, so that a seed chooses how
often which fault strikes, but not exactly which request.
"""

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest

from pipeline.contract.calendar import rfc3339
from pipeline.contract.location import Location
from pipeline.contract.object_client import Client
from pipeline.contract.object_names import LEASE, ROOT
from tests.support.both import Both
from tests.support.data_folder import WORKSPACE, DataFolder, record
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.invoked import invoke
from tests.support.object_servers import BUCKET, ENVIRONMENT, seaweedfs
from tests.support.syncs import skip_syncs

LOADS: Final = 3
_READS: Final[list[Fault]] = ["lose request", "lose answer", "cut answer", "503"]
_WRITES: Final[list[Fault]] = ["lose request", "lose answer", "delay", "duplicate", "503"]
_FAULTS: Final = {"GET": _READS, "HEAD": _READS, "PUT": [*_WRITES, "409"], "POST": _WRITES, "DELETE": _WRITES}
# Whether the flip was carried out is unknown then, and the message says so.
_UNKNOWN: Final = "does not say whether"


class History:
    """One history on a folder and on an object store, of which the latter is reached through a proxy that is faulty.

    Args:
        seed: chooses records and faults.
        folder: empty.
        client: of an empty location, past the proxy.
        proxy: before the store.
    """

    def __init__(self, seed: int, folder: DataFolder, client: Client, proxy: FaultProxy) -> None:
        self._random, self._both, self._client, self._proxy = random.Random(seed), Both(folder, client), client, proxy
        self._chance = self._random.choice([0.01, 0.03, 0.1, 0.3])
        self.ended: Counter[str] = Counter()

    def play(self) -> None:
        """Load several times and let old days expire, with faults at each command; compare the tables after each.

        Raises:
            AssertionError: a command that failed has changed the tables, or they are not those of the folder.
        """
        for number in range(LOADS):
            for name in ("a", "b")[: number + 1]:
                self._both.drop(f"{name}{number}.jsonl", self._records(number), bad=self._random.randrange(3))
            self._command("run")
            self._both.compare()
        self._command("retention", "--keep", "53d", "--apply")
        self._both.compare()

    def _records(self, number: int) -> list[dict[str, Any]]:
        return [
            record(
                f"e{self._random.randrange(40)}",
                workspace_id=f"{self._random.randrange(3)}{WORKSPACE[1:]}",
                timestamp=f"2026-{self._random.choice(('10', '11'))}-0{self._random.randrange(1, 6)}T00:00:00Z",
                recorded_at=f"2026-11-2{number}T00:00:00Z",
            )
            for _ in range(12)
        ]

    def _command(self, *command: str) -> None:
        """Run a command on both; on objects with faults, and once more without them, if it did not end well."""
        assert self._usage({"USAGE_DATA_DIR": str(self._both.folder.root)}, *command)[0] == 0
        where = self._client.location
        through = {"USAGE_DATA_DIR": where.url, "USAGE_S3_ENDPOINT": self._proxy.endpoint, "USAGE_WORKERS": "1"}
        self._client.delete([LEASE])
        before = self._root()
        self._proxy.chance = self._fault
        code, said = self._usage(through, *command)
        self._proxy.chance = lambda *_: None
        self.ended[f"{command[0]} {code}"] += 1
        assert code in {0, 1, 4, 75}, said
        if command[0] == "run" and code in {1, 75} and _UNKNOWN not in said:
            assert self._root() == before, said
        if self._random.random() < 0.5:
            self._proxy.deliver_late()
        if code:
            code, said = self._undisturbed(through, *command)
            assert code == 0, said
        code, said = self._undisturbed(through, "run")
        assert code == 0, said
        assert "\n0 lines = " in said, said
        self._proxy.deliver_late()

    def _undisturbed(self, environ: dict[str, str], *command: str) -> tuple[int, str]:
        self._client.delete([LEASE])  # as if a minute had passed: the answer to its release may be lost
        return self._usage(environ, *command)

    def _fault(self, method: str, _: str) -> Fault | None:
        return self._random.choice(_FAULTS[method]) if self._random.random() < self._chance else None

    def _usage(self, environ: dict[str, str], *command: str) -> tuple[int, str]:
        now = ["--now", rfc3339(self._both.now)]
        with patch.object(Client, "wait", lambda *_: None):
            result = invoke([*command, *now], env=environ)
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result.exit_code, result.output

    def _root(self) -> str | None:
        found = self._client.head(ROOT)
        return None if found is None else found.etag


def play(seed: int, parent: Path, endpoint: str, proxy: FaultProxy) -> Counter[str]:
    """Play the history of a seed, and return how its commands ended.

    Args:
        seed: chooses the history.
        parent: an empty folder.
        endpoint: of the store.
        proxy: before the store.

    Raises:
        AssertionError: as `History.play` does.
    """
    folder = DataFolder(parent / "data")
    (folder.root / "raw").mkdir(parents=True)
    history = History(seed, folder, Client(Location(BUCKET, f"faults/{parent.name}-{seed}", endpoint)), proxy)
    history.play()
    return history.ended


def main() -> int:
    """Run the command, and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds (20)")
    parser.add_argument("--first", type=int, default=0, help="the first one (0)")
    options = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    ended: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as parent:
        server = Path(parent) / "store"
        server.mkdir()
        with seaweedfs(server) as endpoint, fault_proxy(endpoint) as proxy, pytest.MonkeyPatch.context() as patched:
            skip_syncs(patched)
            for seed in range(options.first, options.first + options.seeds):
                place = Path(parent) / str(seed)
                place.mkdir()
                try:
                    ended += play(seed, place, endpoint, proxy)
                except AssertionError as error:
                    print(f"seed {seed}: {error}\nagain: python -m tests.faults.object_store --first {seed} --seeds 1")  # noqa: T201
                    return 1
    print(f"{options.seeds:,} seeds; commands by exit code: {dict(sorted(ended.items()))}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
