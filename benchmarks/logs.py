"""Write the logs that all engines load: the sample as delivered, and its valid lines alone, uncompressed.

The other engines do not validate lines, so they load only the valid ones, without decompression. Both are to their
advantage.
"""

import io
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa

from benchmarks.engines.engine import Logs
from pipeline.contract.calendar import DAY_US, rfc3339
from pipeline.contract.settings import RAW
from pipeline.sample.cast import Plan
from pipeline.sample.generate import write
from pipeline.validation.records import Row
from pipeline.validation.validate import validate

BATCH: Final = "batch.jsonl"


def write_logs(folder: Path, plan: Plan, *, held_back: int = 0) -> Logs:
    """Write a sample and its valid lines.

    Args:
        folder: where the logs go.
        plan: the sample.
        held_back: the number of last lines that go to `batch.jsonl` instead, to be appended later.
    """
    write(folder, plan)
    clean = folder / "clean"
    clean.mkdir()
    raw = sorted((folder / RAW).iterdir())
    newest = raw[-1].read_bytes().splitlines(keepends=True)  # the newest file is never compressed
    first_late = len(newest) - held_back
    raw[-1].write_bytes(b"".join(newest[:first_late]))
    with (folder / BATCH).open("wb") as file:
        file.writelines(line for line in newest[first_late:] if _is_valid(line, plan))
    for path in raw:
        stream = io.BufferedReader(pa.input_stream(str(path), compression="detect"))
        with stream, (clean / f"{path.name.partition('.')[0]}.jsonl").open("wb") as file:
            file.writelines(line for line in stream if _is_valid(line, plan))
    return Logs(folder, sorted(clean.iterdir()))


def write_late(folder: Path, workspace_id: str, now: int, number: int) -> list[Path]:
    """Write `number` files with one event each, which happened three or more days before `now` (microseconds UTC)."""
    paths = [folder / f"late-{place}.jsonl" for place in range(number)]
    for place, path in enumerate(paths):
        record = {
            "id": f"late_{place}",
            "workspace_id": workspace_id,
            "timestamp": rfc3339(now - (place + 3) * DAY_US - place - 1),
            "action": "workflow_run",
            "kind": "workflow_execution",
            "resource": {"type": "workflow", "id": "wf_late", "name": "Late"},
            "run": {"id": f"run_{place}", "status": "completed"},
            "usage": {"credits": 7, "languages": [{"locale": locale, "characters": 70} for locale in ("de", "ja")]},
        }
        path.write_bytes(msgspec.json.encode(record) + b"\n")
    return paths


def _is_valid(line: bytes, plan: Plan) -> bool:
    return isinstance(validate(line.removesuffix(b"\n"), plan.now + DAY_US), Row)
